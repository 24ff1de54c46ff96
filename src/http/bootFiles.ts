import { cleanName } from '../boot/confine.ts';
import type { BootFile, FileSource } from '../boot/source.ts';
import type { ReveilleError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { plainLine } from '../plainText.ts';
import { type Download, Downloads } from './downloads.ts';
import { type Body, openBody } from './fileBody.ts';
import { type FileAsked, type FileHead, headFor } from './fileHead.ts';
import { FileReport } from './fileReport.ts';
import type { Sent } from './sendBytes.ts';
import { Slots } from './slots.ts';
import { createSmallFiles, SMALL_BYTES } from './smallFiles.ts';

export type BootFilesFrom = {
  /** The boot files by what follows `/boot/`. Asked anew at every request. */
  readonly bootFiles: FileSource;
  readonly emit: EventSink;
  /** Transfers of large files at once. Small files, scripts and the nodes' API do not wait for them. */
  readonly maxDownloads: number;
  readonly maxDownloadsPerClient: number;
};

/** A request for a boot file, and how it is answered. */
export type FileExchange = FileAsked & {
  readonly ip: Ipv4;
  /** What follows `/boot/` in its path, decoded. */
  readonly asked: string;
  refuse(error: ReveilleError): void;
  /** Sends the head, and the bytes of `body` that it names. Rejects only before anything is sent. */
  send(head: FileHead, body: Body, about: SendAbout): Promise<Sent>;
  /** Ends the transfer that runs. */
  cut(reason: string): void;
};

/** What a transfer goes by. `name`: the file's, fit for an event; `sent`: takes in that bytes went out. */
export type SendAbout = {
  readonly name: string;
  readonly file: BootFile;
  /** Transfers of large files that run now, this one included. */
  readonly running: number;
  readonly sent: (bytes: number) => void;
};

/** Requests at once whose file is being looked for or sent from memory: each takes a moment. */
const MOST_REQUESTS = 1024;
const MOST_REQUESTS_PER_CLIENT = 128;

/** Of a name that is none. */
const LONGEST_SHOWN = 200;

/**
 * `downloads`: transfers of large files that run now. `filesSent` and `fileBytesSent` count whole answers since the start, `filesUnreported` those of
 * which there is no event.
 */
export type BootGauges = {
  readonly downloads: number;
  readonly filesSent: number;
  readonly fileBytesSent: number;
  readonly filesUnreported: number;
};

/** Answers requests for boot files, within bounds for each client and for all. */
export class BootFiles {
  readonly #from: BootFilesFrom;
  readonly #smallFiles = createSmallFiles();
  readonly #requests = new Slots<Ipv4>(MOST_REQUESTS, MOST_REQUESTS_PER_CLIENT);
  readonly #downloads: Downloads<Ipv4>;
  #filesSent = 0;
  #fileBytesSent = 0;

  constructor(from: BootFilesFrom) {
    this.#from = from;
    this.#downloads = new Downloads({ most: from.maxDownloads, mostPerClient: from.maxDownloadsPerClient });
  }

  gauges(): BootGauges {
    return {
      downloads: this.#downloads.size,
      filesSent: this.#filesSent,
      fileBytesSent: this.#fileBytesSent,
      filesUnreported: 0,
    };
  }

  /**
   * The whole way of a request: its place, the file, what of it is asked for, a place for a large transfer, the transfer. A file is
   * opened once, so that renaming another over it never mixes the two. Rejects with what no code expected, and with refusals that are not sent.
   */
  async answer(exchange: FileExchange): Promise<void> {
    const { emit, bootFiles } = this.#from;
    const { ip, asked } = exchange;
    const name = cleanName(asked);
    const shown = name ?? plainLine(asked, '?').slice(0, LONGEST_SHOWN);
    const report = new FileReport(emit, shown, ip);

    const giveBack = this.#requests.take(ip);
    if (!giveBack) return exchange.refuse(report.crowded());
    try {
      const file = name === undefined ? undefined : await bootFiles(name, ip);
      if (file) report.found(file);
      await using body = file && (await openBody(file, this.#smallFiles));
      if (!body) return exchange.refuse(report.missing());

      giveBack();
      const head = headFor(exchange, shown, body);
      const isLarge = body.kind === 'disk' && (head.sends?.length ?? 0) > SMALL_BYTES;
      const download = isLarge ? this.#downloads.begin(ip, (reason) => exchange.cut(reason)) : NO_DOWNLOAD;
      if (!download) return exchange.refuse(report.crowded());

      const about = { name: shown, file, running: this.#downloads.size, sent: download.sent };
      const result = await exchange.send(head, body, about).finally(() => download.end());
      if (!head.sends) return;
      this.#count(result);
      report.ended(result);
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
}

/** What is sent from memory takes no place of a download. */
const NO_DOWNLOAD: Download = { sent: () => {}, end: () => {} };
