import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { FileBody } from '../boot/source.ts';
import type { MappedFile } from '../net/mappedFile.ts';
import type { FilesInMemory } from './filesInMemory.ts';
import { toNetascii } from './netascii.ts';

/** The bytes that one transfer carries, read once from the front to the back. */
export type Content = {
  /** Bytes in all, as they go over the wire; `undefined` where it is known only at the end of reading. */
  readonly size: number | undefined;
  /** Where the bytes can be sent from memory. */
  readonly mapped?: MappedFile;
  /** Fills `into` with the next bytes; returns fewer than its length only at the end. Not to be called concurrently. */
  fill(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
};

const PIECE = 64 * 1024;

/**
 * Opens what a `FileSource` found. A file is opened once, so that renaming another over it does not disturb a transfer
 * that runs; `undefined` if it is gone by now or is no regular file.
 */
export async function openContent(
  found: FileBody,
  mode: 'octet' | 'netascii',
  files?: Pick<FilesInMemory, 'take'>,
): Promise<Content | undefined> {
  const raw =
    found.kind === 'bytes'
      ? bytesContent(found.bytes)
      : await fileContent(found.path, mode === 'octet' ? files : undefined);
  return raw === undefined || mode === 'octet' ? raw : netasciiContent(raw);
}

function bytesContent(bytes: Uint8Array): Content {
  let at = 0;
  return {
    size: bytes.length,
    async fill(into) {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return piece.length;
    },
    async close() {},
  };
}

async function fileContent(path: string, files?: Pick<FilesInMemory, 'take'>): Promise<Content | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  const { handle, stat } = file;
  const size = Number(stat.size);
  const mapped = await files?.take(handle, stat);
  if (mapped !== undefined) return { size, mapped, fill: filling(mapped, size), close: () => mapped.release() };
  return { size, fill: filling(handle, size), close: () => handle.close() };
}

/** Reads from the front to the back. */
function filling(from: Pick<MappedFile, 'read'>, size: number): Content['fill'] {
  let at = 0;
  return async (into) => {
    const wanted = Math.min(into.length, size - at);
    let got = 0;
    while (got < wanted) {
      const { bytesRead } = await from.read(into, got, wanted - got, at);
      if (bytesRead === 0) break;
      got += bytesRead;
      at += bytesRead;
    }
    return got;
  };
}

/** The path is a real one already: a link in its place appeared since and is not followed; a FIFO must not block. */
async function openRegular(path: string): Promise<{ handle: FileHandle; stat: BigIntStats } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw error;
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (stat.isFile()) return { handle, stat };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Converts as it is read: to find out the size beforehand would cost a reading of the whole file for each request. */
function netasciiContent(raw: Content): Content {
  const pair = Buffer.alloc(2);
  let piece = Buffer.alloc(0);
  let unread: Uint8Array = piece;
  let size = 0;
  let ended = false;
  /** The second half of a pair whose first half ended the bytes last filled. */
  let carried: number | undefined;

  async function fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    if (carried !== undefined && into.length > 0) {
      into[filled++] = carried;
      carried = undefined;
    }
    while (filled < into.length) {
      if (unread.length === 0) {
        const wanted = Math.min(PIECE, into.length);
        if (piece.length < wanted) piece = Buffer.allocUnsafe(wanted);
        unread = piece.subarray(0, await raw.fill(piece));
      }
      if (unread.length === 0) {
        ended = true;
        break;
      }
      const { taken, written } = toNetascii(unread, into.subarray(filled));
      unread = unread.subarray(taken);
      filled += written;
      if (taken === 0) {
        toNetascii(unread.subarray(0, 1), pair);
        unread = unread.subarray(1);
        into[filled++] = pair[0] ?? 0;
        carried = pair[1];
      }
    }
    size += filled;
    return filled;
  }
  return {
    get size() {
      return ended ? size : undefined;
    },
    fill,
    close: () => raw.close(),
  };
}
