import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { ReveilleError } from '../../errors.ts';
import type { Member } from '../cpio.ts';
import { type Entry, plainDirectory } from '../entry.ts';
import type { RootIndex } from '../index.ts';
import type { RootKernel } from '../kernel.ts';
import { resolvePath } from '../layin.ts';
import { readRootTar } from '../roottar.ts';
import { busyboxFiles, type InitrdFile } from './busybox.ts';
import { chooseModules, moduleName, plainName } from './modules.ts';
import { NETWORK_MODULES, ROOT_MODULES } from './wanted.ts';

export type FirstInitrdOrder = {
  /** The root's tar, and what a pass over it collected. */
  readonly root: string;
  readonly index: RootIndex;
  readonly kernel: RootKernel;
  /** Modules besides the usual ones. */
  readonly extraModules: readonly string[];
  readonly mtime: number;
};

/** The first initrd: what to archive, and what an operator may want to know of it. */
export type FirstInitrd = {
  readonly members: readonly Member[];
  /** Names of its kernel modules, sorted. */
  readonly modules: readonly string[];
  /** Modules that the recipe asks for and the image's kernel does not have. */
  readonly missing: readonly string[];
};

/**
 * Makes the small initrd of an image with a squashfs root: busybox, the script `init`, and from the image's own root the
 * kernel modules that find the network and mount the root, with their firmware. Throws IMAGE_BUILD_FAILED where the
 * root lacks what is needed.
 */
export async function firstInitrd(order: FirstInitrdOrder): Promise<FirstInitrd> {
  const { index, kernel } = order;
  const lists = index.moduleLists.get(kernel.version);
  if (lists === undefined || lists.dep === '') {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `the root holds no modules.dep of its kernel ${kernel.version}`, {
      hint: `run depmod in it, with a line of run: depmod ${kernel.version}`,
    });
  }
  const network = NETWORK_MODULES.map(({ name }) => name);
  const chosen = chooseModules(lists, [...ROOT_MODULES.map(({ name }) => name), ...network, ...order.extraModules]);
  const lost = ROOT_MODULES.filter(({ name }) => chosen.missing.includes(name));
  if (lost.length > 0) {
    const what = lost.map(({ name, why }) => `${name} (${why})`).join(', ');
    throw new ReveilleError('IMAGE_BUILD_FAILED', `kernel ${kernel.version} of the image lacks ${what}`, {
      hint: 'where the recipe removes modules, spare these with keep: fs/squashfs, fs/overlayfs, drivers/block/loop.*',
    });
  }

  const wanted = chosen.files.map((path) => `${lists.folder}/${path}`);
  const packed = await contentsOf(
    order.root,
    new Set(wanted.filter((path) => index.entries.get(path)?.kind === 'file')),
  );
  const modules: InitrdFile[] = [];
  for (const [path, bytes] of packed) {
    const inside = plainName(path.slice(lists.folder.length + 1));
    const content = await unpacked(path, bytes);
    modules.push({ path: `lib/modules/${kernel.version}/${inside}`, mode: 0o644, content });
  }
  const firmware = await firmwareFiles(order, modules);
  const own = `lib/modules/${kernel.version}`;
  const files: readonly InitrdFile[] = [
    { path: 'init', mode: 0o755, content: await readFile(join(import.meta.dirname, 'init')) },
    ...(await Promise.all(
      SHARED.map(async (name) => ({
        path: `lib/reveille/${name}`,
        mode: 0o644,
        content: await readFile(join(AGENT, name)),
      })),
    )),
    { path: 'etc/udhcpc', mode: 0o755, content: await readFile(join(import.meta.dirname, 'udhcpc')) },
    ...(await busyboxFiles()),
    { path: `${own}/modules.dep`, mode: 0o644, content: Buffer.from(chosen.dep) },
    { path: `${own}/modules.alias`, mode: 0o644, content: Buffer.from(chosen.alias) },
    { path: 'etc/modules', mode: 0o644, content: Buffer.from(lines(order.extraModules)) },
    ...modules,
    ...firmware,
  ];
  return {
    members: asMembers(files, order.mtime),
    modules: modules.map(({ path }) => moduleName(path)).sort(),
    missing: order.extraModules.filter((name) => chosen.missing.includes(name)),
  };
}

/** What of the agent `init` uses too. */
const SHARED = ['talk.sh', 'trouble.sh', 'hide.sh', 'hide.awk'];
const AGENT = join(import.meta.dirname, '../../node/agent');

/** The contents of some files of a root's tar. */
async function contentsOf(root: string, wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  if (wanted.size === 0) return found;
  for await (const record of readRootTar(root)) {
    if (record.kind !== 'entry' || !wanted.has(record.entry.path)) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of record.content) chunks.push(chunk);
    found.set(record.entry.path, Buffer.concat(chunks));
  }
  return found;
}

