import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { leftoverOf } from './leftovers.ts';

export type Watching = {
  /** Settles once every folder is watched: later changes are not missed. */
  readonly ready: Promise<void>;
  close(): void;
};

/** Times in milliseconds. */
export type WatchPace = {
  /** How long the folder must have been quiet before a change is told: editors and `git` write in many steps. */
  readonly quiet: number;
  /** After how long it is told all the same. */
  readonly patience: number;
  /** How often the tree is looked through where it cannot be watched. */
  readonly poll: number;
};

const PACE: WatchPace = { quiet: 150, patience: 2000, poll: 5000 };

/**
 * Calls `onChange` after files in the site folder changed, once for a burst of changes. Every folder of the tree is
 * watched by itself, so that files that are written beside and renamed are seen, and folders made later are too; the
 * folder's parent is watched so that the folder may be replaced or be a link that is turned. Where the system gives
 * no watch (too many, or a file system without them), the tree is looked through now and then instead.
 */
export function watchSite(
  folder: string,
  onChange: () => void,
  pace: WatchPace = PACE,
  watchFolder: typeof watch = watch,
): Watching {
  return new SiteWatch(resolve(folder), onChange, pace, watchFolder);
}

class SiteWatch implements Watching {
  readonly ready: Promise<void>;
  readonly #root: string;
  readonly #onChange: () => void;
  readonly #pace: WatchPace;
  readonly #watchFolder: typeof watch;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Watched folders by the identity that they had when their watch was set. */
  readonly #identities = new Map<string, string>();
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
    this.#watch(dirname(root), (name) => name === null || name === basename(root));
    this.ready = this.#follow();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#settle);
    clearTimeout(this.#poll);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #changed(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#settle === undefined) this.#firstChange = now;
    clearTimeout(this.#settle);
    const left = this.#firstChange + this.#pace.patience - now;
    this.#settle = setTimeout(() => this.#settled(), Math.max(0, Math.min(this.#pace.quiet, left)));
  }

  /** New folders are watched before the change is told: whatever is written into them later is seen. */
  async #settled(): Promise<void> {
    this.#settle = undefined;
    await this.#follow();
    if (!this.#closed) this.#onChange();
  }

  /** Watches the folders that the tree has now, and no others. */
  async #follow(): Promise<void> {
    const { folders, whole } = await foldersOf(this.#root);
    if (this.#closed) return;
    if (!whole) this.#startPolling();
    for (const [path, identity] of folders) {
      if (this.#identities.get(path) === identity) continue;
      this.#unwatch(path);
      this.#watch(path, isOfInterest);
      this.#identities.set(path, identity);
    }
    for (const path of this.#identities.keys()) if (!folders.has(path)) this.#unwatch(path);
  }

  #watch(path: string, concerns: (name: string | null) => boolean): void {
    try {
      const watcher = this.#watchFolder(path, { persistent: false }, (_, name) => {
        if (concerns(name)) this.#changed();
      });
      watcher.on('error', () => this.#changed());
      this.#watchers.set(path, watcher);
    } catch (error) {
      // A folder that is gone by now is no reason to poll: its parent's watch tells.
      if (!isAbsence(error)) this.#startPolling();
    }
  }

  #unwatch(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
    this.#identities.delete(path);
  }

  #startPolling(): void {
    if (this.#poll !== undefined || this.#closed) return;
    const look = async () => {
      const now = await treeMarks(this.#root);
      if (this.#closed) return;
      if (this.#seen !== undefined && now !== this.#seen) this.#changed();
      this.#seen = now;
      this.#poll = setTimeout(look, this.#pace.poll).unref();
    };
    this.#poll = setTimeout(look, 0).unref();
  }
}

function isOfInterest(name: string | null): boolean {
  return name === null || leftoverOf(name) === undefined;
}

const DEEPEST = 40;

/**
 * Every folder of the tree with its identity: a folder that was replaced has another. A link is followed only if it is
 * the root. Not `whole` if something could not be read, other than for being gone.
 */
async function foldersOf(root: string): Promise<{ folders: ReadonlyMap<string, string>; whole: boolean }> {
  const folders = new Map<string, string>();
  let whole = true;
  const visit = async (path: string, depth: number): Promise<void> => {
    try {
      const { dev, ino } = await stat(path);
      const entries = await readdir(path, { withFileTypes: true });
      folders.set(path, `${dev}:${ino}`);
      if (depth === DEEPEST) return;
      for (const entry of entries) {
        if (entry.isDirectory() && leftoverOf(entry.name, 'folder') === undefined)
          await visit(join(path, entry.name), depth + 1);
      }
    } catch (error) {
      if (!isAbsence(error)) whole = false;
    }
  };
  await visit(root, 0);
  return { folders, whole };
}

/** The tree's names, sizes and times as one text: it differs after a change. */
async function treeMarks(root: string): Promise<string> {
  const marks: string[] = [];
  for (const path of (await foldersOf(root)).folders.keys()) {
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
