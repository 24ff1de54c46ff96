import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContentHashes } from './contentHash.ts';
import { contentType } from './contentType.ts';
import { isKnown, wantedBytes } from './ranges.ts';

/** Something to send. `sha256` is given where it is known already; else a file is hashed. */
export type Sendable =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly sha256?: string };

/** How a transfer went. `quiet`: an answer without a body (HEAD, 304, 416). */
export type Outcome =
  | { readonly kind: 'sent'; readonly bytes: number; readonly ms: number }
  | { readonly kind: 'failed'; readonly bytes: number; readonly reason: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'quiet' };

/** What sending needs beside the request. A transfer that moves no byte for `stallMs` is given up. */
export type Sending = { readonly hashes: ContentHashes; readonly stallMs: number; readonly pieceBytes: number };

/**
 * Answers a GET or HEAD with `what`: ranges, ETag by content, Content-Length always. A file is opened once, so that
 * renaming another over it never mixes the two. `missing` means that nothing has been answered yet; any other outcome that
 * the answer is complete or its connection closed.
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  what: Sendable,
  { hashes, stallMs, pieceBytes }: Sending,
): Promise<Outcome> {
  if (what.kind === 'bytes') {
    const sha256 = createHash('sha256').update(what.bytes).digest('hex');
    const part = (first: number, last: number) => Readable.from([what.bytes.subarray(first, last + 1)]);
    return answer(request, response, name, { size: what.bytes.length, sha256, part }, stallMs);
  }
  const handle = await openRegular(what.path);
  if (handle === undefined) return { kind: 'missing' };
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) return { kind: 'missing' };
    const sha256 = what.sha256 ?? (await hashes.of(handle, stat));
    const part = (first: number, last: number) =>
      handle.createReadStream({ start: first, end: last, highWaterMark: pieceBytes, autoClose: false });
    return await answer(request, response, name, { size: Number(stat.size), sha256, part }, stallMs);
  } finally {
    await handle.close();
  }
}

type Body = {
  readonly size: number;
  readonly sha256: string;
  /** The bytes from `first` to `last`, both included. */
  part(first: number, last: number): Readable;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  body: Body,
  stallMs: number,
): Promise<Outcome> {
  const etag = `"${body.sha256}"`;
  const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers;
  response.setHeader('ETag', etag);
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
  response.statusCode = wanted.kind === 'part' ? 206 : 200;
  response.setHeader('Content-Type', contentType(name));
  response.setHeader('Content-Length', length);
  if (wanted.kind === 'part') response.setHeader('Content-Range', `bytes ${first}-${last}/${body.size}`);
  if (request.method === 'HEAD') return end(response, response.statusCode);
  if (length === 0) {
    end(response, response.statusCode);
    return { kind: 'sent', bytes: 0, ms: 0 };
  }
  return stream(response, body.part(first, last), length, stallMs);
}

async function stream(response: ServerResponse, part: Readable, length: number, stallMs: number): Promise<Outcome> {
  const began = performance.now();
  let bytes = 0;
  response.setTimeout(stallMs, () => {
    response.destroy(new Error(`the transfer stalled: the client took nothing for ${stallMs / 1000} s`));
  });
  try {
    await pipeline(
      part,
      async function* (pieces: AsyncIterable<Uint8Array>) {
        for await (const piece of pieces) {
          bytes += piece.length;
          yield piece;
        }
        if (bytes < length) throw new Error('the file became shorter while it was sent');
      },
      response,
    );
    return { kind: 'sent', bytes, ms: Math.round(performance.now() - began) };
  } catch (error) {
    // A body that ended early must not look whole: only a closed connection says so.
    response.destroy();
    return { kind: 'failed', bytes: Math.max(0, bytes - response.writableLength), reason: reasonOf(error, response) };
  }
}

function end(response: ServerResponse, status: number): Outcome {
  response.statusCode = status;
  response.end();
  return { kind: 'quiet' };
}

function reasonOf(error: unknown, response: ServerResponse): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (response.errored instanceof Error && response.errored !== error) return response.errored.message;
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET' || code === 'EPIPE')
    return 'the client closed the connection';
  return message;
}

/** The path is a real one already: a link in its place appeared since and is not followed; a FIFO must not block. */
async function openRegular(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
