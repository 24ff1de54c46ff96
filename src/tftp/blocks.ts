import type { Content } from './content.ts';

/** Bytes read ahead at a time. Two such chunks are held for each transfer, less for small files. */
export const CHUNK_BYTES = 256 * 1024;

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

type Chunk = { readonly buffer: Buffer; index: number };

/**
 * The blocks of one content, read ahead in large chunks so that most of them leave from memory. Two chunks take turns:
 * the one that the oldest unacknowledged block lies in, and the next. A window must fit into one chunk.
 */
export class Blocks {
  readonly lastBlock: number;
  readonly #content: Content;
  readonly #blockSize: number;
  readonly #blocksPerChunk: number;
  readonly #pool: ChunkPool;
  readonly #onRead: (error?: Error) => void;
  readonly #chunks: Chunk[] = [];
  /** Chunks 0 up to this one have been read. */
  #read = -1;
  #base = 1;
  #reading: Promise<void> | undefined;
  #closed = false;

  /** `onRead` is called after each read: blocks that were not there before may be now, or the content failed. */
  constructor(content: Content, blockSize: number, pool: ChunkPool, onRead: (error?: Error) => void) {
    this.#content = content;
    this.#blockSize = blockSize;
    this.#pool = pool;
    this.#onRead = onRead;
    this.lastBlock = Math.floor(content.size / blockSize) + 1;
    this.#blocksPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / blockSize));
    this.release(1);
  }

  /** Copies block `n` to `into` at `at` and returns its length; -1 while it is not in memory. */
  copy(n: number, into: Uint8Array, at: number): number {
    const start = (n - 1) * this.#blockSize;
    const length = Math.min(this.#blockSize, this.#content.size - start);
    if (length <= 0) return 0;
    const index = Math.floor((n - 1) / this.#blocksPerChunk);
    const chunk = this.#chunks[index & 1];
    if (chunk === undefined || chunk.index !== index || index > this.#read) return -1;
    const from = start - index * this.#blocksPerChunk * this.#blockSize;
    chunk.buffer.copy(into, at, from, from + length);
    return length;
  }

  /** No block below `base` will be asked for again: its room may be read into. */
  release(base: number): void {
    this.#base = base;
    const next = this.#read + 1;
    if (this.#reading !== undefined || this.#closed) return;
    if (next * this.#chunkBytes >= this.#content.size) return;
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
    for (const { buffer } of this.#chunks.splice(0)) this.#pool.give(buffer);
    await this.#content.close();
  }

  get #chunkBytes(): number {
    return this.#blocksPerChunk * this.#blockSize;
  }

  async #readChunk(index: number): Promise<void> {
    const length = Math.min(this.#chunkBytes, this.#content.size - index * this.#chunkBytes);
    let chunk = this.#chunks[index & 1];
    if (chunk === undefined) {
      chunk = { buffer: this.#pool.take(this.#content.size < CHUNK_BYTES ? length : CHUNK_BYTES), index };
      this.#chunks[index & 1] = chunk;
    }
    chunk.index = index;
    const got = await this.#content.fill(chunk.buffer.subarray(0, length));
    if (got < length) throw new Error('the file became shorter while it was being sent');
    this.#read = index;
  }

  #afterRead(error?: Error): void {
    this.#reading = undefined;
    if (this.#closed) return;
    this.#onRead(error);
    if (error === undefined) this.release(this.#base);
  }
}
