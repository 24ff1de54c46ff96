import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { contentType } from './contentType.ts';
import type { Download } from './downloads.ts';
import { stateTag, wasEdited } from './fileState.ts';
import { isKnown, wantedBytes } from './ranges.ts';
import { openRegular, readPieces, readSmall } from './readFile.ts';
import { SMALL_BYTES, type SmallFile, type SmallFiles } from './smallFiles.ts';

/** Something to send. `sha256` is given where it is known already: a file is not read for it. `seen` as in `Found`. */
export type Sendable =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly sha256?: string; readonly seen?: BigIntStats };

/** How a transfer went. `quiet`: an answer without a body (HEAD, 304, 416). `crowded`: there is no place for a large one now. */
export type Outcome =
  | { readonly kind: 'sent'; readonly bytes: number; readonly ms: number }
  | { readonly kind: 'failed'; readonly bytes: number; readonly reason: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'crowded' }
  | { readonly kind: 'quiet' };

/**
 * What sending needs beside the request. A transfer that moves no byte for `stallMs` is given up. `found` is called once it is known
 * what to send. `admit` gives a large transfer its place; what it is called with ends the transfer with a reason in words.
 */
export type Sending = {
  readonly smallFiles: SmallFiles;
  readonly stallMs: number;
  readonly found: () => void;
  readonly admit: (cut: (reason: string) => void) => Place | undefined;
};

/** The place of a large transfer. Two pieces of `pieceBytes` are held for it. */
export type Place = Download & { readonly pieceBytes: number };

/**
 * Answers a GET or HEAD with `what`: ranges, Content-Length always. The ETag is by content where that is known or in memory, else by
 * the file's state, and each file keeps to one of them: a download that is resumed finds the same. A file is opened once, so
 * that renaming another over it never mixes the two. `missing` and `crowded` mean that nothing has been answered yet; any
 * other outcome that the answer is complete or its connection closed.
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  what: Sendable,
  sending: Sending,
): Promise<Outcome> {
  const { smallFiles } = sending;
  if (what.kind === 'bytes') {
    const sha256 = createHash('sha256').update(what.bytes).digest('hex');
    return answer(request, response, name, inMemory({ bytes: what.bytes, sha256 }), sending);
  }
  const remembered = what.seen && smallFiles.find(what.seen);
  if (remembered) return answer(request, response, name, inMemory(remembered), sending);
  const handle = await openRegular(what.path);
  if (handle === undefined) return { kind: 'missing' };
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) return { kind: 'missing' };
    const small = await readSmall(handle, stat);
    if (small) smallFiles.keep(stat, small);
    const body = small ? inMemory(small) : onDisk(handle, stat, what.sha256);
    return await answer(request, response, name, body, sending);
  } finally {
    // What was sent is sent: a file that was only read loses nothing.
    await handle.close().catch(() => {});
  }
}

type Body = {
  readonly size: number;
  /** Without quotes; `undefined` where nothing can be promised. */
  readonly tag: string | undefined;
  /** Whether its pieces are read as they are sent. */
  readonly isOnDisk: boolean;
  /** The bytes from `first` to `last`, both included. A piece is good until the next one is asked for. */
  pieces(first: number, last: number, pieceBytes: number): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

function inMemory({ bytes, sha256 }: SmallFile): Body {
  return {
    size: bytes.length,
    tag: sha256,
    isOnDisk: false,
    pieces: (first, last) => [bytes.subarray(first, last + 1)],
  };
}

function onDisk(handle: FileHandle, stat: BigIntStats, sha256: string | undefined): Body {
  const pieces: Body['pieces'] = async function* (first, last, pieceBytes) {
    let left = last - first + 1;
    for await (const piece of readPieces(handle, first, last, pieceBytes)) {
      left -= piece.length;
      // Before the last piece goes out the answer is not whole, and closing the connection says so.
      if (left === 0 && wasEdited(stat, await handle.stat({ bigint: true }))) throw new Error(EDITED);
      yield piece;
    }
  };
  return { size: Number(stat.size), tag: sha256 ?? stateTag(stat), isOnDisk: true, pieces };
}

const EDITED = 'the file changed while it was sent';

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  body: Body,
  { stallMs, found, admit }: Sending,
): Promise<Outcome> {
  found();
  const etag = body.tag === undefined ? undefined : `"${body.tag}"`;
  const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers;
  if (etag !== undefined) response.setHeader('ETag', etag);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Cache-Control', 'no-cache');
  if (isKnown(etag, ifNoneMatch)) return end(response, 304);

  const wanted = wantedBytes(body.size, etag, range, ifRange?.toString());
  if (wanted.kind === 'outside') {
    response.setHeader('Content-Range', `bytes */${body.size}`);
    response.setHeader('Content-Length', 0);
    return end(response, 416);
  }
  const [first, last] = wanted.kind === 'part' ? [wanted.first, wanted.last] : [0, body.size - 1];
  const length = last - first + 1;
  const isLarge = body.isOnDisk && length > SMALL_BYTES && request.method !== 'HEAD';
  const place = isLarge ? admit((reason) => response.destroy(new Error(reason))) : NO_PLACE;
  if (place === undefined) {
    for (const header of ['ETag', 'Accept-Ranges', 'Cache-Control']) response.removeHeader(header);
    return { kind: 'crowded' };
  }
  response.statusCode = wanted.kind === 'part' ? 206 : 200;
  response.setHeader('Content-Type', contentType(name));
  response.setHeader('Content-Length', length);
  if (wanted.kind === 'part') response.setHeader('Content-Range', `bytes ${first}-${last}/${body.size}`);
  if (request.method === 'HEAD') return end(response, response.statusCode);
  if (length === 0) {
    end(response, response.statusCode);
    return { kind: 'sent', bytes: 0, ms: 0 };
  }
  try {
    return await stream(response, body.pieces(first, last, place.pieceBytes), length, stallMs, place);
  } finally {
    place.end();
  }
}

const NO_PLACE: Place = { pieceBytes: SMALL_BYTES, sent: () => {}, end: () => {} };

async function stream(
  response: ServerResponse,
  pieces: ReturnType<Body['pieces']>,
  length: number,
  stallMs: number,
  place: Place,
): Promise<Outcome> {
  const began = performance.now();
  let bytes = 0;
  response.setTimeout(stallMs, () => {
    response.destroy(new Error(`the transfer stalled: the client took nothing for ${stallMs / 1000} s`));
  });
  try {
    for await (const piece of pieces) {
      await written(response, piece);
      bytes += piece.length;
      place.sent(piece.length);
    }
    if (bytes < length) throw new Error('the file became shorter while it was sent');
    response.end();
    return { kind: 'sent', bytes, ms: Math.round(performance.now() - began) };
  } catch (error) {
    // A body that ended early must not look whole: only a closed connection says so.
    response.destroy();
    return { kind: 'failed', bytes, reason: reasonOf(error, response) };
  }
}

/** Resolves once the kernel has taken all of `piece`, whose memory may then be used again. */
function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error(CLIENT_LEFT));
    response.once('close', closed);
    response.write(piece, (error) => {
      response.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}

const CLIENT_LEFT = 'the client closed the connection';

function end(response: ServerResponse, status: number): Outcome {
  response.statusCode = status;
  response.end();
  return { kind: 'quiet' };
}

function reasonOf(error: unknown, response: ServerResponse): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (response.errored instanceof Error && response.errored !== error) return response.errored.message;
  if (code === 'ERR_STREAM_DESTROYED' || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECANCELED')
    return CLIENT_LEFT;
  return message;
}
