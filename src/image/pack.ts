import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { compressor, inBlocks } from './compress.ts';
import { cpio, type Member } from './cpio.ts';
import { type Entry, plainDirectory } from './entry.ts';
import type { RootIndex } from './index.ts';
import type { Laid } from './layin.ts';
import { readRootTar } from './roottar.ts';
import { Space, type SpaceUse } from './space.ts';

/** A finished file: how long it is and what it holds. */
export type Written = { readonly size: number; readonly sha256: string };

export type PackOrder = {
  /** The root's tar, and what a first pass over it collected. */
  readonly root: string;
  readonly index: RootIndex;
  /** Path of the kernel in the root. */
  readonly kernel: string;
  readonly laid: readonly Laid[];
  /** Why a path is left out; undefined keeps it. */
  readonly dropped: (path: string, isDirectory: boolean) => string | undefined;
  /** Where the kernel goes. */
  readonly kernelTo: string;
  /** Writes the root from its members, which come in an order that can be unpacked: a directory before what lies in it. */
  readonly writeRoot: (members: AsyncIterable<Member>) => Promise<Written>;
  readonly mtime: number;
};

export type Packed = { readonly kernel: Written; readonly root: Written; readonly space: SpaceUse };

/** Writes kernel and root in one pass over the root's tar, without unpacking it. `onBytes` is called with the progress. */
export async function packImage(order: PackOrder, onBytes: (done: number, of: number) => void): Promise<Packed> {
  const space = new Space(order.index.owners);
  let kernel: Written | undefined;
  const members = select(order, space, onBytes, async (content) => {
    kernel = await writeFile(order.kernelTo, content);
  });
  const root = await order.writeRoot(members);
  if (kernel === undefined) throw new Error(`${order.kernel} was indexed and then not found`);
  return { kernel, root, space: space.use() };
}

/** Writes members as an initrd: a compressed cpio archive. */
export function writeInitrd(
  path: string,
  members: AsyncIterable<Member> | Iterable<Member>,
  compression: 'zstd' | 'gzip',
): Promise<Written> {
  return writeFile(path, inBlocks(cpio(members)), compression);
}

async function writeFile(
  path: string,
  content: AsyncIterable<Uint8Array>,
  compression?: 'zstd' | 'gzip',
): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  const measure = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const file = createWriteStream(path, { flush: true, mode: 0o644 });
  if (compression === undefined) await pipeline(content, measure, file);
  else await pipeline(content, compressor(compression), measure, file);
  return { size, sha256: hash.digest('hex') };
}

/** The members of the root. */
async function* select(
  order: PackOrder,
  space: Space,
  onBytes: (done: number, of: number) => void,
  takeKernel: (content: AsyncIterable<Uint8Array>) => Promise<void>,
): AsyncGenerator<Member> {
  const { index } = order;
  const written = new Set<string>();
  const total = [...index.entries.values()].reduce((sum, entry) => sum + entry.size, 0);
  let inode = 0;
  let done = 0;

  const parents = function* (path: string): Generator<Member> {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      const parent = path.slice(0, at);
      if (written.has(parent)) continue;
      written.add(parent);
      const known = index.entries.get(parent);
      const entry = known?.kind === 'directory' ? known : plainDirectory(parent, order.mtime);
      yield { entry, inode: ++inode, links: 1 };
    }
  };

  for (const { entry, content } of order.laid) {
    yield* parents(entry.path);
    written.add(entry.path);
    space.keep(entry);
    yield { entry, inode: ++inode, links: 1, ...(entry.size > 0 ? { content: [content] } : {}) };
  }

  for await (const record of readRootTar(order.root)) {
    // Further names of a file were written with its content.
    if (record.kind === 'link') continue;
    const { entry } = record;
    done += entry.size;
    onBytes(done, total);
    if (entry.path === order.kernel) await takeKernel(record.content);
    // Where a tar names a path twice, the index holds the last.
    if (!sameEntry(index.entries.get(entry.path), entry)) continue;
    const names: string[] = [];
    for (const name of [entry.path, ...(index.links.get(entry.path) ?? [])]) {
      const reason = written.has(name) ? REPLACED : order.dropped(name, entry.kind === 'directory');
      if (reason === undefined) names.push(name);
      else if (reason !== REPLACED)
        space.drop({ ...entry, path: name, size: name === entry.path ? entry.size : 0 }, reason);
    }
    const [first, ...others] = names;
    if (first === undefined) continue;
    const links = names.length;
    const shared = ++inode;
    yield* parents(first);
    written.add(first);
    space.keep({ ...entry, path: first });
    yield {
      entry: { ...entry, path: first },
      inode: shared,
      links,
      ...(entry.size > 0 ? { content: record.content } : {}),
      ...(record.xattrs.size > 0 ? { xattrs: record.xattrs } : {}),
    };
    for (const name of others) {
      yield* parents(name);
      written.add(name);
      yield { entry: { ...entry, path: name, size: 0 }, inode: shared, links };
    }
  }
}

/** Laid over by a file of the image's own, or a directory that was needed before its turn. */
const REPLACED = 'replaced';

function sameEntry(a: Entry | undefined, b: Entry): boolean {
  return a !== undefined && a.kind === b.kind && a.size === b.size && a.mtime === b.mtime && a.target === b.target;
}
