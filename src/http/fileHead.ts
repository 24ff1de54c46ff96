import { contentType } from './contentType.ts';
import { isKnown, wantedBytes } from './ranges.ts';

/** Bytes of a body, the last one included. */
export type Bytes = { readonly first: number; readonly last: number; readonly length: number };

/** Status and headers of an answer. `sends`: the bytes that follow; absent where none do (HEAD, 304, 416). */
export type FileHead = {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: { readonly [name: string]: string | number };
  readonly sends?: Bytes;
};

/** What a request for a file asks of it. */
export type FileAsked = {
  readonly method: string | undefined;
  readonly headers: {
    readonly range?: string | undefined;
    readonly 'if-range'?: string | string[] | undefined;
    readonly 'if-none-match'?: string | undefined;
  };
};

/**
 * The head of the answer to a GET or HEAD of a file (RFC 9110): ranges, Content-Length always. `tag` is its ETag without quotes;
 * `undefined` where nothing can be promised.
 */
export function headFor(
  { method, headers }: FileAsked,
  name: string,
  { size, tag }: { readonly size: number; readonly tag: string | undefined },
): FileHead {
  const etag = tag === undefined ? undefined : `"${tag}"`;
  const always = {
    ...(etag === undefined ? {} : { ETag: etag }),
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
  };
  const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = headers;
  if (isKnown(etag, ifNoneMatch)) return { status: 304, headers: always };

  const wanted = wantedBytes(size, etag, range, ifRange?.toString());
  if (wanted.kind === 'outside') {
    return { status: 416, headers: { ...always, 'Content-Range': `bytes */${size}`, 'Content-Length': 0 } };
  }
  const [first, last] = wanted.kind === 'part' ? [wanted.first, wanted.last] : [0, size - 1];
  const length = last - first + 1;
  return {
    status: wanted.kind === 'part' ? 206 : 200,
    headers: {
      ...always,
      'Content-Type': contentType(name),
      'Content-Length': length,
      ...(wanted.kind === 'part' ? { 'Content-Range': `bytes ${first}-${last}/${size}` } : {}),
    },
    ...(method === 'HEAD' ? {} : { sends: { first, last, length } }),
  };
}
