import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** SHA-256 of open files, in hex; each state of a file is read once. */
export type ContentHashes = { of(handle: FileHandle, stat: BigIntStats): Promise<string> };

const MOST_REMEMBERED = 4096;
const PIECE = 1024 * 1024;

/**
 * Remembers hashes by device, inode, size and time of change, the least recently asked goes first. Files are read in
 * pieces, between which other requests go on; requests for the same file wait for the same reading.
 */
export function createContentHashes(): ContentHashes {
  const known = new Map<string, Promise<string>>();
  return {
    of(handle, stat) {
      const key = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
      const hash = known.get(key) ?? hashOf(handle);
      known.delete(key);
      known.set(key, hash);
      hash.catch(() => known.delete(key));
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
