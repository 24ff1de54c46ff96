import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { fewAtOnce } from './fewAtOnce.ts';
import { fileState, timesAreSure } from './fileState.ts';

/** SHA-256 of open files, in hex; each state of a file is read once. */
export type ContentHashes = { of(handle: FileHandle, stat: BigIntStats): Promise<string> };

const MOST_REMEMBERED = 4096;
const PIECE = 1024 * 1024;
/** Files that are read at once for their hashes: the threads that read files are few, and others need them. */
const MOST_READ = 2;

/**
 * Remembers hashes by device, inode, size and time of change, the least recently asked goes first. Files are read in
 * pieces, between which other requests go on; requests for the same file wait for the same reading. The hash of a file that
 * changed a moment ago is not remembered: it may change again without its times showing it.
 */
export function createContentHashes(): ContentHashes {
  const known = new Map<string, Promise<string>>();
  const inTheirTurn = fewAtOnce(MOST_READ);
  return {
    of(handle, stat) {
      const key = fileState(stat);
      const sure = timesAreSure(stat);
      const hash = known.get(key) ?? inTheirTurn(() => hashOf(handle));
      known.delete(key);
      known.set(key, hash);
      const forget = () => known.delete(key);
      hash.then(sure ? undefined : forget, forget);
      const oldest = known.size > MOST_REMEMBERED ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
      return hash;
    },
  };
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(piece, 0, PIECE, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
}
