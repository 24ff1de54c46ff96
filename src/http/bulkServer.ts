import { STATUS_CODES } from 'node:http';
import type { BootFile } from '../boot/source.ts';
import { ReveilleError } from '../errors.ts';
import type { FaultSink } from '../faults.ts';
import { factsOf } from '../model/bootFile.ts';
import type { Gauges } from '../model/gauges.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { type EngineEnd, type EngineRequest, HttpEngine } from '../net/httpEngine.ts';
import type { HttpNative } from '../net/native.ts';
import { refusalOf, serverFailed } from './answer.ts';
import { HEADERS_MS, KEEP_ALIVE_MS, unreadable } from './app.ts';
import { BootFiles, type BootFilesFrom, type FileExchange, type SendAbout } from './bootFiles.ts';
import { REFUSAL } from './connections.ts';
import { type Body, EDITED } from './fileBody.ts';
import type { FileHead } from './fileHead.ts';
import type { HttpFront } from './front.ts';
import type { HttpLimits } from './limits.ts';
import { shortage } from './refused.ts';
import { CLIENT_LEFT, type Sent, SHORTER, stalled } from './sendBytes.ts';

export type BulkServerFrom = Pick<BootFilesFrom, 'bootFiles' | 'emit'> & {
  readonly native: HttpNative;
  readonly limits: HttpLimits;
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number;
  readonly faulted: FaultSink;
  /** Takes a connection on which anything but a boot file is asked, with what came on it; the descriptor is its own from then on. */
  readonly handedOver: (fd: number, bytes: Buffer) => void;
};

/** How often the engine is asked what transfers have sent, which decides who keeps a place. */
const LOOK_MS = 1000;
/** Files that the engine may answer by itself; then it forgets them all and learns anew. */
const MOST_KEPT = 2048;
const BOOT = '/boot/';

type Kept = { readonly name: string; readonly file: BootFile };
type Running = { bytes: number; readonly sent: (bytes: number) => void };

/**
 * Serves `/boot/*` by the engine in C, in the thread that makes it: requests for small files that were asked for before are answered there, others
 * by `BootFiles`, and the engine sends what it decides on.
 */
export class BulkServer {
  readonly #from: BulkServerFrom;
  readonly #engine: HttpEngine;
  readonly #files: BootFiles;
  /** What the engine may answer by itself now, and what it could before it forgot: it may still tell of that. */
  #kept = new Map<number, Kept>();
  #keptBefore: ReadonlyMap<number, Kept> = new Map();
  #tokens = 0;
  readonly #running = new Map<number, Running>();
  readonly #looking: NodeJS.Timeout;

  constructor(from: BulkServerFrom) {
    this.#from = from;
    const { native, limits, stallMs, bootFiles, emit, handedOver } = from;
    const {
      connections,
      connectionsPerClient,
      downloads: maxDownloads,
      downloadsPerClient: maxDownloadsPerClient,
    } = limits;
    this.#files = new BootFiles({ bootFiles, emit, maxDownloads, maxDownloadsPerClient });
    this.#engine = new HttpEngine(
      native,
      {
        connections,
        connectionsPerClient,
        headMs: HEADERS_MS,
        idleMs: KEEP_ALIVE_MS,
        stallMs,
        refusals: {
          crowded: REFUSAL,
          timedOut: unreadable('408 Request Timeout'),
          tooLarge: unreadable('431 Request Header Fields Too Large'),
        },
      },
      {
        asked: (request) => void this.#answer(request),
        handedOver,
        hit: (token, ip, bytes, ms) => this.#hit(token, ip, bytes, ms),
      },
    );
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Listens at an address of this machine, or all. Gives the port. Throws with the code of the system. */
  listen(port: number, ip: Ipv4 = UNSPECIFIED, sharesPort = false): number {
    return this.#engine.listen(ip, port, sharesPort);
  }

  /** What decides on boot files is another from now on. */
  forget(): void {
    this.#engine.forget();
    this.#keptBefore = this.#kept;
    this.#kept = new Map();
  }

  gauges(): Gauges {
    const { connections, refused, requests, files, fileBytes, unreported } = this.#engine.gauges();
    const { downloads, filesSent, fileBytesSent } = this.#files.gauges();
    return {
      connections,
      refusedConnections: refused,
      requests,
      downloads,
      filesSent: filesSent + files,
      fileBytesSent: fileBytesSent + fileBytes,
      filesUnreported: unreported,
    };
  }

