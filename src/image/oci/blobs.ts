import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ReveilleError } from '../../errors.ts';
import { openRootTar, readRootTar } from '../roottar.ts';

/** The files of a container image by their names in its layout: `index.json`, `blobs/sha256/<hex>`, `manifest.json`. */
export type Blobs = {
  /** Where a file can be read; undefined if the image has none of this name. */
  file(name: string): Promise<string | undefined>;
};

/** A layout as a folder. What a link points at must lie in the folder too. */
export async function folderBlobs(folder: string): Promise<Blobs> {
  const root = await realpath(folder);
  return {
    file: async (name) => {
      const path = await realpath(join(root, name)).catch(() => undefined);
      if (path === undefined || !(await stat(path)).isFile()) return undefined;
      if (path.startsWith(`${root}${sep}`)) return path;
      throw new ReveilleError('FILE_OUTSIDE_ROOT', `${name} of ${folder} leads out of the folder`);
    },
  };
}

const MOST_MEMBERS = 100_000;

/** The files of an archive (plain, gzip or zstd), each written into `work` under a number. */
export async function archiveBlobs(archive: string, work: string): Promise<Blobs> {
  await mkdir(work, { recursive: true });
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  for await (const record of readRootTar(archive)) {
    if (files.size + links.size >= MOST_MEMBERS) {
      throw new ReveilleError('IMAGE_BUILD_FAILED', `${archive} holds too many files to be a container image`);
    }
    if (record.kind === 'link') {
      links.set(record.path, record.to);
    } else if (record.entry.kind === 'symlink') {
      // Older versions of docker save let a layer that comes twice be a link to the first.
      links.set(record.entry.path, join(record.entry.path, '..', record.entry.target ?? ''));
    } else if (record.entry.kind === 'file') {
      const path = join(work, String(files.size));
      await pipeline(record.content, createWriteStream(path));
      files.set(record.entry.path, path);
    }
  }
  return {
    file: async (name) => files.get(name) ?? files.get(links.get(name) ?? ''),
  };
}

/** `sha256:<hex>`, the only kind of digest that images use in practice. */
export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Reads a small text of an image. Throws if it is missing or longer than any honest one. */
export async function readText(blobs: Blobs, name: string): Promise<string> {
  const path = await blobs.file(name);
  if (path === undefined) throw new ReveilleError('IMAGE_BUILD_FAILED', `the container image lacks its file ${name}`);
  if ((await stat(path)).size > LONGEST_TEXT) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `${name} of the container image is too long`);
  }
  return readFile(path, 'utf8');
}

const LONGEST_TEXT = 8_000_000;

/** Where the blob of a digest lies, after its content has been compared with the digest. */
export async function verifiedBlob(blobs: Blobs, digest: string): Promise<string> {
  const path = await blobs.file(`blobs/${digest.replace(':', '/')}`);
  if (path === undefined) throw new ReveilleError('IMAGE_BUILD_FAILED', `the container image lacks its blob ${digest}`);
  await verify(createReadStream(path, { highWaterMark: 1 << 20 }), digest, 'a blob');
  return path;
}

/** Compares what a layer holds, uncompressed, with the digest that its image's configuration has for it. */
export async function verifyLayer(path: string, diffId: string): Promise<void> {
  await verify(await openRootTar(path), diffId, 'a layer');
}

/** Compares a text with its digest. */
export async function verifyText(text: string, digest: string): Promise<void> {
  await verify([Buffer.from(text)], digest, 'the configuration');
}

async function verify(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  digest: string,
  what: string,
): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  const found = `sha256:${hash.digest('hex')}`;
  if (found === digest) return;
  throw new ReveilleError(
    'IMAGE_BUILD_FAILED',
    `${what} of the container image is damaged: it should be ${digest} and is ${found}`,
    { hint: 'fetch or save the container image again' },
  );
}
