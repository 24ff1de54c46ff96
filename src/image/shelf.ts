import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ReveilleError } from '../errors.ts';
import { LIST_FILE } from './fileList.ts';
import { readJson } from './readJson.ts';

/** A file on the shelf. `path` is absolute, `size` in bytes. */
export type ShelvedFile = { readonly path: string; readonly size: number; readonly sha256: string };

/** A finished image: its files, and what it was built from. */
export type ShelvedImage = {
  readonly name: string;
  /** The image's identity, over the contents of its files (see `imageId`). */
  readonly sha256: string;
  readonly kernel: ShelvedFile;
  readonly initrd: ShelvedFile;
  /** The squashfs root that the initrd fetches; absent where the initrd is the root. */
  readonly root?: ShelvedFile;
  /** When it was built, ISO 8601. */
  readonly builtAt: string;
  readonly kernelVersion: string;
  readonly packages: readonly { readonly name: string; readonly version: string }[];
};

/** What a build hands over beside the files that it wrote into its draft folder. */
export type Draft = Omit<ShelvedImage, 'sha256' | 'kernel' | 'initrd' | 'root'> & {
  readonly kernel: Contents;
  readonly initrd: Contents;
  readonly root?: Contents;
};

type Contents = Omit<ShelvedFile, 'path'>;

/** Names of the files in an image's folder. */
export const KERNEL_FILE = 'vmlinuz';
export const INITRD_FILE = 'initrd';
export const ROOT_FILE = 'root.squashfs';

/**
 * The finished images of a server, in one folder: `by-hash/<sha256>/` holds each image and never changes, `<name>.json`
 * says which one a name stands for. Every change is a rename, so that a reader sees the old image or the new one.
 */
export type Shelf = {
  /** The image that a name stands for now; undefined if it was never built. */
  current(name: string): Promise<ShelvedImage | undefined>;
  /** An image by its identity, as boot files ask for it. */
  byHash(sha256: string): Promise<ShelvedImage | undefined>;
  /** The current images of all names, sorted. */
  list(): Promise<readonly ShelvedImage[]>;
  /** The images of a name by their identities: what it stands for now, and what it stood for before, the newest first. */
  builds(name: string): Promise<readonly string[]>;
  /** The identities of all images that are there. */
  hashes(): Promise<readonly string[]>;
  /** Removes the images that no name needs. Says what went, or with `dryRun` what would go. */
  prune(options: PruneOptions): Promise<readonly Pruned[]>;
  /** An empty folder to write the image's files into. What an earlier build of this name left there is removed. */
  draft(name: string): Promise<string>;
  /**
   * Puts a draft on the shelf and lets its name stand for it. Images that no name stood for lately are removed. `key` says
   * what it was made from (see `imageKey`).
   */
  put(folder: string, draft: Draft, key?: string): Promise<ShelvedImage>;
  /** The image that a name stands for now, if it was made from what `key` says and its files are whole by their sizes. */
  made(name: string, key: string): Promise<ShelvedImage | undefined>;
  /** Path of a lock file that builds of a name take. */
  lockPath(name: string): Promise<string>;
};

export type PruneOptions = {
  /** How many earlier images of each name stay. */
  readonly keep: number;
  /** Images that stay although no name stands for them. */
  readonly spared: ReadonlySet<string>;
  readonly dryRun: boolean;
};

/** An image that was removed, and how many bytes it took. `name` is the one that it was built for. */
export type Pruned = { readonly sha256: string; readonly name: string; readonly bytes: number };

/** How many earlier images of a name stay, for nodes that are on their way with one. */
export const KEPT_BEFORE = 1;
/** How long an image that has no name yet may wait for it. */
const SETTLED_MS = 60_000;

const SHA256 = /^[0-9a-f]{64}$/;
const file = z.object({ size: z.number().int().nonnegative(), sha256: z.string().regex(SHA256) });
const manifestSchema = z.object({
  name: z.string(),
  sha256: z.string().regex(SHA256),
  kernel: file,
  initrd: file,
  root: file.exactOptional(),
  builtAt: z.string(),
  kernelVersion: z.string(),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
});
const nameSchema = z.object({
  sha256: z.string().regex(SHA256),
  before: z.array(z.string().regex(SHA256)),
  key: z.string().exactOptional(),
});
type Pointer = z.infer<typeof nameSchema>;
type Manifest = z.infer<typeof manifestSchema>;

