import type { BigIntStats } from 'node:fs';
import type { FileFacts } from '../model/bootFile.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';

/**
 * What to send: bytes that were made for this request, or a file on disk that the caller opens, streams and closes. `seen` is
 * the file's state if it was looked at for this request: who remembers that very state need not open it; `asked` is then its path before links
 * were followed. `sha256` is that of the content, where it is known without reading the file.
 */
export type FileBody =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly asked?: string;
      readonly seen?: BigIntStats;
      readonly sha256?: string;
    };

/** A boot file, and what it is to a boot. `mac`: of the machine that it was made for. */
export type BootFile = FileBody & FileFacts & { readonly mac?: Mac };

/**
 * Looks a boot file up by the name that a client asked for (relative, `/` between its parts, already cleaned by
 * `cleanName`). `undefined` means that there is none. Never leaves the folders it serves.
 */
export type FileSource = (name: string, from: Ipv4) => Promise<BootFile | undefined>;
