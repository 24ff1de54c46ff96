import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import { StormFailure } from './steps.ts';

/** What an answer was: its status, its headers in lower case, and its body where it was kept. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly bytes: number;
};

export type HttpAsk = {
  readonly url: URL;
  /** The address of the node that asks. */
  readonly own: Ipv4;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST. */
  readonly post?: string;
  /** Whether the body is kept; else it is counted and dropped. */
  readonly keep?: boolean;
  /** Called when the server has asked to wait, or could not be reached, before it is asked again. */
  readonly onWait?: () => void;
};

const LONGEST_HEAD = 16 * 1024;
const LONGEST_LINE = 4096;
const LONGEST_KEPT = 64 * 1024 * 1024;
/** A server that says 429 or 503 without Retry-After, or does not take the connection, is asked again after so long. */
const PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 300;
const RETRIES = 30;

/** All bodies that are dropped are read into this; what is in it is no matter. */
const DROPPED = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * One request over a connection of its own, as the agent makes them. Where the server asks to be left alone for a while it is asked again then. Throws
 * StormFailure, or what `signal` is aborted with.
 */
export async function askHttp(asked: HttpAsk): Promise<HttpAnswer> {
  for (let tries = 1; ; tries++) {
    const answer = await once(asked).catch((error: unknown) => {
      if (!(error instanceof StormFailure) || error.code !== 'connection' || tries > RETRIES) throw error;
      return undefined;
    });
    const busy = answer?.status === 429 || answer?.status === 503;
    if (answer && !busy) {
      if (answer.status >= 200 && answer.status < 300) return answer;
      throw new StormFailure(`http-${answer.status}`, `HTTP ${answer.status}: ${asked.url.pathname}`);
    }
    if (tries > RETRIES) throw new StormFailure(`http-${answer?.status ?? 0}`, `${asked.url.pathname} stayed refused`);
    asked.onWait?.();
    const seconds = Number(answer?.headers.get('retry-after') ?? PAUSE_SECONDS);
    const wait = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_PAUSE_SECONDS) : PAUSE_SECONDS;
    await delay(wait * 1000, undefined, { signal: asked.signal }).catch(() => asked.signal.throwIfAborted());
  }
}

function once({ url, own, signal, headers = {}, post, keep = false }: HttpAsk): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const reader = new AnswerReader(keep);
  const take = (length: number, buffer: Uint8Array): boolean => {
    try {
      if (reader.take(Buffer.from(buffer.buffer, buffer.byteOffset, length))) finish(() => resolve(reader.answer()));
    } catch (error) {
      finish(() => reject(error));
    }
    return true;
  };
  const socket = connect({
    host: url.hostname,
    port: Number(url.port || 80),
    localAddress: formatIpv4(own),
    // One buffer for all connections: it is read in the same turn.
    onread: { buffer: DROPPED, callback: take },
  });
  const aborted = () => finish(() => reject(signal.reason));
  const finish = (settle: () => void): void => {
    signal.removeEventListener('abort', aborted);
    settle();
    socket.destroy();
  };
  signal.addEventListener('abort', aborted, { once: true });
  socket.on('error', (error) => finish(() => reject(new StormFailure('connection', error.message))));
  socket.on('end', () =>
    finish(() =>
      reader.ended() ? resolve(reader.answer()) : reject(new StormFailure('incomplete', `${url.pathname} was cut off`)),
    ),
  );
  socket.on('close', () => finish(() => reject(new StormFailure('connection', 'the connection was closed'))));
  if (signal.aborted) aborted();
  else socket.write(requestText(url, headers, post));
  return promise;
}

function requestText(url: URL, headers: Readonly<Record<string, string>>, post: string | undefined): string {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const body = post === undefined ? '' : `Content-Length: ${Buffer.byteLength(post)}\r\n`;
  return `${post === undefined ? 'GET' : 'POST'} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n${more.join('')}${body}\r\n${post ?? ''}`;
}