const MOST_REMEMBERED = 64;

/** The identity of an image: the SHA-256 of `vmlinuz <sha256>\ninitrd <sha256>\n`, and `root.squashfs <sha256>\n` if it has one. */
export function imageId(files: Pick<Draft, 'kernel' | 'initrd' | 'root'>): string {
  const hash = createHash('sha256');
  hash.update(`${KERNEL_FILE} ${files.kernel.sha256}\n${INITRD_FILE} ${files.initrd.sha256}\n`);
  if (files.root !== undefined) hash.update(`${ROOT_FILE} ${files.root.sha256}\n`);
  return hash.digest('hex');
}

/**
 * Opens the shelf in a folder, `<state>/images`. The folder need not exist to be read. `needed` gives the images that a new build
 * may not push out; where it does not know, none is pushed out.
 */
export function openShelf(
  folder: string,
  now: () => number = Date.now,
  needed: () => Promise<ReadonlySet<string> | undefined> = async () => new Set(),
): Shelf {
  const imageFolder = (sha256: string) => join(folder, 'by-hash', sha256);
  const pointer = (name: string) => join(folder, `${name}.json`);

  const readPointer = (name: string) => readManifest(pointer(name), nameSchema);

  /** A manifest lists hundreds of packages, and is asked for at each request for a file of its image. */
  const remembered = new Map<string, { readonly state: string; readonly manifest: Manifest }>();
  const manifestAt = async (path: string): Promise<Manifest | undefined> => {
    const seen = await stat(path, { bigint: true }).catch(ifMissing(undefined));
    const state = seen && `${seen.ino}:${seen.size}:${seen.mtimeNs}:${seen.ctimeNs}`;
    const known = remembered.get(path);
    if (known !== undefined && known.state === state) return known.manifest;
    remembered.delete(path);
    const manifest = await readManifest(path, manifestSchema);
    if (manifest === undefined || state === undefined) return manifest;
    remembered.set(path, { state, manifest });
    const oldest = remembered.size > MOST_REMEMBERED ? remembered.keys().next().value : undefined;
    if (oldest !== undefined) remembered.delete(oldest);
    return manifest;
  };

  const byHash = async (sha256: string): Promise<ShelvedImage | undefined> => {
    if (!SHA256.test(sha256)) return undefined;
    const at = imageFolder(sha256);
    const manifest = await manifestAt(join(at, 'manifest.json'));
    if (manifest === undefined) return undefined;
    const { kernel, initrd, root, ...rest } = manifest;
    return {
      ...rest,
      kernel: { path: join(at, KERNEL_FILE), ...kernel },
      initrd: { path: join(at, INITRD_FILE), ...initrd },
      ...(root === undefined ? {} : { root: { path: join(at, ROOT_FILE), ...root } }),
    };
  };

  const current = async (name: string): Promise<ShelvedImage | undefined> => {
    const points = await readPointer(checkName(name));
    const image = points === undefined ? undefined : await byHash(points.sha256);
    // Two recipes may give the same bytes: the name is whose we asked for.
    return image === undefined ? undefined : { ...image, name };
  };

  const names = async (): Promise<readonly string[]> => {
    const all = await readdir(folder).catch(ifMissing([]));
    return all.flatMap((one) => (/^[^.].*\.json$/.test(one) ? [one.slice(0, -'.json'.length)] : [])).sort();
  };

  const hashes = async (): Promise<readonly string[]> =>
    (await readdir(join(folder, 'by-hash')).catch(ifMissing([]))).filter((one) => SHA256.test(one)).sort();

  const point = async (name: string, to: Pointer) => {
    const beside = join(folder, `.${name}.json.new`);
    await writeFile(beside, `${JSON.stringify(to)}\n`, { flush: true });
    await rename(beside, pointer(name));
    await syncFolder(folder);
  };

  const prune = async ({ keep, spared, dryRun }: PruneOptions): Promise<readonly Pruned[]> => {
    const wanted = new Set(spared);
    for (const name of await names()) {
      const points = await readPointer(name);
      if (points === undefined) continue;
      const before = points.before.slice(0, keep);
      for (const sha256 of [points.sha256, ...before]) wanted.add(sha256);
      if (before.length < points.before.length && !dryRun) await point(name, { ...points, before });
    }
    const pruned: Pruned[] = [];
    for (const sha256 of await hashes()) {
      // Another build may have put an image there and not yet written its name.
      const settled = async () => now() - (await stat(imageFolder(sha256))).ctimeMs > SETTLED_MS;
      if (wanted.has(sha256) || !(await settled())) continue;
      const image = await byHash(sha256).catch(() => undefined);
      const bytes = image === undefined ? 0 : image.kernel.size + image.initrd.size + (image.root?.size ?? 0);
      pruned.push({ sha256, name: image?.name ?? '', bytes });
      if (!dryRun) await rm(imageFolder(sha256), { recursive: true, force: true });
    }
    return pruned;
  };

  return {
    current,
    byHash,
    hashes,
    prune,
    async builds(name) {
      const points = await readPointer(checkName(name));
      return points === undefined ? [] : [points.sha256, ...points.before];
    },
    async list() {
      const images = await Promise.all((await names()).map(current));
      return images.filter((image) => image !== undefined);
    },
    async draft(name) {
      const at = join(folder, `.draft-${checkName(name)}`);
      await rm(at, { recursive: true, force: true });
      await mkdir(at, { recursive: true });
      return at;
    },
    async made(name, key) {
      const points = await readPointer(checkName(name));
      const image = points?.key === key ? await current(name) : undefined;
      if (image === undefined) return undefined;
      const sizes = await Promise.all(filesOf(image).map(({ path }) => stat(path).catch(ifMissing(undefined))));
      return filesOf(image).every(({ size }, at) => sizes[at]?.size === size) ? image : undefined;
    },
    async put(draftFolder, draft, key) {
      const name = checkName(draft.name);
      const sha256 = imageId(draft);
      await writeFile(join(draftFolder, 'manifest.json'), `${JSON.stringify({ ...draft, sha256 }, null, 2)}\n`, {
        flush: true,
      });
      await syncFolder(draftFolder);
      await mkdir(join(folder, 'by-hash'), { recursive: true });
      const there = await byHash(sha256);
      // The same bytes are there already: theirs stay, as nodes may be reading them.
      if (there === undefined || !(await isWhole(there))) {
        await rm(imageFolder(sha256), { recursive: true, force: true });
        await rename(draftFolder, imageFolder(sha256));
        await syncFolder(join(folder, 'by-hash'));
      } else {
        // Its list of files is of this build: a program of an earlier version wrote none, or another one.
        await rename(join(draftFolder, LIST_FILE), join(imageFolder(sha256), LIST_FILE)).catch(ifMissing(undefined));
        await rm(draftFolder, { recursive: true, force: true });
      }

      const old = await readPointer(name);
      const history = old === undefined ? [] : [old.sha256, ...old.before].filter((one) => one !== sha256);
      await point(name, { sha256, before: history.slice(0, KEPT_BEFORE), ...(key === undefined ? {} : { key }) });
      const spared = await needed();
      if (spared) await prune({ keep: KEPT_BEFORE, spared, dryRun: false });
      const image = await byHash(sha256);
      if (image === undefined) throw new ReveilleError('IMAGE_MISSING', `image ${name} was built and is gone`);
      return { ...image, name };
    },
    async lockPath(name) {
      await mkdir(folder, { recursive: true });
      return join(folder, `.lock-${checkName(name)}`);
    },
  };
}

function filesOf({ kernel, initrd, root }: ShelvedImage): readonly ShelvedFile[] {
  return [kernel, initrd, ...(root === undefined ? [] : [root])];
}

/** Whether the files of an image hold what they are to hold. */
async function isWhole(image: ShelvedImage): Promise<boolean> {
  const sums = await Promise.all(filesOf(image).map(({ path }) => sumOf(path).catch(ifMissing(undefined))));
  return filesOf(image).every(({ sha256 }, at) => sums[at] === sha256);
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece);
  return hash.digest('hex');
}

/** A name becomes a file name: it may not lead elsewhere. */
function checkName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new ReveilleError('REQUEST_INVALID', `${JSON.stringify(name)} is not the name of an image`);
}

async function readManifest<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(ifMissing(undefined));
  if (text === undefined) return undefined;
  const value = readJson(schema, text);
  if (value !== undefined) return value;
  throw new ReveilleError('STATE_UNAVAILABLE', `${path} is damaged`, { hint: 'remove it and build the image again' });
}

function ifMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw new ReveilleError('STATE_UNAVAILABLE', `the shelf of images cannot be read: ${error.message}`, {
      cause: error,
    });
  };
}

/** Makes the names in a folder outlive a power cut. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
