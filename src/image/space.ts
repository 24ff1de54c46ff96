import type { Entry } from './entry.ts';

/** Bytes of file contents, before and after slimming. */
export type Share = { readonly name: string; readonly before: number; readonly after: number };

export type SpaceUse = {
  readonly files: number;
  readonly before: number;
  readonly after: number;
  /** By folder, the largest first. */
  readonly folders: readonly Share[];
  /** By Debian package, the largest first; `(none)` for files that came from no package. */
  readonly packages: readonly Share[];
  /** Bytes left out, by reason, the largest first. */
  readonly reasons: readonly { readonly why: string; readonly bytes: number }[];
};

/** Counts what takes the space in an image. */
export class Space {
  readonly #owners: ReadonlyMap<string, string>;
  readonly #folders = new Map<string, { before: number; after: number }>();
  readonly #packages = new Map<string, { before: number; after: number }>();
  readonly #reasons = new Map<string, number>();
  #files = 0;

  constructor(owners: ReadonlyMap<string, string>) {
    this.#owners = owners;
  }

  keep(entry: Entry): void {
    this.#files++;
    this.#count(entry, entry.size);
  }

  drop(entry: Entry, why: string): void {
    this.#count(entry, 0);
    this.#reasons.set(why, (this.#reasons.get(why) ?? 0) + entry.size);
  }

  use(): SpaceUse {
    const folders = shares(this.#folders);
    return {
      files: this.#files,
      before: folders.reduce((sum, one) => sum + one.before, 0),
      after: folders.reduce((sum, one) => sum + one.after, 0),
      folders,
      packages: shares(this.#packages),
      reasons: [...this.#reasons].map(([why, bytes]) => ({ why, bytes })).sort((a, b) => b.bytes - a.bytes),
    };
  }

  #count(entry: Entry, kept: number): void {
    if (entry.size === 0) return;
    add(this.#folders, folderOf(entry.path), entry.size, kept);
    add(this.#packages, this.#owners.get(entry.path) ?? '(none)', entry.size, kept);
  }
}

/** `usr/lib/modules/6.1/kernel/x.ko` -> `/usr/lib/modules`: deep enough to show where to look. */
function folderOf(path: string): string {
  const parts = path.split('/').slice(0, -1);
  return `/${parts.slice(0, parts[0] === 'usr' || parts[0] === 'var' ? 3 : 1).join('/')}`;
}

function add(to: Map<string, { before: number; after: number }>, name: string, before: number, after: number): void {
  const share = to.get(name);
  if (share === undefined) {
    to.set(name, { before, after });
    return;
  }
  share.before += before;
  share.after += after;
}

function shares(of: ReadonlyMap<string, { before: number; after: number }>): Share[] {
  return [...of]
    .map(([name, share]) => ({ name, ...share }))
    .sort((a, b) => b.after - a.after || b.before - a.before || (a.name < b.name ? -1 : 1));
}
