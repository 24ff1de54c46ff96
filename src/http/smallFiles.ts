import type { BigIntStats } from 'node:fs';
import { fileState, timesAreSure } from './fileState.ts';

/** A whole file in memory. */
export type SmallFile = { readonly bytes: Uint8Array; readonly sha256: string };

/** The small files asked for lately. A file that changed, or changed a moment ago, is not found. */
export type SmallFiles = {
  find(stat: BigIntStats): SmallFile | undefined;
  keep(stat: BigIntStats, file: SmallFile): void;
};

export const SMALL_BYTES = 64 * 1024;
const MOST_BYTES = 16 * 1024 * 1024;

/** Remembers up to 16 MiB of file contents; the one kept first goes first. */
export function createSmallFiles(): SmallFiles {
  const known = new Map<string, SmallFile>();
  let bytes = 0;
  return {
    find: (stat) => known.get(fileState(stat)),
    keep(stat, file) {
      const key = fileState(stat);
      if (known.has(key) || !timesAreSure(stat)) return;
      known.set(key, file);
      bytes += file.bytes.length + key.length;
      for (const [oldest, { bytes: gone }] of known) {
        if (bytes <= MOST_BYTES) break;
        known.delete(oldest);
        bytes -= gone.length + oldest.length;
      }
    },
  };
}
