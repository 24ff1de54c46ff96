import { createWriteStream } from 'node:fs';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ReveilleError } from '../../errors.ts';
import type { Member } from '../cpio.ts';
import { type Entry, plainDirectory } from '../entry.ts';
import type { Xattrs } from '../paxXattrs.ts';
import { readRootTar } from '../roottar.ts';
import { tar } from '../tarWriter.ts';
import type { Layers } from './open.ts';

// How layers lie over each other: image-spec/layer.md. Names are resolved as if everything were unpacked in order, each
// layer through the symlinks of those below; nothing is unpacked. Only names are held in memory.

/** What a name stands for: content of one layer. Several names may share it. */
type Inode = {
  readonly entry: Entry;
  readonly xattrs: Xattrs;
  readonly layer: number;
  /** Which record of its layer holds the content. */
  readonly record: number;
};

type Name = { inode: Inode; readonly children: Map<string, Name> };

/** Merges the layers of an image, the lowest first, and writes the result as one tar. `onLayer` hears of progress. */
export async function mergeLayers(
  layers: Layers,
  to: string,
  mtime: number,
  onLayer: (done: number, of: number) => void,
): Promise<void> {
  const root = newName({ ...NOWHERE, entry: plainDirectory('', mtime) });
  for (const [number, path] of layers.entries()) {
    onLayer(number, 2 * layers.length);
    await lay(root, path, number, mtime);
  }
  await write(root, layers, to, (done) => onLayer(layers.length + done, 2 * layers.length));
}

const NOWHERE = { xattrs: new Map() as Xattrs, layer: -1, record: -1 };

function newName(inode: Inode): Name {
  return { inode, children: new Map() };
}

type Change =
  | { readonly kind: 'put'; readonly inode: Inode }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

const MOST_RECORDS = 5_000_000;

/** Lays one layer over what is there: first what it takes away from the layers below, then what it brings. */
async function lay(root: Name, path: string, layer: number, mtime: number): Promise<void> {
  const changes: Change[] = [];
  let record = 0;
  for await (const one of readRootTar(path)) {
    if (++record > MOST_RECORDS) throw new ReveilleError('IMAGE_BUILD_FAILED', 'a layer holds too many files');
    if (one.kind === 'link') {
      changes.push(one);
      continue;
    }
    const { entry, xattrs } = one;
    const name = basename(entry.path);
    if (name === '.wh..wh..opq') find(root, dirname(entry.path))?.children.clear();
    else if (name.startsWith('.wh.') && !name.startsWith('.wh..wh.')) remove(root, entry.path, name.slice(4));
    else if (!name.startsWith('.wh.')) changes.push({ kind: 'put', inode: { entry, xattrs, layer, record } });
  }
  for (const change of changes) {
    if (change.kind === 'put') put(root, change.inode.entry.path, change.inode, mtime);
    else link(root, change.path, change.to, mtime);
  }
}

function remove(root: Name, path: string, name: string): void {
  find(root, dirname(path))?.children.delete(name);
}

function put(root: Name, path: string, inode: Inode, mtime: number): void {
  const { children } = makeFolder(root, dirname(path), mtime);
  const there = children.get(basename(path));
  if (there?.inode.entry.kind === 'directory' && inode.entry.kind === 'directory') there.inode = inode;
  else children.set(basename(path), newName(inode));
}

function link(root: Name, path: string, to: string, mtime: number): void {
  const target = find(root, dirname(to))?.children.get(basename(to));
  if (target === undefined || target.inode.entry.kind === 'directory') {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `a layer links /${path} to /${to}, which is no file`);
  }
  makeFolder(root, dirname(path), mtime).children.set(basename(path), newName(target.inode));
}

/** The folder at a path, through symlinks; undefined where there is none. */
function find(root: Name, path: string): Name | undefined {
  const found = walk(root, path, () => undefined);
  return found?.inode.entry.kind === 'directory' ? found : undefined;
}

/** The folder at a path, through symlinks; what is missing of it is made. */
function makeFolder(root: Name, path: string, mtime: number): Name {
  const found = walk(root, path, (folder, name) => {
    const made = newName({ ...NOWHERE, entry: plainDirectory('', mtime) });
    folder.children.set(name, made);
    return made;
  });
  if (found?.inode.entry.kind === 'directory') return found;
  throw new ReveilleError('IMAGE_BUILD_FAILED', `a layer puts a file into /${path}, which is no folder`);
}

const MOST_FOLLOWED = 40;

/** Walks a path from the root, through symlinks, and never above the root. */
function walk(root: Name, path: string, onMissing: (folder: Name, name: string) => Name | undefined): Name | undefined {
  const way = [root];
  const left = path.split('/').reverse();
  for (let follows = 0, part = left.pop(); part !== undefined; part = left.pop()) {
    const folder = way.at(-1) ?? root;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (way.length > 1) way.pop();
      continue;
    }
    const next = folder.children.get(part) ?? onMissing(folder, part);
    if (next === undefined) return undefined;
    const { target } = next.inode.entry;
    if (target === undefined) {
      way.push(next);
      continue;
    }
    if (++follows > MOST_FOLLOWED) throw new ReveilleError('IMAGE_BUILD_FAILED', `/${path} is a loop of symlinks`);
    if (target.startsWith('/')) way.length = 1;
    left.push(...target.split('/').reverse());
  }
  return way.at(-1);
}

async function write(root: Name, layers: Layers, to: string, onLayer: (done: number) => void): Promise<void> {
  await pipeline(tar(members(root, layers, onLayer)), createWriteStream(to, { flush: true }));
}

/** Folders, links and devices first, then the files, layer by layer, each with its further names behind it. */
async function* members(root: Name, layers: Layers, onLayer: (done: number) => void): AsyncGenerator<Member> {
  const names = new Map<Inode, string[]>();
  let number = 0;
  for (const { path, name } of each(root, '')) {
    const { entry, xattrs } = name.inode;
    const known = names.get(name.inode);
    if (known !== undefined) known.push(path);
    else names.set(name.inode, [path]);
    if (entry.kind === 'directory') yield { entry: { ...entry, path }, inode: ++number, links: 1, xattrs };
  }
  const named = function* ({ entry, xattrs }: Inode, paths: readonly string[], content?: Member['content']) {
    number++;
    for (const [at, path] of paths.entries()) {
      const member = { entry: { ...entry, path }, inode: number, links: paths.length, xattrs };
      yield at === 0 && content !== undefined ? { ...member, content } : member;
    }
  };
  for (const [inode, paths] of names) {
    if (inode.entry.kind !== 'directory' && inode.entry.kind !== 'file') yield* named(inode, paths);
  }
  for (const [layer, path] of layers.entries()) {
    onLayer(layer);
    const live = new Map([...names.keys()].flatMap((inode) => (inode.layer === layer ? [[inode.record, inode]] : [])));
    let record = 0;
    for await (const one of readRootTar(path)) {
      const inode = live.get(++record);
      if (inode === undefined || one.kind === 'link' || inode.entry.kind !== 'file') continue;
      yield* named(inode, names.get(inode) ?? [], one.content);
    }
  }
}

/** Every name below a folder, a folder before what lies in it. */
function* each(folder: Name, path: string): Generator<{ readonly path: string; readonly name: Name }> {
  const prefix = path === '' ? '' : `${path}/`;
  for (const [part, name] of [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
    yield { path: `${prefix}${part}`, name };
    yield* each(name, `${prefix}${part}`);
  }
}
