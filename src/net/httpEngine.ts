import type { BigIntStats } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { Ipv4 } from '../model/ipv4.ts';
import type { HttpNative, NativeHttpEngine } from './native.ts';

/** A request that the engine does not answer by itself. `target` as it stands in the request. */
export type EngineRequest = {
  readonly id: number;
  readonly ip: Ipv4;
  readonly method: 'GET' | 'HEAD';
  readonly target: string;
  readonly headers: { readonly range?: string; readonly 'if-range'?: string; readonly 'if-none-match'?: string };
};

/** How a transfer ended, by the numbers of `enum outcome` in native/http.h. Those that follow stand for a file that fails, by its error. */
const OUTCOMES = ['sent', 'left', 'stalled', 'edited', 'shorter', 'cut'] as const;
export type EngineOutcome = (typeof OUTCOMES)[number] | 'unreadable';
/** `code`: of the error of the file, where there was one. */
export type EngineEnd = {
  readonly outcome: EngineOutcome;
  readonly bytes: number;
  readonly ms: number;
  readonly code?: string;
};

/** What the engine tells of. None may throw. */
export type EngineListeners = {
  readonly asked: (request: EngineRequest) => void;
  /** A connection on which something else than a boot file is asked, with what came on it. Its descriptor is the listener's from now on. */
  readonly handedOver: (fd: number, bytes: Buffer) => void;
  /** What was kept as `token` was sent whole to a client. Beyond some hundred a tick these are only counted. */
  readonly hit: (token: number, ip: Ipv4, bytes: number, ms: number) => void;
};

export type EngineOptions = {
  readonly connections: number;
  readonly connectionsPerClient: number;
  readonly headMs: number;
  readonly idleMs: number;
  readonly stallMs: number;
  /** Whole answers to who finds no place, who takes too long for a head, and whose head is too long. */
  readonly refusals: { readonly crowded: string; readonly timedOut: string; readonly tooLarge: string };
};

/** Bytes of an open file. `edited`: the state that it must still have at the end; absent for a file that never changes. */
export type EngineFile = {
  readonly fd: number;
  readonly first: number;
  readonly length: number;
  readonly edited?: BigIntStats;
};

/** A whole answer, which holds as long as the file at `path` is in `state`. */
export type EngineKept = {
  readonly target: string;
  readonly head: string;
  readonly body: Uint8Array;
  readonly path: string;
  readonly state: BigIntStats;
  readonly token: number;
};

const ASKED = 1;
const HANDED = 2;
const END = 3;
const ABSENT = 0xffffffff;
const SECOND_NS = 1_000_000_000n;

/**
 * Answers HTTP requests below `/boot/` in the loop of the thread that makes it, in C (native/http.c). Heads are the status line and the fields that an
 * answer has by itself, each line with its end, without the empty line: the engine adds `Date` and `Connection`.
 */
export class HttpEngine {
  readonly #native: HttpNative;
  readonly #listeners: EngineListeners;
  readonly #engine: NativeHttpEngine;
  readonly #ends = new Map<number, (end: EngineEnd) => void>();

