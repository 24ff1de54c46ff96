import { type BigIntStats, type FSWatcher, watch } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { inTurn } from '../inTurn.ts';
import { leftoverOf } from './leftovers.ts';

export type Watching = {
  /** Settles once the site's folder and its direct subfolders are watched: a site is loaded from these. */
  readonly ready: Promise<void>;
  /**
   * Watches the whole tree except `leftOut`, absolute paths: of folders, which are not entered, and of files, whose content is
   * ignored. Their existence still counts. Settles once every folder is watched: later changes are not missed.
   */
  follow(leftOut: ReadonlySet<string>): Promise<void>;
  close(): void;
};

/** Times in milliseconds. */
export type WatchPace = {
  /** How long the folder must be quiet before a change is reported: editors and `git` write in many steps. */
  readonly quiet: number;
  /** The time after which it is reported in any case. */
  readonly patience: number;
  /** How often a tree that cannot be watched is polled. */
  readonly poll: number;
};

const PACE: WatchPace = { quiet: 150, patience: 2000, poll: 5000 };

/**
 * Calls `onChange` after files in the site folder changed, once for a burst of changes. Every folder of the tree is watched by
 * itself, so that renamed-over files and new folders are seen; the folder's parent is watched so that the folder may be replaced,
 * or be a link whose target changes. After a change only the names that changed are read. Folders that cannot be watched (too
 * many, or a file system without inotify) are polled instead.
 */
export function watchSite(
  folder: string,
  onChange: () => void,
  pace: WatchPace = PACE,
  watchFolder: typeof watch = watch,
): Watching {
  return new SiteWatch(resolve(folder), onChange, pace, watchFolder);
}

const DEEPEST = 40;
/** With more names than these the whole tree is read: the system may have lost some. */
const MOST_RENAMED = 1000;
/** Polling takes at most one part in so many of the time. */
const POLL_SHARE = 20;

type Folder = { readonly identity: string; readonly watcher: FSWatcher | undefined };

class SiteWatch implements Watching {
  readonly ready: Promise<void>;
  readonly #root: string;
  readonly #onChange: () => void;
  readonly #pace: WatchPace;
  readonly #watchFolder: typeof watch;
  readonly #inOrder = inTurn();
  readonly #parent: FSWatcher | undefined;
  readonly #folders = new Map<string, Folder>();
  /** Paths that appeared, vanished or were replaced since the tree was last read. */
  readonly #renamed = new Set<string>();
  /** Whether more changed than `#renamed` lists. */
  #isUnsure = false;
  #leftOut: ReadonlySet<string> = new Set();
  #deepest = 1;
  #closed = false;
  #settle: NodeJS.Timeout | undefined;
  #firstChange = 0;
  #poll: NodeJS.Timeout | undefined;
  #seen: string | undefined;

