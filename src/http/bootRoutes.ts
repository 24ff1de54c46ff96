import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { cleanName } from '../boot/confine.ts';
import { type ImageFileName, imageFileName, ROLE_IN_IMAGE } from '../boot/image.ts';
import type { FileSource } from '../boot/source.ts';
import { ReveilleError } from '../errors.ts';
import { type FileFacts, factsOf } from '../model/bootFile.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { plainLine } from '../plainText.ts';
import { refuse } from './answer.ts';
import { Downloads } from './downloads.ts';
import { peerOf } from './peer.ts';
import { busy, shortage } from './refused.ts';
import { type Outcome, type Sendable, send } from './sendFile.ts';
import { Slots } from './slots.ts';
import { createSmallFiles } from './smallFiles.ts';

export type ImageFile = { readonly path: string; readonly sha256: string };

/** What boot files are made from. Each is asked anew at every request. */
export type BootRoutesFrom = {
  /** The iPXE script for a machine; `undefined` for one that is not told to boot. */
  readonly ipxeScript: (mac: Mac, from: Ipv4) => Promise<string | undefined> | string | undefined;
  /** A file of the image of this SHA-256, with the file's own SHA-256. */
  readonly imageFile: (sha256: string, which: ImageFileName) => Promise<ImageFile | undefined>;
  /** The operator's own files. */
  readonly files: FileSource;
  readonly emit: EventSink;
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

type Found = Sendable & FileFacts & { readonly mac?: Mac };

type About = { readonly file: string; readonly ip: Ipv4; readonly mac?: Mac };

/** `/boot/ipxe/:mac`, `/boot/images/:sha256/(vmlinuz|initrd|root.squashfs)` and `/boot/files/*`, each by GET and HEAD. */
export function addBootRoutes(app: FastifyInstance, from: BootRoutesFrom): void {
  const smallFiles = createSmallFiles();
  const downloads = new Downloads<Ipv4>({ most: from.maxDownloads, mostPerClient: from.maxDownloadsPerClient });
  const requests = new Slots<Ipv4>(MOST_REQUESTS, MOST_REQUESTS_PER_CLIENT);

  const serve = async (
    request: FastifyRequest,
    reply: FastifyReply,
    file: string,
    find: (ip: Ipv4) => Promise<Found | undefined>,
  ) => {
    const ip = peerOf(request);
    const crowded = () => {
      const error = busy('too many downloads run at once');
      from.emit({ kind: 'http.failed', file, ip, bytes: 0, reason: error.message });
      return refuse(reply, error);
    };
    if (!requests.take(ip)) return crowded();
    let isCounted = true;
    const release = () => {
      if (isCounted) requests.giveBack(ip);
      isCounted = false;
    };
    const admit = (cut: (reason: string) => void) => {
      const download = downloads.begin(ip, cut);
      return download && { ...download, pieceBytes: downloads.size <= FEW_DOWNLOADS ? LARGE_PIECE : SMALL_PIECE };
    };
    let about: About = { file, ip };
    let facts: Partial<FileFacts> = {};
    try {
      const what = await find(ip);
      if (what?.mac !== undefined) about = { ...about, mac: what.mac };
      if (what !== undefined) facts = factsOf(what);
      const sending = { smallFiles, stallMs: from.stallMs, found: release, admit };
      const outcome: Outcome = what ? await send(request.raw, reply.raw, file, what, sending) : { kind: 'missing' };
      if (outcome.kind === 'crowded') return crowded();
      if (outcome.kind === 'missing') {
        from.emit({ kind: 'http.missing', ...about });
        return refuse(reply, new ReveilleError('FILE_MISSING', `there is no file ${file}`));
      }
      if (outcome.kind === 'sent')
        from.emit({ kind: 'http.sent', ...about, ...facts, bytes: outcome.bytes, ms: outcome.ms });
      if (outcome.kind === 'failed') {
        from.emit({ kind: 'http.failed', ...about, ...facts, bytes: outcome.bytes, reason: outcome.reason });
      }
      return reply.hijack();
    } catch (error) {
      const words = error instanceof ReveilleError ? error : shortage(error);
      if (words) from.emit({ kind: 'http.failed', ...about, ...facts, bytes: 0, reason: words.message });
      throw words ?? error;
    } finally {
      release();
    }
  };

  const method = ['GET', 'HEAD'];
  app.route<{ Params: { mac: string } }>({
    method,
    url: '/boot/ipxe/:mac',
    handler: (request, reply) => {
      const mac = parseMac(request.params.mac);
      return serve(request, reply, `ipxe/${mac ?? plain(request.params.mac)}`, async (ip) => {
        const script = mac && (await from.ipxeScript(mac, ip));
        return mac && script !== undefined
          ? { kind: 'bytes', bytes: Buffer.from(script), role: 'script', mac }
          : undefined;
      });
    },
  });
  app.route<{ Params: { sha256: string; which: string } }>({
    method,
    url: '/boot/images/:sha256/:which',
    handler: (request, reply) => {
      const { sha256, which: name } = request.params;
      return serve(request, reply, `images/${plain(sha256)}/${plain(name)}`, async () => {
        const which = imageFileName(name);
        if (!/^[0-9a-f]{64}$/.test(sha256) || which === undefined) return undefined;
        const found = await from.imageFile(sha256, which);
        return found && { kind: 'file', ...found, role: ROLE_IN_IMAGE[which], image: sha256 };
      });
    },
  });
  app.route<{ Params: { '*': string } }>({
    method,
    url: '/boot/files/*',
    handler: (request, reply) => {
      const name = cleanName(request.params['*']);
      return serve(request, reply, `files/${name ?? plain(request.params['*'])}`, async (ip) =>
        name === undefined ? undefined : from.files(name, ip),
      );
    },
  });
}

/** A name as a client sent it, fit for an event. */
function plain(name: string): string {
  return plainLine(name, '?').slice(0, 200);
}
