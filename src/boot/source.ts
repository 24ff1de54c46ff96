import type { BigIntStats } from 'node:fs';
import type { FileFacts } from '../model/bootFile.ts';
import type { Ipv4 } from '../model/ipv4.ts';

/**
 * What to send: bytes that were made for this request, or a file on disk that the caller opens, streams and closes. `seen` is
 * the file's state if it was looked at for this request: who remembers that very state need not open it.
 */
export type FileBody =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly seen?: BigIntStats };

/** A boot file, and what it is to a boot. */
export type BootFile = FileBody & FileFacts;

/**
 * Looks a boot file up by the name that a client asked for (relative, `/` between its parts, already cleaned by
 * `cleanName`). `undefined` means that there is none. Never leaves the folders it serves.
 */
export type FileSource = (name: string, from: Ipv4) => Promise<BootFile | undefined>;
