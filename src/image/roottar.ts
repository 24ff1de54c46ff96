import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import tar, { type Header } from 'tar-stream';
import { ReveilleError } from '../errors.ts';
import type { Entry } from './entry.ts';
import { PaxXattrs, type Xattrs } from './paxXattrs.ts';

/** One record of a root's tar: an entry with its content, or another name for an earlier one. */
export type TarRecord =
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
      /** Extended attributes, capabilities (capabilities(7)) among them, which a cpio archive cannot carry. */
      readonly xattrs: Xattrs;
      readonly content: AsyncIterable<Uint8Array>;
    }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

/**
 * Reads a root's tar (plain, gzip or zstd) from its start. Each record's content must be read, or is skipped, before
 * the next record comes. Sockets and other things that no archive can hold are passed over.
 */
export async function* readRootTar(path: string): AsyncGenerator<TarRecord> {
  const extract = tar.extract();
  const attributes = new PaxXattrs();
  const source = await openRootTar(path);
  pipeline(
    source,
    (chunks: AsyncIterable<Uint8Array>) => attributes.watch(chunks),
    extract,
    (error) => {
      if (error) extract.destroy(error);
    },
  );
  try {
    for await (const part of extract) {
      const { header } = part;
      const xattrs = header.pax === null || header.pax === undefined ? NO_XATTRS : attributes.next();
      const at = cleanPath(header.name);
      if (at === undefined) {
        part.resume();
      } else if (header.type === 'link') {
        part.resume();
        const to = cleanPath(header.linkname ?? '');
        if (to !== undefined && to !== at) yield { kind: 'link', path: at, to };
      } else {
        const entry = toEntry(at, header);
        if (entry !== undefined)
          yield {
            kind: 'entry',
            entry,
            xattrs,
            content: part as unknown as AsyncIterable<Uint8Array>,
          };
        part.resume();
      }
    }
  } catch (cause) {
    if (cause instanceof ReveilleError) throw cause;
    throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} does not read as a tar: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    extract.destroy();
    source.destroy();
  }
}

/** The bytes of a tar that may be compressed with gzip or zstd. */
export async function openRootTar(path: string): Promise<Readable> {
  const decompress = await decompressor(path);
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  if (decompress === undefined) return file;
  // An error of either side destroys the other, and the reader learns of it.
  pipeline(file, decompress, () => {});
  return decompress;
}

const NO_XATTRS: Xattrs = new Map();

/** `./usr/bin/` -> `usr/bin`; undefined for the root itself. A name that climbs out of the root is refused. */
function cleanPath(name: string): string | undefined {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `the root's tar holds the name ${name}, which leaves the root`);
  }
  return parts.length === 0 ? undefined : parts.join('/');
}

function toEntry(path: string, header: Header): Entry | undefined {
  // Owners that do not fit into the plain header.
  const pax = new Map(Object.entries(header.pax ?? {}));
  const common = {
    path,
    mode: (header.mode ?? 0o755) & 0o7777,
    uid: Number(pax.get('uid') ?? header.uid ?? 0),
    gid: Number(pax.get('gid') ?? header.gid ?? 0),
    mtime: Math.floor((header.mtime?.getTime() ?? 0) / 1000),
    size: 0,
  };
  const device = { major: header.devmajor ?? 0, minor: header.devminor ?? 0 };
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      return { ...common, kind: 'file', size: header.size ?? 0 };
    case 'directory':
      return { ...common, kind: 'directory' };
    case 'symlink':
      return { ...common, kind: 'symlink', mode: 0o777, target: header.linkname ?? '' };
    case 'character-device':
      return { ...common, kind: 'character', device };
    case 'block-device':
      return { ...common, kind: 'block', device };
    case 'fifo':
      return { ...common, kind: 'fifo' };
    default:
      return undefined;
  }
}

async function decompressor(path: string): Promise<Transform | undefined> {
  const file = await open(path);
  try {
    const magic = Buffer.alloc(6);
    await file.read(magic, 0, magic.length, 0);
    if (magic.readUInt16BE(0) === 0x1f8b) return createGunzip();
    if (magic.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
    if (magic.toString('latin1', 0, 6) === '\xfd7zXZ\0') {
      throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} is compressed with xz`, {
        hint: `run: unxz --keep ${path}`,
      });
    }
    return undefined;
  } finally {
    await file.close();
  }
}
