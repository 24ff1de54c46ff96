import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { FileBody } from '../boot/source.ts';

import { stateTag, wasEdited } from './fileState.ts';
import { openRegular, readPieces, readSmall } from './readFile.ts';
import type { SmallFile, SmallFiles } from './smallFiles.ts';

/**
 * What is sent of a file that is open, or in memory. Disposing it closes the file. `tag`: the ETag, without quotes: by content where that is
 * known or in memory, else by the file's state; each file keeps to one of them, so that a download which is resumed finds the same. `undefined`
 * where nothing can be promised.
 */
export type Body = MemoryBody | DiskBody;

/** `of`: the file that it was read from, if that has just been looked at: what is remembered of that very state is sent. */
type MemoryBody = AsyncDisposable & {
  readonly kind: 'memory';
  readonly size: number;
  readonly tag: string;
  readonly bytes: Uint8Array;
  readonly of?: { readonly path: string; readonly state: BigIntStats };
};

/** `state`: when it was opened. `isFixed`: a file of that name never changes. */
type DiskBody = AsyncDisposable & {
  readonly kind: 'disk';
  readonly size: number;
  readonly tag: string | undefined;
  readonly handle: FileHandle;
  readonly state: BigIntStats;
  readonly isFixed: boolean;
};

type FileOnDisk = Extract<FileBody, { readonly kind: 'file' }>;

/** Opens what is to be sent; `undefined` if it is gone by now or is no regular file. Small files are remembered. */
export async function openBody(file: FileBody, smallFiles: SmallFiles): Promise<Body | undefined> {
  if (file.kind === 'bytes') {
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    return inMemory({ bytes: file.bytes, sha256 });
  }
  const remembered = file.seen && smallFiles.find(file.seen);
  if (remembered) return inMemory(remembered, file);
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

function inMemory({ bytes, sha256 }: SmallFile, { asked, seen }: Pick<FileOnDisk, 'asked' | 'seen'> = {}): MemoryBody {
  const of = asked === undefined || seen === undefined ? undefined : { path: asked, state: seen };
  return {
    kind: 'memory',
    size: bytes.length,
    tag: sha256,
    bytes,
    ...(of === undefined ? {} : { of }),
    async [Symbol.asyncDispose]() {},
  };
}

function onDisk(handle: FileHandle, state: BigIntStats, sha256: string | undefined): DiskBody {
  const tag = sha256 ?? stateTag(state);
  const isFixed = sha256 !== undefined;
  const size = Number(state.size);
  return { kind: 'disk', size, tag, handle, state, isFixed, [Symbol.asyncDispose]: () => close(handle) };
}

/** The bytes from `first` to `last`, both included. A piece is good until the next one is asked for. */
export async function* piecesOf(
  body: Body,
  first: number,
  last: number,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body.kind === 'memory') {
    yield body.bytes.subarray(first, last + 1);
    return;
  }
  const { handle, state } = body;
  let left = last - first + 1;
  for await (const piece of readPieces(handle, first, last, pieceBytes)) {
    left -= piece.length;
    // Before the last piece goes out the answer is not whole, and closing the connection says so.
    if (left === 0 && wasEdited(state, await handle.stat({ bigint: true }))) throw new Error(EDITED);
    yield piece;
  }
}

export const EDITED = 'the file changed while it was sent';

/** A file that was only read loses nothing where closing it fails. */
async function close(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => {});
}
