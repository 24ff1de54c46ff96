import type { Content } from './content.ts';

/** Bytes read ahead at a time. Two such chunks are held for each transfer, less for small files. */
export const CHUNK_BYTES = 256 * 1024;

/** Why a transfer ends whose file has fewer bytes than it had at the beginning. */
export const SHORTENED = 'the file became shorter while it was being sent';

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

type Chunk = { readonly buffer: Buffer; index: number };

/**
 * The blocks of one content. After `readAhead` they are read in large chunks so that most of them leave from memory. Two
 * chunks take turns: the one that the oldest unacknowledged block lies in, and the next. A window must fit into one chunk.
 */
export class Blocks {
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
    const firstIsAll = first !== undefined && first.length < blockSize;
    this.#size = content.size ?? (firstIsAll ? first.length : undefined);
    this.#blocksPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / blockSize));
  }

  /** The block that ends the content; Infinity while it is known only at the end of reading. */
  get lastBlock(): number {
    return this.#size === undefined ? Number.POSITIVE_INFINITY : Math.floor(this.#size / this.#options.blockSize) + 1;
  }

  /** The bytes of all blocks below `block`, as far as they are known. */
  bytesBefore(block: number): number {
    return Math.min((block - 1) * this.#options.blockSize, this.#size ?? Number.POSITIVE_INFINITY);
  }

  /** Copies block `n` to `into` at `at` and returns its length; -1 while it is not in memory. */
  copy(n: number, into: Uint8Array, at: number): number {
    const { blockSize, first } = this.#options;
    if (n === 1 && first !== undefined) {
      into.set(first, at);
      return first.length;
    }
    const start = (n - 1) * blockSize;
    const length = this.#size === undefined ? blockSize : Math.min(blockSize, this.#size - start);
    if (length <= 0) return 0;
    const index = Math.floor((n - 1) / this.#blocksPerChunk);
    const chunk = this.#chunks[index & 1];
    if (chunk === undefined || chunk.index !== index || index > this.#read) return -1;
    const from = start - index * this.#chunkBytes;
    chunk.buffer.copy(into, at, from, from + length);
    return length;
  }

  /** From now on blocks are read before they are needed. */
  readAhead(): void {
    this.#ahead = true;
    this.release(this.#base);
  }

  /** No block below `base` will be asked for again: its room may be read into. */
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