/** Reads one answer (RFC 9112) as it comes in pieces. */
export class AnswerReader {
  readonly #keep: boolean;
  readonly #kept: Buffer[] = [];
  readonly #headers = new Map<string, string>();
  #head = Buffer.alloc(0);
  #status = 0;
  #bytes = 0;
  #length: number | undefined;
  #isChunked = false;
  #chunkLeft = 0;
  #isLastChunk = false;
  /** The beginning of a line between chunks. */
  #line = '';

  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /** Takes a piece, of which nothing is kept by reference. True once the answer is whole. Throws StormFailure where it is none that is understood. */
  take(piece: Buffer): boolean {
    if (this.#status !== 0) return this.#isChunked ? this.#takeChunks(piece) : this.#takeBody(piece);
    this.#head = Buffer.concat([this.#head, piece]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0 && this.#head.length <= LONGEST_HEAD) return false;
    if (end < 0) throw new StormFailure('incomplete', 'the head of the answer is too long');
    this.#readHead(this.#head.toString('latin1', 0, end));
    const rest = this.#head.subarray(end + 4);
    return this.#isChunked ? this.#takeChunks(rest) : this.#takeBody(rest);
  }

  /** Whether the answer is whole now that the connection has ended: one without a length ends with it. */
  ended(): boolean {
    if (this.#status === 0 || this.#isChunked) return false;
    return this.#length === undefined || this.#bytes === this.#length;
  }

  answer(): HttpAnswer {
    return { status: this.#status, headers: this.#headers, body: Buffer.concat(this.#kept), bytes: this.#bytes };
  }

  #takeBody(piece: Buffer): boolean {
    this.#bytes += piece.length;
    if (this.#length !== undefined && this.#bytes > this.#length)
      throw new StormFailure('incomplete', 'more came than was announced');
    if (this.#keep && piece.length > 0) {
      if (this.#bytes > LONGEST_KEPT) throw new StormFailure('incomplete', 'the answer is too long to be kept');
      this.#kept.push(Buffer.from(piece));
    }
    return this.#bytes === this.#length;
  }

  /** Chunks (RFC 9112 section 7.1): each with its length in hexadecimal before it; one of no bytes and the trailers end them. */
  #takeChunks(piece: Buffer): boolean {
    for (let at = 0; at < piece.length; ) {
      if (this.#chunkLeft > 0) {
        const part = piece.subarray(at, at + this.#chunkLeft);
        this.#takeBody(part);
        at += part.length;
        this.#chunkLeft -= part.length;
        continue;
      }
      const end = piece.indexOf('\n', at);
      this.#line += piece.toString('latin1', at, end < 0 ? piece.length : end);
      if (this.#line.length > LONGEST_LINE) throw new StormFailure('incomplete', 'a chunk without a length');
      if (end < 0) return false;
      at = end + 1;
      const line = this.#line.trim();
      this.#line = '';
      if (this.#isLastChunk) {
        if (line === '') return true;
      } else if (line !== '') {
        const [, length] = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line) ?? [];
        if (length === undefined) throw new StormFailure('incomplete', 'a chunk without a length');
        this.#chunkLeft = Number.parseInt(length, 16);
        this.#isLastChunk = this.#chunkLeft === 0;
      }
    }
    return false;
  }

  #readHead(text: string): void {
    const [first = '', ...lines] = text.split('\r\n');
    this.#status = Number(/^HTTP\/1\.[01] ([1-5][0-9]{2})/.exec(first)?.[1] ?? 0);
    if (this.#status === 0) throw new StormFailure('incomplete', 'this is no answer of HTTP/1.1');
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon > 0) this.#headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#isChunked = this.#headers.get('transfer-encoding')?.toLowerCase() === 'chunked';
    if (this.#isChunked) return;
    const length = this.#headers.get('content-length');
    if (length !== undefined) this.#length = Number(length);
    else if (this.#status === 204 || this.#status === 304) this.#length = 0;
  }
}
