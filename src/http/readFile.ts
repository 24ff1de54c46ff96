import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { SMALL_BYTES, type SmallFile } from './smallFiles.ts';

/** The path is a real one already: a link in its place appeared since and is not followed; a FIFO must not block. */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The whole of a small file; `undefined` for a larger one and for one that became shorter since `stat`. */
export async function readSmall(handle: FileHandle, { size }: BigIntStats): Promise<SmallFile | undefined> {
  if (size > SMALL_BYTES) return undefined;
  const bytes = Buffer.allocUnsafeSlow(Number(size));
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
  if (bytesRead < bytes.length) return undefined;
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * The bytes of a file from `first` to `last`, both included; fewer if it became shorter. While one piece is in use the next
 * is read. The memory is used again: a piece is good until the next one is asked for.
 */
export async function* readPieces(
  handle: FileHandle,
  first: number,
  last: number,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const most = Math.min(pieceBytes, last - first + 1);
  let inUse = Buffer.allocUnsafeSlow(most);
  let spare = Buffer.allocUnsafeSlow(most);
  const readInto = (memory: Buffer, at: number) => {
    const reading = handle.read(memory, 0, Math.min(most, last - at + 1), at);
    // A failure reaches whatever awaits it; until then it is not an unhandled rejection.
    reading.catch(() => {});
    return reading;
  };
  let reading = readInto(inUse, first);
  try {
    for (let at = first; at <= last; ) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      at += bytesRead;
      if (at <= last) reading = readInto(spare, at);
      yield inUse.subarray(0, bytesRead);
      [inUse, spare] = [spare, inUse];
    }
  } finally {
    // The file may be closed only after the last reading.
    await reading.catch(() => {});
  }
}
