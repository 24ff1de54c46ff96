import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Reads a file that an operator named. Only regular files, of at most `longest` bytes, are read: a FIFO would hold the reading thread for
 * ever, and a device has no end. Throws an Error whose words follow "cannot be read:", with the system's `code` where it has one.
 */
export async function readRegular(path: string, longest: number): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const about = await handle.stat();
    if (!about.isFile()) throw new Error('this is not a file');
    const pieces: Buffer[] = [];
    // Files of /proc and files that grow have another length than stat reports.
    for (let room = longest + 1; room > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(room, Math.max(about.size + 1, SMALLEST_PIECE)));
      const { bytesRead } = await handle.read(piece, 0, piece.length, null);
      if (bytesRead === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, bytesRead));
      room -= bytesRead;
    }
    throw new Error(`this file is longer than ${sizeText(longest)}`);
  } finally {
    await handle.close();
  }
}

const SMALLEST_PIECE = 4096;

function sizeText(bytes: number): string {
  if (bytes % 1e6 === 0) return `${bytes / 1e6} MB`;
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}
