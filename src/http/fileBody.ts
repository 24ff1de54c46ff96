import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { FileBody } from '../boot/source.ts';
import { stateTag, wasEdited } from './fileState.ts';
import { openRegular, readPieces, readSmall } from './readFile.ts';
import type { SmallFile, SmallFiles } from './smallFiles.ts';

/** What is sent of a file that is open, or in memory. Disposing it closes the file. */
export type Body = AsyncDisposable & {
  readonly size: number;
  /**
   * The ETag, without quotes: by content where that is known or in memory, else by the file's state; each file keeps to one of them, so
   * that a download which is resumed finds the same. `undefined` where nothing can be promised.
   */
  readonly tag: string | undefined;
  /** Whether its pieces are read as they are sent. */
  readonly isOnDisk: boolean;
  /** The bytes from `first` to `last`, both included. A piece is good until the next one is asked for. */
  pieces(first: number, last: number, pieceBytes: number): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
};

/** Opens what is to be sent; `undefined` if it is gone by now or is no regular file. Small files are remembered. */
export async function openBody(file: FileBody, smallFiles: SmallFiles): Promise<Body | undefined> {
  if (file.kind === 'bytes') {
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    return inMemory({ bytes: file.bytes, sha256 });
  }
  const remembered = file.seen && smallFiles.find(file.seen);
  if (remembered) return inMemory(remembered);
  const handle = await openRegular(file.path);
  if (handle === undefined) return undefined;
  try {
    const stat = await handle.stat({ bigint: true });
    const small = stat.isFile() ? await readSmall(handle, stat) : undefined;
    if (small) smallFiles.keep(stat, small);
    if (stat.isFile() && !small) return onDisk(handle, stat, file.sha256);
    await close(handle);
    return small && inMemory(small);
  } catch (error) {
    await close(handle);
    throw error;
  }
}

function inMemory({ bytes, sha256 }: SmallFile): Body {
  return {
    size: bytes.length,
    tag: sha256,
    isOnDisk: false,
    pieces: (first, last) => [bytes.subarray(first, last + 1)],
    async [Symbol.asyncDispose]() {},
  };
}

function onDisk(handle: FileHandle, stat: BigIntStats, sha256: string | undefined): Body {
  const pieces: Body['pieces'] = async function* (first, last, pieceBytes) {
    let left = last - first + 1;
    for await (const piece of readPieces(handle, first, last, pieceBytes)) {
      left -= piece.length;
      // Before the last piece goes out the answer is not whole, and closing the connection says so.
      if (left === 0 && wasEdited(stat, await handle.stat({ bigint: true }))) throw new Error(EDITED);
      yield piece;
    }
  };
  const tag = sha256 ?? stateTag(stat);
  return { size: Number(stat.size), tag, isOnDisk: true, pieces, [Symbol.asyncDispose]: () => close(handle) };
}

const EDITED = 'the file changed while it was sent';

/** A file that was only read loses nothing where closing it fails. */
async function close(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => {});
}