  close(): void {
    clearInterval(this.#looking);
    this.#engine.close();
  }

  async #answer(request: EngineRequest): Promise<void> {
    try {
      await this.#files.answer(this.#exchange(request));
    } catch (error) {
      const ours = error instanceof ReveilleError ? error : shortage(error);
      if (!ours) this.#from.faulted(error);
      this.#refuse(request, ours ?? serverFailed());
    }
  }

  #exchange(request: EngineRequest): FileExchange {
    const { id, ip, target, method, headers } = request;
    let cutBy: string | undefined;
    return {
      ip,
      method,
      headers,
      asked: nameIn(target),
      refuse: (error) => this.#refuse(request, error),
      cut: (reason) => {
        cutBy = reason;
        this.#engine.cut(id);
      },
      send: async (head, body, about) => {
        const end = await this.#send(request, head, body, about);
        return sentOf(end, this.#from.stallMs, cutBy);
      },
    };
  }

  async #send(
    { id, target, headers }: EngineRequest,
    head: FileHead,
    body: Body,
    about: SendAbout,
  ): Promise<EngineEnd> {
    const text = headText(head.status, head.headers);
    const { sends } = head;
    if (!sends || sends.length === 0) return this.#engine.answer(id, text, undefined);
    const { first, last, length } = sends;
    if (body.kind === 'memory') {
      if (head.status === 200 && Object.keys(headers).length === 0) this.#keep(target, text, body, about);
      return this.#engine.answer(id, text, body.bytes.subarray(first, last + 1));
    }
    const { handle, isFixed, state } = body;
    const running: Running = { bytes: 0, sent: about.sent };
    this.#running.set(id, running);
    try {
      const edited = isFixed ? {} : { edited: state };
      return await this.#engine.send(id, text, { fd: handle.fd, first, length, ...edited });
    } finally {
      if (this.#running.get(id) === running) this.#running.delete(id);
    }
  }

  /** Has the engine answer the next plain request for this file by itself, as long as the file is as it was seen for this one. */
  #keep(target: string, head: string, body: Extract<Body, { kind: 'memory' }>, { name, file }: SendAbout): void {
    if (!body.of) return;
    if (this.#kept.size >= MOST_KEPT) this.forget();
    const token = this.#tokens++;
    this.#kept.set(token, { name, file });
    this.#engine.keep({ target, head, body: body.bytes, ...body.of, token });
  }

  #hit(token: number, ip: Ipv4, bytes: number, ms: number): void {
    const kept = this.#kept.get(token) ?? this.#keptBefore.get(token);
    if (kept) this.#from.emit({ kind: 'http.sent', file: kept.name, ip, ...factsOf(kept.file), bytes, ms });
  }

  #refuse({ id, method }: EngineRequest, error: ReveilleError): void {
    const { status, headers, refusal } = refusalOf(error);
    const body = Buffer.from(JSON.stringify(refusal));
    const text = headText(status, { ...headers, 'content-length': body.length });
    void this.#engine.answer(id, text, method === 'HEAD' ? undefined : body);
  }

  #look(): void {
    for (const [id, running] of this.#running) {
      const bytes = this.#engine.progress(id);
      if (bytes > running.bytes) running.sent(bytes - running.bytes);
      running.bytes = Math.max(bytes, running.bytes);
    }
  }
}

/** A front that runs in the thread of the server behind it. */
export function frontOf(bulk: BulkServer): HttpFront {
  return {
    listen: async ({ port, ip }) => bulk.listen(port, ip),
    reload: () => bulk.forget(),
    gauges: () => bulk.gauges(),
    close: async () => bulk.close(),
  };
}

function headText(status: number, headers: Readonly<Record<string, string | number>>): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields.join('')}`;
}

/** What follows `/boot/` in a target, decoded; as it stands where it cannot be decoded: nothing has such a name. */
function nameIn(target: string): string {
  const query = target.indexOf('?');
  const name = target.slice(BOOT.length, query < 0 ? undefined : query);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function sentOf({ outcome, bytes, ms, code }: EngineEnd, stallMs: number, cutBy: string | undefined): Sent {
  switch (outcome) {
    case 'sent':
      return { kind: 'sent', bytes, ms };
    case 'stalled':
      return { kind: 'failed', bytes, reason: stalled(stallMs) };
    case 'edited':
      return { kind: 'failed', bytes, reason: EDITED };
    case 'shorter':
      return { kind: 'failed', bytes, reason: SHORTER };
    case 'unreadable':
      return { kind: 'failed', bytes, reason: `the file could not be read (${code})` };
    case 'cut':
    case 'left':
      return { kind: 'failed', bytes, reason: cutBy ?? CLIENT_LEFT };
  }
}
