import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { ReveilleError } from '../errors.ts';
import { type CpioRecord, readCpio } from './cpioReader.ts';
import type { Entry } from './entry.ts';
import type { ShelvedImage } from './shelf.ts';

/** One file of a finished image. `holds` is the SHA-256 of a file's content, and empty for everything else. */
export type ImageFile = Omit<Entry, 'path' | 'mtime'> & { readonly holds: string };

/** The members of an image whose root is its initrd. */
export async function* initrdMembers(path: string): AsyncGenerator<CpioRecord> {
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  const decompress = (await isGzip(path)) ? createGunzip() : createZstdDecompress();
  pipeline(file, decompress, () => {});
  yield* readCpio(decompress);
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const magic = Buffer.alloc(2);
    await file.read(magic, 0, magic.length, 0);
    return magic.readUInt16BE(0) === 0x1f8b;
  } finally {
    await file.close();
  }
}

/** Every file of an image's root by its path, as it is in the initrd or the squashfs. */
export async function imageFiles(
  image: Pick<ShelvedImage, 'initrd' | 'root'>,
): Promise<ReadonlyMap<string, ImageFile>> {
  return image.root === undefined ? initrdFiles(image.initrd.path) : squashfsFiles(image.root.path);
}

async function initrdFiles(path: string): Promise<ReadonlyMap<string, ImageFile>> {
  const files = new Map<string, ImageFile>();
  const firsts = new Map<number, ImageFile>();
  for await (const { entry, inode, links, content } of initrdMembers(path)) {
    const { path: at, mtime: _, ...about } = entry;
    const first = links > 1 && entry.kind === 'file' ? firsts.get(inode) : undefined;
    const file = first ?? { ...about, holds: entry.kind === 'file' ? await hashOf(content) : '' };
    if (links > 1) firsts.set(inode, file);
    files.set(at, file);
  }
  return files;
}

async function hashOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return hash.digest('hex');
}

const LISTED =
  /^([-dlcbps])([-rwxsStT]{9}) (\d+)\/(\d+) +(?:(\d+)|(\d+), *(\d+)) \d{4}-\d\d-\d\d \d\d:\d\d root(?:\/(.*?))?(?: -> (.*))?$/;
const KINDS: { readonly [letter: string]: Entry['kind'] } = {
  '-': 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
};

/** Unpacks a squashfs temporarily: its listing has everything except the contents of files. */
async function squashfsFiles(path: string): Promise<ReadonlyMap<string, ImageFile>> {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-squashfs-'));
  try {
    const unsquashfs = async (...args: readonly string[]) =>
      promisify(execFile)('unsquashfs', args, { maxBuffer: 1 << 30 }).catch((cause: NodeJS.ErrnoException) => {
        // Devices, which only root can make, are not needed here.
        if (cause.code === 'ENOENT') {
          const hint = 'run: apt-get install squashfs-tools';
          throw new ReveilleError('TOOL_MISSING', 'unsquashfs is not installed', { hint, cause });
        }
        return { stdout: '' };
      });
    const root = join(folder, 'root');
    const { stdout } = await unsquashfs('-lln', '-d', 'root', path);
    await unsquashfs('-no-xattrs', '-ignore-errors', '-quiet', '-no-progress', '-d', root, path);
    const files = new Map<string, ImageFile>();
    for (const line of stdout.split('\n')) {
      const [, letter = '', bits = '', uid, gid, size, major, minor, at, target] = LISTED.exec(line) ?? [];
      const kind = KINDS[letter];
      if (kind === undefined || at === undefined) continue;
      files.set(at, {
        kind,
        mode: modeOf(bits),
        uid: Number(uid),
        gid: Number(gid),
        size: kind === 'file' ? Number(size) : 0,
        ...(target === undefined || kind !== 'symlink' ? {} : { target }),
        ...(major === undefined ? {} : { device: { major: Number(major), minor: Number(minor) } }),
        holds: kind === 'file' ? await hashOf(createReadStream(join(root, at))) : '',
      });
    }
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `rwsr-xr-x` as a number. */
function modeOf(bits: string): number {
  let mode = 0;
  for (const [at, bit] of [...bits].entries()) {
    if (/[rwxst]/.test(bit)) mode |= 0o400 >> at;
    if (/[sStT]/.test(bit)) mode |= at === 2 ? 0o4000 : at === 5 ? 0o2000 : 0o1000;
  }
  return mode;
}
