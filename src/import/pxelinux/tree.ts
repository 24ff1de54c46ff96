import { isUtf8 } from 'node:buffer';
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, posix, resolve } from 'node:path';
import { seeInside } from '../../boot/confine.ts';
import { ReveilleError } from '../../errors.ts';
import { reason, type Why } from '../reason.ts';
import type { Said } from './config.ts';
import { HEAD_BYTES } from './fileKind.ts';

/** Where a name that pxelinux would ask for leads: a file below the root, by its real spelling, or to nothing there. */
export type Where =
  | { readonly kind: 'file'; readonly name: string; readonly exact: boolean }
  | { readonly kind: 'missing'; readonly name: string }
  /** Nothing that Reveille gives out: on another server, outside the root, or a link that leads out of it. */
  | { readonly kind: 'unreachable'; readonly why: Why };

const LONGEST_CONFIG = 1_000_000;
const MOST_FILES = 100_000;

/** A folder that a TFTP server gave out, and the place in it that pxelinux starts names from. */
export class Tree {
  /** Absolute path. */
  readonly root: string;
  /** The folder of pxelinux.0 and pxelinux.cfg, relative to the root; empty for the root itself. */
  readonly prefix: string;
  /** Other folders with a pxelinux.cfg of their own, which are not read. */
  readonly otherPrefixes: readonly string[];
  readonly #folders = new Map<string, Promise<readonly string[]>>();

  private constructor(root: string, prefix: string, otherPrefixes: readonly string[]) {
    this.root = root;
    this.prefix = prefix;
    this.otherPrefixes = otherPrefixes;
  }

  /**
   * Opens the tree in `folder`. Where several folders in it hold a pxelinux.cfg, the first of `preferred` (paths below the root)
   * that does is read, else the one that is the least deep. Throws IMPORT_INVALID if `folder` is no folder.
   */
  static async open(folder: string, preferred: readonly string[] = []): Promise<Tree> {
    const root = resolve(folder);
    if (!(await isFolder(root))) {
      throw new ReveilleError('IMPORT_INVALID', `${root} is not a folder that can be read`, {
        hint: 'name the folder that your TFTP server gives out: --tftp DIR',
      });
    }
    const prefixes = await prefixesIn(root);
    const prefix = preferred.find((one) => prefixes.includes(one)) ?? prefixes[0] ?? '';
    return new Tree(
      root,
      prefix,
      prefixes.filter((one) => one !== prefix),
    );
  }

  /** The names of the files in pxelinux.cfg, sorted. */
  async configs(): Promise<readonly string[]> {
    const folder = join(this.root, this.prefix, CONFIGS);
    if (!(await isFolder(folder))) return [];
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.length > MOST_FILES) {
      throw new ReveilleError('IMPORT_INVALID', `${folder} holds more than ${MOST_FILES} files`);
    }
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  /** Names of the folders at the top, and of links to folders; such a link may lead out of the root. */
  async topFolders(): Promise<readonly string[]> {
    const names: string[] = [];
    for (const entry of await readdir(this.root, { withFileTypes: true })) {
      const isOne = entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(join(this.root, entry.name))));
      if (isOne) names.push(entry.name);
    }
    return names.sort();
  }

  /** The text of a file by its path below the root, or why it cannot be read. */
  async text(name: string): Promise<{ readonly text: string } | { readonly why: string }> {
    const found = await seeInside(this.root, name);
    if (!found) return { why: 'it is a link that leads out of the folder, or a file that cannot be read' };
    if (found.seen.size > LONGEST_CONFIG) return { why: `it is longer than ${LONGEST_CONFIG / 1e6} MB` };
    const bytes = await readFile(found.path);
    return { text: isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1') };
  }

  /** The beginning of a file that `find` has found. */
  async head(name: string): Promise<Buffer> {
    const found = await seeInside(this.root, name);
    if (!found) return Buffer.alloc(0);
    const file = await open(found.path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /**
   * Finds what pxelinux asks for under a name: from its prefix, from the top with a leading `/` or `::`, `\` for `/`. Where
   * no file is spelled so, one that differs in case only is taken.
   */
  async find({ value }: Said): Promise<Where> {
    const asked = value.replaceAll('\\', '/');
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(asked) || /^[^:/]+::/.test(asked)) {
      return { kind: 'unreachable', why: reason`${value} comes from another server: copy it below ${this.root}` };
    }
    const name = asked.replace(/^::/, '/');
    const froms = name.startsWith('/') ? ['', this.prefix] : [this.prefix];
    const paths = [...new Set(froms)].map((from) => posix.normalize(posix.join(from, name)).replace(/^\/+/, ''));
    for (const path of paths) {
      if (path === '..' || path.startsWith('../')) {
        return { kind: 'unreachable', why: reason`${value} leaves the folder ${this.root}: move the file below it` };
      }
    }
    for (const path of paths) {
      const real = await this.#spelled(path);
      if (real === undefined) continue;
      if (await seeInside(this.root, real)) return { kind: 'file', name: real, exact: real === path };
      if (await this.#leadsOut(real)) {
        return {
          kind: 'unreachable',
          why: reason`${value} is a link that leads out of ${this.root}: copy the file below it`,
        };
      }
    }
    return { kind: 'missing', name: paths.at(0) ?? name };
  }

  /** Links to nothing that is there count too: Reveille follows none out of the root. */
  async #leadsOut(path: string): Promise<boolean> {
    try {
      const real = await realpath(join(this.root, path));
      return !real.startsWith(`${await realpath(this.root)}/`);
    } catch {
      return false;
    }
  }

  /** The path as the disk spells it. */
  async #spelled(path: string): Promise<string | undefined> {
    let at = '';
    for (const part of path.split('/')) {
      const names = await this.#names(at);
      const real = names.find((name) => name === part) ?? names.find((name) => alike(name, part));
      if (real === undefined) return undefined;
      at = posix.join(at, real);
    }
    return at;
  }

  #names(folder: string): Promise<readonly string[]> {
    const known = this.#folders.get(folder);
    if (known) return known;
    const names = readdir(join(this.root, folder)).catch(() => []);
    this.#folders.set(folder, names);
    return names;
  }
}

const CONFIGS = 'pxelinux.cfg';
const DEEPEST_PREFIX = 3;
const MOST_FOLDERS = 2000;

/** The folders that hold a pxelinux.cfg, relative to the root, the least deep first; links to folders are not entered. */
async function prefixesIn(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  let level = [''];
  let seen = 0;
  for (let depth = 0; depth <= DEEPEST_PREFIX && level.length > 0; depth++) {
    const below: string[] = [];
    for (const folder of level) {
      if (++seen > MOST_FOLDERS) return found;
      if (await isFolder(join(root, folder, CONFIGS))) found.push(folder);
      const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
      for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        if (entry.isDirectory() && entry.name !== CONFIGS) below.push(posix.join(folder, entry.name));
      }
    }
    level = below;
  }
  return found;
}

function alike(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