  constructor(native: HttpNative, options: EngineOptions, listeners: EngineListeners) {
    this.#native = native;
    this.#listeners = listeners;
    const { crowded, timedOut, tooLarge } = options.refusals;
    this.#engine = native.httpOpen(
      options.connections,
      options.connectionsPerClient,
      options.headMs,
      options.idleMs,
      options.stallMs,
      Buffer.from(crowded),
      Buffer.from(timedOut),
      Buffer.from(tooLarge),
      (records) => this.#take(records),
    );
  }

  /** Listens at an address of this machine; port 0 takes a free one. Gives the port. Throws with the code of the system. */
  listen(ip: Ipv4, port: number, sharesPort = false): number {
    return this.#native.httpListen(this.#engine, ip, port, sharesPort);
  }

  /** Answers a request from memory. Resolves when the answer is out, or the connection gone. */
  answer(id: number, head: string, body: Uint8Array | undefined): Promise<EngineEnd> {
    return this.#begin(id, () => this.#native.httpAnswer(this.#engine, id, Buffer.from(head, 'latin1'), body, false));
  }

  /** The same with bytes of a file, at least one; it must stay open until then. */
  send(id: number, head: string, { fd, first, length, edited }: EngineFile): Promise<EngineEnd> {
    const state = edited && BigInt64Array.of(edited.size, edited.mtimeNs / SECOND_NS, edited.mtimeNs % SECOND_NS);
    return this.#begin(id, () =>
      this.#native.httpSend(this.#engine, id, Buffer.from(head, 'latin1'), fd, first, length, state),
    );
  }

  /** Breaks a transfer off. */
  cut(id: number): void {
    this.#native.httpCut(this.#engine, id);
  }

  /** The bytes of the body that are out; -1 for a transfer that is over. */
  progress(id: number): number {
    return this.#native.httpProgress(this.#engine, id);
  }

  keep({ target, head, body, path, state, token }: EngineKept): void {
    const { dev, ino, size, mtimeNs, ctimeNs } = state;
    this.#native.httpKeep(
      this.#engine,
      Buffer.from(target, 'latin1'),
      Buffer.from(head, 'latin1'),
      body,
      Buffer.from(`${path}\0`),
      BigInt64Array.of(
        BigInt.asIntN(64, dev),
        BigInt.asIntN(64, ino),
        size,
        mtimeNs / SECOND_NS,
        mtimeNs % SECOND_NS,
        ctimeNs / SECOND_NS,
        ctimeNs % SECOND_NS,
      ),
      token,
    );
  }

  /** Forgets all that was kept. */
  forget(): void {
    this.#native.httpForget(this.#engine);
  }

  /** `files` and `fileBytes`: answers of what was kept. */
  gauges() {
    const [connections, refused, requests, files, fileBytes, unreported] = this.#native.httpGauges(this.#engine);
    return { connections, refused, requests, files, fileBytes, unreported };
  }

  /** Closes all sockets; transfers that run are cut off. */
  close(): void {
    this.#native.httpClose(this.#engine);
  }

  #begin(id: number, begin: () => boolean): Promise<EngineEnd> {
    const { promise, resolve } = Promise.withResolvers<EngineEnd>();
    this.#ends.set(id, resolve);
    if (!begin()) {
      this.#ends.delete(id);
      resolve({ outcome: 'left', bytes: 0, ms: 0 });
    }
    return promise;
  }

  /** Each record: a type and the length of what follows, in 32 bits each; then that, filled up to a multiple of 8. */
  #take(records: Buffer): void {
    for (let at = 0; at + 8 <= records.length; ) {
      const type = records.readUInt32LE(at);
      const length = records.readUInt32LE(at + 4);
      const fields = records.subarray(at + 8, at + 8 + length);
      at += (8 + length + 7) & ~7;
      if (type === ASKED) this.#listeners.asked(requestOf(fields));
      else if (type === HANDED) this.#listeners.handedOver(fields.readInt32LE(0), fields.subarray(8));
      else if (type === END) this.#ended(fields);
      else {
        const ip = fields.readUInt32LE(4) as Ipv4;
        this.#listeners.hit(fields.readUInt32LE(0), ip, fields.readUInt32LE(8), fields.readUInt32LE(12));
      }
    }
  }

  #ended(fields: Buffer): void {
    const id = fields.readDoubleLE(0);
    const resolve = this.#ends.get(id);
    this.#ends.delete(id);
    const number = fields.readDoubleLE(8);
    const end = { bytes: fields.readDoubleLE(16), ms: fields.readDoubleLE(24) };
    const outcome = OUTCOMES[number];
    if (outcome) resolve?.({ outcome, ...end });
    else resolve?.({ outcome: 'unreadable', code: getSystemErrorName(OUTCOMES.length - number), ...end });
  }
}

function requestOf(fields: Buffer): EngineRequest {
  let at = 32;
  const text = (place: number): string | undefined => {
    const length = fields.readUInt32LE(place);
    if (length === ABSENT) return undefined;
    at += length;
    return fields.toString('latin1', at - length, at);
  };
  const target = text(16) ?? '';
  const range = text(20);
  const ifRange = text(24);
  const ifNoneMatch = text(28);
  return {
    id: fields.readDoubleLE(0),
    ip: fields.readUInt32LE(8) as Ipv4,
    method: fields.readUInt32LE(12) === 1 ? 'HEAD' : 'GET',
    target,
    headers: {
      ...(range === undefined ? {} : { range }),
      ...(ifRange === undefined ? {} : { 'if-range': ifRange }),
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    },
  };
}