  constructor(root: string, onChange: () => void, pace: WatchPace, watchFolder: typeof watch) {
    this.#root = root;
    this.#onChange = onChange;
    this.#pace = pace;
    this.#watchFolder = watchFolder;
    this.#parent = this.#watch(dirname(root), (_, name) => {
      if (name !== null && name !== basename(root)) return;
      this.#isUnsure = true;
      this.#changed();
    });
    this.ready = this.#inOrder(() => this.#lookAtAll());
  }

  follow(leftOut: ReadonlySet<string>): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#deepest === DEEPEST && leftOut.symmetricDifference(this.#leftOut).size === 0) return;
      this.#leftOut = leftOut;
      this.#deepest = DEEPEST;
      await this.#lookAtAll();
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#settle);
    clearTimeout(this.#poll);
    this.#parent?.close();
    for (const path of [...this.#folders.keys()]) this.#forget(path);
  }

  #changed(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#settle === undefined) this.#firstChange = now;
    clearTimeout(this.#settle);
    const left = this.#firstChange + this.#pace.patience - now;
    this.#settle = setTimeout(() => void this.#settled(), Math.max(0, Math.min(this.#pace.quiet, left)));
  }

  /** New folders are watched before the change is reported: whatever is written into them later is seen. */
  async #settled(): Promise<void> {
    this.#settle = undefined;
    await this.#inOrder(() => this.#lookAtChanges());
    if (!this.#closed) this.#onChange();
  }

  async #lookAtChanges(): Promise<void> {
    const renamed = [...this.#renamed];
    if (this.#isUnsure || renamed.length > MOST_RENAMED) return this.#lookAtAll();
    this.#renamed.clear();
    for (const path of renamed) {
      // Its watch may belong to an earlier folder of this path.
      for (const gone of this.#below(path)) this.#forget(gone);
    }
    await this.#visit(renamed);
  }

  /** Watches the folders that the tree has now, and no others. */
  async #lookAtAll(): Promise<void> {
    this.#isUnsure = false;
    this.#renamed.clear();
    const found = await this.#visit([this.#root]);
    if (this.#closed) return;
    for (const path of [...this.#folders.keys()]) if (!found.has(path)) this.#forget(path);
  }

  /**
   * Watches those of `paths` that are folders, and all folders below them: those nearer to the root first. A link counts only if
   * it is the root.
   */
  async #visit(paths: readonly string[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const waiting = paths.filter((path) => path === this.#root || this.#isPart(path));
    for (const path of waiting) {
      const about = await this.#about(path);
      if (this.#closed) break;
      if (!about?.isDirectory()) continue;
      found.add(path);
      const identity = `${about.dev}:${about.ino}:${about.birthtimeNs}`;
      const known = this.#folders.get(path);
      if (known?.watcher === undefined || known.identity !== identity) {
        this.#forget(path);
        const watcher = this.#watch(path, (event, name) => this.#heard(path, event, name));
        this.#folders.set(path, { identity, watcher });
      }
      const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
      for (const entry of entries)
        if (entry.isDirectory() && this.#isPart(join(path, entry.name))) waiting.push(join(path, entry.name));
    }
    this.#pollUnwatched();
    return found;
  }

  async #about(path: string): Promise<BigIntStats | undefined> {
    try {
      return path === this.#root ? await stat(path, { bigint: true }) : await lstat(path, { bigint: true });
    } catch (error) {
      // What cannot be read now is read with the next change.
      if (!isAbsence(error)) this.#isUnsure = true;
      return undefined;
    }
  }

  /** Whether a folder of this path is to be watched. */
  #isPart(path: string): boolean {
    const names = relative(this.#root, path).split(sep);
    return (
      names.length <= this.#deepest &&
      !this.#leftOut.has(path) &&
      names.every((name) => leftoverOf(name, 'folder') === undefined)
    );
  }

  #heard(path: string, event: string, name: string | null): void {
    if (!isOfInterest(name)) return;
    if (name === null) this.#isUnsure = true;
    else if (event === 'rename') this.#renamed.add(join(path, name));
    else if (this.#leftOut.has(join(path, name))) return;
    this.#changed();
  }

  /** `undefined` if the system has no watch left: then the folder is polled. */
  #watch(path: string, heard: (event: string, name: string | null) => void): FSWatcher | undefined {
    try {
      const watcher = this.#watchFolder(path, { persistent: false }, heard);
      return watcher.on('error', () => heard('error', null));
    } catch {
      return undefined;
    }
  }

  #forget(path: string): void {
    this.#folders.get(path)?.watcher?.close();
    this.#folders.delete(path);
  }

  /** What is watched of a path and below it. */
  #below(path: string): readonly string[] {
    if (!this.#folders.has(path)) return [];
    return [...this.#folders.keys()].filter((one) => one === path || one.startsWith(path + sep));
  }

  #pollUnwatched(): void {
    if (this.#poll !== undefined || this.#closed) return;
    const unwatched = () => [...this.#folders].flatMap(([path, { watcher }]) => (watcher === undefined ? [path] : []));
    if (unwatched().length === 0) return;
    const look = async () => {
      const begun = performance.now();
      const now = await marksOf(unwatched());
      if (this.#closed) return;
      if (this.#seen !== undefined && now !== this.#seen) {
        this.#isUnsure = true;
        this.#changed();
      }
      this.#seen = now;
      const pause = Math.max(this.#pace.poll, (performance.now() - begun) * POLL_SHARE);
      this.#poll = setTimeout(() => void look(), pause).unref();
    };
    this.#poll = setTimeout(() => void look(), 0).unref();
  }
}

function isOfInterest(name: string | null): boolean {
  return name === null || leftoverOf(name) === undefined;
}

/** The names, sizes and times in these folders as one text: it differs after a change. */
async function marksOf(folders: readonly string[]): Promise<string> {
  const marks: string[] = [];
  for (const path of folders) {
    for (const name of await readdir(path).catch(() => [])) {
      const about = await stat(join(path, name)).catch(() => undefined);
      if (isOfInterest(name)) marks.push(`${path}/${name} ${about?.ino} ${about?.size} ${about?.mtimeMs}`);
    }
  }
  return marks.join('\n');
}

function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
