import type { BigIntStats } from 'node:fs';
import type { Ipv4 } from '../model/ipv4.ts';

/**
 * A boot file: either made for this request, or a file on disk that the caller opens, streams and closes. `seen` is the
 * file's state if it was looked at for this request: who remembers that very state need not open it.
 */
export type Found =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly seen?: BigIntStats };

/**
 * Looks a boot file up by the name that a client asked for (relative, `/` between its parts, already cleaned by
 * `cleanName`). `undefined` means that there is none. Never leaves the folders it serves.
 */
export type FileSource = (name: string, from: Ipv4) => Promise<Found | undefined>;
