import { readdir, readFile, stat } from 'node:fs/promises';
import { join, posix, resolve } from 'node:path';
import { seeInside } from '../../boot/confine.ts';
import { ReveilleError } from '../../errors.ts';
import { invalid } from '../invalid.ts';
import type { Said } from './config.ts';

/** Where a name that pxelinux would ask for leads: a file below the root, by its real spelling, or to nothing there. */
export type Where =
  | { readonly kind: 'file'; readonly name: string; readonly exact: boolean }
  | { readonly kind: 'missing'; readonly name: string }
  /** On another server: `10.0.0.9::linux`, `http://...`. */
  | { readonly kind: 'elsewhere' };

const LONGEST_CONFIG = 1_000_000;
const MOST_FILES = 100_000;

/** A folder that a TFTP server gave out, and the place in it that pxelinux starts names from. */
export class Tree {
  /** Absolute path. */
  readonly root: string;
  /** The folder of pxelinux.0 and pxelinux.cfg, relative to the root; empty for the root itself. */
  readonly prefix: string;
  readonly #folders = new Map<string, Promise<readonly string[]>>();

  private constructor(root: string, prefix: string) {
    this.root = root;
    this.prefix = prefix;
  }

  /** Opens the tree in `folder`. Throws IMPORT_INVALID if that is no folder. */
  static async open(folder: string): Promise<Tree> {
    const root = resolve(folder);
    if (!(await isFolder(root))) {
      throw new ReveilleError('IMPORT_INVALID', `${root} is not a folder that can be read`, {
        hint: 'name the folder that your TFTP server gives out: --tftp DIR',
      });
    }
    if (await isFolder(join(root, CONFIGS))) return new Tree(root, '');
    for (const name of (await readdir(root)).sort()) {
      if (await isFolder(join(root, name, CONFIGS))) return new Tree(root, name);
    }
    return new Tree(root, '');
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

  /** Names of the folders at the top, links not followed. */
  async topFolders(): Promise<readonly string[]> {
    const entries = await readdir(this.root, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  /** The text of a file by its path below the root; `undefined` if it is not there, or a link that leaves the root. */
  async text(name: string): Promise<string | undefined> {
    const found = await seeInside(this.root, name);
    if (!found) return undefined;
    if (found.seen.size > LONGEST_CONFIG) {
      throw invalid({ file: name, line: 1, col: 1 }, `this file is longer than ${LONGEST_CONFIG / 1e6} MB`);
    }
    return (await readFile(found.path)).toString('utf8');
  }

  /**
   * Finds what pxelinux asks for under a name: from its prefix, from the top with a leading `/` or `::`, `\` for `/`. Where
   * no file is spelled so, one that differs in case only is taken. Throws IMPORT_INVALID for a name that leaves the root.
   */
  async find({ value, place }: Said): Promise<Where> {
    const asked = value.replaceAll('\\', '/');
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(asked) || /^[^:/]+::/.test(asked)) return { kind: 'elsewhere' };
    const name = asked.replace(/^::/, '/');
    const froms = name.startsWith('/') ? ['', this.prefix] : [this.prefix];
    const paths = [...new Set(froms)].map((from) => posix.normalize(posix.join(from, name)).replace(/^\/+/, ''));
    for (const path of paths) {
      if (path === '..' || path.startsWith('../')) {
        throw invalid(place, `${JSON.stringify(value)} leaves the folder ${this.root}`, 'move the file below it');
      }
    }
    for (const path of paths) {
      const real = await this.#spelled(path);
      if (real !== undefined && (await seeInside(this.root, real))) {
        return { kind: 'file', name: real, exact: real === path };
      }
    }
    return { kind: 'missing', name: paths.at(0) ?? name };
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