/**
 * The firmware that modules name and the root has. A driver asks for a name; where that is a link, the first initrd gets
 * the content under the name that is asked for.
 */
async function firmwareFiles(order: FirstInitrdOrder, modules: readonly InitrdFile[]): Promise<readonly InitrdFile[]> {
  const { entries } = order.index;
  const places = new Map<string, string>();
  for (const name of new Set(modules.flatMap(({ content }) => firmwareNames(content)))) {
    for (const folder of ['usr/lib/firmware', 'lib/firmware']) {
      for (const ending of ['', '.zst', '.xz']) {
        const path = fileBehind(order.index, `${folder}/${name}${ending}`);
        if (!places.has(name) && path !== undefined) places.set(name, path);
      }
    }
  }
  const packed = await contentsOf(order.root, new Set(places.values()));
  const files: InitrdFile[] = [];
  for (const [name, path] of places) {
    const bytes = packed.get(path);
    if (bytes === undefined || entries.get(path) === undefined) continue;
    files.push({ path: `lib/firmware/${name}`, mode: 0o644, content: await unpacked(path, bytes) });
  }
  return files;
}

/** The regular file that a path of the root leads to, links followed. */
function fileBehind(index: RootIndex, path: string): string | undefined {
  let at = resolvePath(index, path);
  for (let follows = 0; follows < 8; follows++) {
    const entry = index.entries.get(at);
    if (entry?.kind !== 'symlink') return entry?.kind === 'file' ? at : undefined;
    const target = entry.target ?? '';
    at = resolvePath(index, target.startsWith('/') ? target : `${at.slice(0, at.lastIndexOf('/'))}/${target}`);
  }
  return undefined;
}

/** The firmware that a module may ask for: words `firmware=NAME` of its section .modinfo (module(5) of kmod). */
export function firmwareNames(module: Uint8Array): readonly string[] {
  const text = Buffer.from(module).toString('latin1');
  const names = [...text.matchAll(/(?<=\0)firmware=([\x21-\x7e]{1,200})(?=\0)/g)].map((match) => match[1] ?? '');
  return names.filter((name) => !name.split('/').includes('..') && !name.startsWith('/') && !name.includes('*'));
}

/** A module or firmware, decompressed if its name has the suffix. */
async function unpacked(path: string, bytes: Buffer): Promise<Uint8Array> {
  try {
    if (path.endsWith('.zst')) return await promisify(zstdDecompress)(bytes);
    if (path.endsWith('.gz')) return await promisify(gunzip)(bytes);
    if (path.endsWith('.xz')) return await unxz(bytes);
    return bytes;
  } catch (cause) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `/${path} does not unpack: ${(cause as Error).message}`, { cause });
  }
}

async function unxz(bytes: Buffer): Promise<Uint8Array> {
  const program = spawn('xz', ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve, reject) => program.on('close', resolve).on('error', reject));
  program.stdin.on('error', () => {});
  program.stdin.end(bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of program.stdout) chunks.push(chunk);
  if ((await ended) !== 0) throw new Error('xz fails');
  return Buffer.concat(chunks);
}

const FOLDERS = ['bin', 'dev', 'proc', 'sys', 'run', 'tmp', 'root', 'new'];
/** Everything that is in PATH elsewhere is in bin here; /sbin/modprobe is where the kernel looks. */
const LINKS: readonly (readonly [path: string, target: string])[] = [
  ['sbin', 'bin'],
  ['bin/sh', 'busybox'],
  ['bin/modprobe', 'busybox'],
];

function asMembers(files: readonly InitrdFile[], mtime: number): readonly Member[] {
  const members: Member[] = [];
  const made = new Set<string>();
  const add = (entry: Entry, content?: Uint8Array) => {
    made.add(entry.path);
    members.push({ entry, inode: members.length + 1, links: 1, ...(content?.length ? { content: [content] } : {}) });
  };
  const folders = (path: string) => {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      if (!made.has(path.slice(0, at))) add(plainDirectory(path.slice(0, at), mtime));
    }
  };
  for (const path of FOLDERS) add(plainDirectory(path, mtime));
  for (const [path, target] of LINKS) add({ ...plainDirectory(path, mtime), kind: 'symlink', mode: 0o777, target });
  for (const { path, mode, content } of files) {
    if (made.has(path)) continue;
    folders(path);
    add({ ...plainDirectory(path, mtime), kind: 'file', mode, size: content.length }, content);
  }
  return members;
}

function lines(words: readonly string[]): string {
  return words.map((word) => `${word}\n`).join('');
}
