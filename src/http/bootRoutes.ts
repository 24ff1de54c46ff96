import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { cleanName } from '../boot/confine.ts';
import type { FileSource } from '../boot/source.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { plainLine } from '../plainText.ts';
import { refuse } from './answer.ts';
import { type Download, Downloads } from './downloads.ts';
import { openBody } from './fileBody.ts';
import { headFor } from './fileHead.ts';
import { FileReport } from './fileReport.ts';
import { peerOf } from './peer.ts';
import { type Sent, sendBytes } from './sendBytes.ts';
import { Slots } from './slots.ts';
import { createSmallFiles, SMALL_BYTES } from './smallFiles.ts';

export type BootRoutesFrom = {
  /** The boot files by what follows `/boot/`. Asked anew at every request. */
  readonly bootFiles: FileSource;
  readonly emit: EventSink;
  /** A transfer that moves no byte for so long is given up. */
  readonly stallMs: number;
  /** Transfers of large files at once. Small files, scripts and the nodes' API do not wait for them. */
  readonly maxDownloads: number;
  readonly maxDownloadsPerClient: number;
};

/** Requests at once whose file is being looked for or sent from memory: each takes a moment. */
const MOST_REQUESTS = 1024;
const MOST_REQUESTS_PER_CLIENT = 128;

/**
 * Two pieces are held for each download. Those that fit in the processor's cache are fastest; smaller ones keep a thousand
 * downloads from filling the memory.
 */
const LARGE_PIECE = 256 * 1024;
const SMALL_PIECE = 64 * 1024;
const FEW_DOWNLOADS = 32;

/** Of a name that is none. */
const LONGEST_SHOWN = 200;

type BootRequest = FastifyRequest<{ Params: { '*': string } }>;

/** `downloads`: transfers of large files that run now. `filesSent` and `fileBytesSent` count whole answers since the start. */
export type BootGauges = { readonly downloads: number; readonly filesSent: number; readonly fileBytesSent: number };

/** `/boot/*` by GET and HEAD: what `bootFiles` has under that name. */
export function addBootRoutes(app: FastifyInstance, from: BootRoutesFrom): { gauges(): BootGauges } {
  const files = new BootFileServer(from);
  app.route<{ Params: { '*': string } }>({
    method: ['GET', 'HEAD'],
    url: '/boot/*',
    handler: (request, reply) => files.answer(request, reply),
  });
  return files;
}

/** Answers requests for boot files, within bounds for each client and for all. */
class BootFileServer {
  readonly #from: BootRoutesFrom;
  readonly #smallFiles = createSmallFiles();
  readonly #requests = new Slots<Ipv4>(MOST_REQUESTS, MOST_REQUESTS_PER_CLIENT);
  readonly #downloads: Downloads<Ipv4>;
  #filesSent = 0;
  #fileBytesSent = 0;

  constructor(from: BootRoutesFrom) {
    this.#from = from;
    this.#downloads = new Downloads({ most: from.maxDownloads, mostPerClient: from.maxDownloadsPerClient });
  }

  gauges(): BootGauges {
    return { downloads: this.#downloads.size, filesSent: this.#filesSent, fileBytesSent: this.#fileBytesSent };
  }

  /**
   * The whole way of a request: its place, the file, what of it is asked for, a place for a large transfer, the transfer. A file is
   * opened once, so that renaming another over it never mixes the two.
   */
  async answer(request: BootRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { emit, bootFiles, stallMs } = this.#from;
    const ip = peerOf(request);
    const asked = request.params['*'];
    const name = cleanName(asked);
    const file = name ?? plainLine(asked, '?').slice(0, LONGEST_SHOWN);
    const report = new FileReport(emit, file, ip);

    const giveBack = this.#requests.take(ip);
    if (!giveBack) return refuse(reply, report.crowded());
    try {
      const found = name === undefined ? undefined : await bootFiles(name, ip);
      if (found) report.found(found);
      await using body = found && (await openBody(found, this.#smallFiles));
      if (!body) return refuse(reply, report.missing());

      giveBack();
      const { status, headers, sends } = headFor(request.raw, file, body);
      const isLarge = body.isOnDisk && (sends?.length ?? 0) > SMALL_BYTES;
      const download = isLarge ? this.#begin(ip, reply) : NO_DOWNLOAD;
      if (!download) return refuse(reply, report.crowded());

      const { raw } = reply;
      raw.writeHead(status, headers);
      if (!sends) raw.end();
      else {
        const result = await sendBytes(raw, body, sends, { ...download, stallMs }).finally(() => download.end());
        this.#count(result);
        report.ended(result);
      }
      return reply.hijack();
    } catch (error) {
      throw report.failed(error);
    } finally {
      giveBack();
    }
  }

  #count({ kind, bytes }: Sent): void {
    if (kind !== 'sent') return;
    this.#filesSent++;
    this.#fileBytesSent += bytes;
  }

  /** A place for a large transfer; `undefined` where there is none now. */
  #begin(ip: Ipv4, reply: FastifyReply): (Download & { readonly pieceBytes: number }) | undefined {
    const download = this.#downloads.begin(ip, (reason) => reply.raw.destroy(new Error(reason)));
    return download && { ...download, pieceBytes: this.#downloads.size <= FEW_DOWNLOADS ? LARGE_PIECE : SMALL_PIECE };
  }
}

/** What is sent from memory takes no place of a download. */
const NO_DOWNLOAD = { pieceBytes: SMALL_BYTES, sent: () => {}, end: () => {} };
