import type { NumberedBlocks } from '../net/datagramPort.ts';
import { type MappedFile, SHORTENED } from '../net/mappedFile.ts';
import type { Content } from './content.ts';

/** Bytes read ahead at a time. Two such chunks are held for each transfer, less for small files. */
export const CHUNK_BYTES = 256 * 1024;

/** A mapped file is kept in memory so far ahead of each who sends it. */
const AHEAD_BYTES = 1024 * 1024;

const MOST_IDLE = 32;

/** Chunk buffers kept from transfers that ended for those to come, so that a busy server does not allocate. */
export class ChunkPool {
  readonly #idle: Buffer[] = [];

  take(bytes: number): Buffer {
    if (bytes < CHUNK_BYTES) return Buffer.allocUnsafeSlow(bytes);
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  give(buffer: Buffer): void {
    if (buffer.length === CHUNK_BYTES && this.#idle.length < MOST_IDLE) this.#idle.push(buffer);
  }
}

export type BlocksOptions = {
  readonly content: Content;
  readonly blockSize: number;
  readonly pool: ChunkPool;
  /** Block 1, where it has been read already: a client that was not heard yet costs no more than this. */
  readonly first?: Uint8Array;
  /** Called after each read: blocks that were not there before may be now, or the content failed. */
  readonly onRead: (error?: Error) => void;
};

/** The blocks of one content, and when each can be sent. */
export type Blocks = NumberedBlocks & {
  /** The block that ends the content; Infinity while it is known only at the end of reading. */
  readonly lastBlock: number;
  /** The bytes of all blocks below `block`, as far as they are known. */
  bytesBefore(block: number): number;
  /** Whether block `n` is in memory. */
  has(n: number): boolean;
  /** From now on blocks are read before they are needed. */
  readAhead(): void;
  /** No block below `base` will be asked for again. */
  release(base: number): void;
  /** Gives buffers and file back. */
  close(): Promise<void>;
};

export function blocksOf(options: BlocksOptions): Blocks {
  const { mapped } = options.content;
  return mapped === undefined ? new ReadBlocks(options) : new MappedBlocks(options, mapped);
}

/**
 * Blocks that the kernel sends from memory. It reads the file ahead for the first of those who send it. A file that became shorter is noticed
 * where its bytes are missing, and at the last block.
 */
class MappedBlocks implements Blocks {
  readonly blockSize: number;
  readonly mapped: MappedFile;
  readonly lastBlock: number;
  readonly #options: BlocksOptions;
  #isReading = false;
  #ahead = false;
  #failed = false;
  #closed = false;
  #base = 1;

  constructor(options: BlocksOptions, mapped: MappedFile) {
    this.#options = options;
    this.blockSize = options.blockSize;
    this.mapped = mapped;
    this.lastBlock = Math.floor(mapped.size / options.blockSize) + 1;
  }

  bytesBefore(block: number): number {
    return Math.min((block - 1) * this.blockSize, this.mapped.size);
  }

  has(n: number): boolean {
    if (n === this.lastBlock && !this.mapped.isWhole()) this.#fail(new Error(SHORTENED));
    if (this.#failed) return false;
    // The first block was read already where the transfer begins with it.
    return this.bytesBefore(n + 1) <= this.mapped.inMemory || (n === 1 && this.#options.first !== undefined);
  }

  copy(): number {
    return -1;
  }

  readAhead(): void {
    this.#ahead = true;
    this.release(this.#base);
  }

  release(base: number): void {
    this.#base = base;
    if (!this.#ahead || this.#isReading || this.#failed || this.#closed) return;
    const { size, inMemory } = this.mapped;
    if (inMemory >= size || inMemory >= this.bytesBefore(base) + AHEAD_BYTES) return;
    this.#isReading = true;
    this.mapped.readOn().then(
      () => this.#afterRead(),
      (error: Error) => this.#fail(error),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.content.close();
  }

  #afterRead(): void {
    this.#isReading = false;
    if (this.#closed) return;
    this.#options.onRead();
    this.release(this.#base);
  }

  #fail(error: Error): void {
    if (this.#failed || this.#closed) return;
    this.#failed = true;
    queueMicrotask(() => {
      if (!this.#closed) this.#options.onRead(error);
    });
  }
}

type Chunk = { readonly buffer: Buffer; index: number };

/**
 * Blocks that are read into buffers. After `readAhead` they are read in large chunks so that most of them leave from memory. Two
 * chunks take turns: the one that the oldest unacknowledged block lies in, and the next. A window must fit into one chunk.
 */
class ReadBlocks implements Blocks {
  readonly blockSize: number;
  readonly #options: BlocksOptions;
  readonly #blocksPerChunk: number;
  readonly #chunks: Chunk[] = [];
  /** Bytes in all; `undefined` while it is known only at the end of reading. */
  #size: number | undefined;
  /** Chunks 0 up to this one have been read. */
  #read = -1;
  #base = 1;
  #ahead = false;
  #reading: Promise<void> | undefined;
  #closed = false;

  constructor(options: BlocksOptions) {
    this.#options = options;
    const { content, first, blockSize } = options;
    this.blockSize = blockSize;
    const firstIsAll = first !== undefined && first.length < blockSize;
    this.#size = content.size ?? (firstIsAll ? first.length : undefined);
    this.#blocksPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / blockSize));
  }

  get lastBlock(): number {
    return this.#size === undefined ? Number.POSITIVE_INFINITY : Math.floor(this.#size / this.#options.blockSize) + 1;
  }

  bytesBefore(block: number): number {
    return Math.min((block - 1) * this.#options.blockSize, this.#size ?? Number.POSITIVE_INFINITY);
  }

  has(n: number): boolean {
    const { blockSize, first } = this.#options;
    if ((n === 1 && first !== undefined) || (n - 1) * blockSize >= (this.#size ?? Number.POSITIVE_INFINITY))
      return true;
    return this.#chunkOf(n) !== undefined;
  }

  copy(n: number, into: Uint8Array, at: number): number {
    const { blockSize, first } = this.#options;
    if (n === 1 && first !== undefined) {
      into.set(first, at);
      return first.length;
    }
    const start = (n - 1) * blockSize;
    const length = this.#size === undefined ? blockSize : Math.min(blockSize, this.#size - start);
    if (length <= 0) return 0;
    const chunk = this.#chunkOf(n);
    if (chunk === undefined) return -1;
    const from = start - chunk.index * this.#chunkBytes;
    chunk.buffer.copy(into, at, from, from + length);
    return length;
  }

  readAhead(): void {
    this.#ahead = true;
    this.release(this.#base);
  }

  /** The room of blocks below `base` may be read into. */
  release(base: number): void {
    this.#base = base;
    const next = this.#read + 1;
    if (!this.#ahead || this.#reading !== undefined || this.#closed) return;
    if (this.#size !== undefined && next * this.#chunkBytes >= this.#size) return;
    if (next > Math.floor((this.#base - 1) / this.#blocksPerChunk) + 1) return;
    this.#reading = this.#readChunk(next).then(
      () => this.#afterRead(),
      (error: Error) => this.#afterRead(error),
    );
  }

  /** Waits for a read under way, then gives buffers and file back. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#reading;
    for (const { buffer } of this.#chunks.splice(0)) this.#options.pool.give(buffer);
    await this.#options.content.close();
  }

  /** The chunk that block `n` lies in, if it has been read. */
  #chunkOf(n: number): Chunk | undefined {
    const index = Math.floor((n - 1) / this.#blocksPerChunk);
    const chunk = this.#chunks[index & 1];
    return chunk !== undefined && chunk.index === index && index <= this.#read ? chunk : undefined;
  }

  get #chunkBytes(): number {
    return this.#blocksPerChunk * this.#options.blockSize;
  }

  async #readChunk(index: number): Promise<void> {
    const { content, pool, first } = this.#options;
    const known = this.#size;
    const length =
      known === undefined ? this.#chunkBytes : Math.min(this.#chunkBytes, known - index * this.#chunkBytes);
    let chunk = this.#chunks[index & 1];
    if (chunk === undefined) {
      chunk = { buffer: pool.take(known !== undefined && known < CHUNK_BYTES ? length : CHUNK_BYTES), index };
      this.#chunks[index & 1] = chunk;
    }
    chunk.index = index;
    let got = 0;
    if (index === 0 && first !== undefined) {
      chunk.buffer.set(first);
      got = first.length;
    }
    got += await content.fill(chunk.buffer.subarray(got, length));
    if (got < length) {
      if (known !== undefined) throw new Error(SHORTENED);
      this.#size = index * this.#chunkBytes + got;
    }
    this.#read = index;
  }

  #afterRead(error?: Error): void {
    this.#reading = undefined;
    if (this.#closed) return;
    this.#options.onRead(error);
    if (error === undefined) this.release(this.#base);
  }
}
