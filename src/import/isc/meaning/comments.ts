import { basename } from 'node:path';
import type { Place } from '../../../errors.ts';

/** `dhcpd.conf:12 host node01-nova`: where something comes from, for a comment beside it. */
export function whereFrom({ file, line }: Place, what: string): string {
  return `${basename(file)}:${line} ${what}`;
}

/** `line 3`, or `hosts.conf:3` as seen from another file. */
export function lineSeenFrom(from: Place, { file, line }: Place): string {
  return file === from.file ? `line ${line}` : `${basename(file)}:${line}`;
}

/** A block in words: `group g6`. */
export function describe({ kind, name }: { readonly kind: string; readonly name?: string | undefined }): string {
  return name === undefined ? kind : `${kind} ${name}`;
}
