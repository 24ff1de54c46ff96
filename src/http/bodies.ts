import type { IncomingMessage, ServerResponse } from 'node:http';
import { busy, RETRY_SECONDS, Refused, tooMany } from './refused.ts';

/** Bytes of bodies that are in memory at once, and how long one may take to come besides the time for its length. */
export type BodyLimits = { readonly inAll: number; readonly each: number; readonly graceMs?: number };

/** A body that was read. Its bytes count until it is disposed of. */
export type ReadBody = Disposable & { readonly bytes: Buffer };

const GRACE_MS = 10_000;
/** The slowest that a body may come in all, in the time that its length gives it. */
const SLOWEST_BYTES_PER_MS = 64;

/**
 * Reads bodies of requests whose senders are known. The bytes of all of them together are bounded, as are those of each sender. One
 * that does not arrive in time is cut off.
 */
export class Bodies {
  readonly #limits: BodyLimits;
  readonly #ofEach = new Map<string, number>();
  #inAll = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** The bytes that count now. */
  get bytes(): number {
    return this.#inAll;
  }

  /**
   * Reads a body of at most `most` bytes. Rejects with REQUEST_INVALID (413 too long, 408 too slow, 400 cut off), TOO_MANY_REQUESTS
   * or SERVER_BUSY.
   */
  async read(request: IncomingMessage, response: ServerResponse, most: number, sender: string): Promise<ReadBody> {
    const length = this.#admit(request, most, sender);
    this.#change(sender, length);
    let taken = length;
    const giveBack = (): void => {
      this.#change(sender, -taken);
      taken = 0;
    };
    try {
      if (/100-continue/i.test(request.headers.expect ?? '')) response.writeContinue();
      const bytes = await collect(request, length, (this.#limits.graceMs ?? GRACE_MS) + length / SLOWEST_BYTES_PER_MS);
      return { bytes, [Symbol.dispose]: giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** The bytes that a body counts as: those that it announces, or for one in chunks the most that it may have. */
  #admit(request: IncomingMessage, most: number, sender: string): number {
    const length =
      request.headers['transfer-encoding'] === undefined ? Number(request.headers['content-length'] ?? 0) : most;
    if (length > most) throw tooLong(most);
    const { inAll, each } = this.#limits;
    if ((this.#ofEach.get(sender) ?? 0) + length > each)
      throw tooMany(`${sender} sends more than ${each} bytes at once`, RETRY_SECONDS);
    if (this.#inAll + length > inAll) throw busy('too many bodies of requests are being read');
    return length;
  }

  #change(sender: string, bytes: number): void {
    if (bytes === 0) return;
    this.#inAll += bytes;
    const own = (this.#ofEach.get(sender) ?? 0) + bytes;
    if (own === 0) this.#ofEach.delete(sender);
    else this.#ofEach.set(sender, own);
  }
}

/** What a body has taken at first; it grows, so that a length that is only announced costs nothing. */
const FIRST_BYTES = 16 * 1024;

function collect(request: IncomingMessage, most: number, patienceMs: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let bytes = Buffer.allocUnsafeSlow(Math.min(most, FIRST_BYTES));
  let length = 0;
  // Pieces are copied: thousands of small ones would take much more than their length.
  const onData = (piece: Buffer): void => {
    const next = length + piece.length;
    if (next > most) {
      reject(tooLong(most));
      return;
    }
    if (next > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(most, Math.max(next, 2 * bytes.length)));
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    piece.copy(bytes, length);
    length = next;
  };
  const onEnd = () => resolve(bytes.subarray(0, length));
  const onCut = () => reject(new Refused('REQUEST_INVALID', 'the body ends before its time', { status: 400 }));
  const timer = setTimeout(
    () => reject(new Refused('REQUEST_INVALID', 'the body does not arrive in time', { status: 408 })),
    patienceMs,
  );
  request.on('data', onData).once('end', onEnd).once('error', onCut).once('close', onCut);
  return promise.finally(() => {
    clearTimeout(timer);
    request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
    // An error that comes later, as the connection closes, concerns no one.
    request.on('error', () => {});
    if (!request.complete) request.pause();
  });
}

/** What is left of a short body, thrown away, so that closing the connection does not take the answer back on its way. */
export async function discard(request: IncomingMessage): Promise<void> {
  if (request.complete || request.readableEnded || !(Number(request.headers['content-length']) <= SHORT_BYTES)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, DISCARD_MS);
  request
    .on('error', () => {})
    .once('end', resolve)
    .once('close', resolve)
    .resume();
  await promise;
  clearTimeout(timer);
}

const SHORT_BYTES = 64 * 1024;
const DISCARD_MS = 1000;

function tooLong(most: number): Refused {
  return new Refused('REQUEST_INVALID', `the body is longer than ${most} bytes`, { status: 413 });
}
