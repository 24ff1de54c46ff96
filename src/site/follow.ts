import { join } from 'node:path';
import type { Finding, RefusedEdit } from '../model/finding.ts';
import type { Loaded } from './load.ts';
import { loadServable } from './servable.ts';
import type { Site } from './site.ts';
import { holds } from './siteLinks.ts';
import { SiteMemory } from './siteMemory.ts';
import { type Watching, watchSite } from './watch.ts';

/** Called after the site was read again. The listeners must not throw. */
export type SiteListeners = {
  /** A valid site is in force from now on. */
  readonly onLoaded: (site: Site, warnings: readonly Finding[]) => void;
  /** The edit is invalid; the last valid site stays in force. */
  readonly onRejected: (findings: readonly Finding[]) => void;
};

/** A site that follows its folder. */
export type FollowedSite = {
  /** The last valid site. */
  current(): Site;
  /** The faults of the site folder as it is now; `undefined` if the folder is what is in force. */
  refused(): RefusedEdit | undefined;
  /** Reads the folder again now; settles once that is done. */
  reload(): Promise<void>;
  close(): void;
};

export type Followed =
  | { readonly ok: true; readonly followed: FollowedSite; readonly warnings: readonly Finding[] }
  | (Loaded & { readonly ok: false });

/**
 * Loads the site in `folder` and follows edits from then on. The first load is the result itself, and nothing is followed if it
 * fails; the listeners get every later one. `stateFolder` is that of the server that serves the site.
 */
export async function followSite(
  folder: string,
  listeners: SiteListeners,
  {
    watching = watchSite,
    stateFolder,
  }: {
    readonly watching?: (folder: string, onChange: () => void) => Watching;
    readonly stateFolder?: string;
  } = {},
): Promise<Followed> {
  // Watched before it is read, so that no edit is missed in between.
  const early = new EarlyChanges();
  const watch = watching(folder, early.note);
  await watch.ready;
  const memory = new SiteMemory();
  const load = (before?: ReadonlyMap<string, string>) =>
    loadServable(folder, { ...(before === undefined ? {} : { before }), stateFolder, memory });
  const loaded = await load();
  if (!loaded.ok) {
    watch.close();
    return loaded;
  }
  await watch.follow(leftOutOf(loaded.site));
  const followed = new Follower(load, loaded, listeners, watch);
  early.passTo(() => void followed.reload());
  return { ok: true, followed, warnings: loaded.warnings };
}

/**
 * Folders below the site folder that are no part of the site: the files for TFTP, and the sources of images. Copying a mirror
 * there is not an edit.
 */
export function leftOutOf({ root, tftp, images }: Pick<Site, 'root' | 'tftp' | 'images'>): ReadonlySet<string> {
  const sources = [...images.values()].flatMap(({ from }) => ('path' in from ? [from.path] : []));
  const read = ['profiles', 'images', 'overlays', 'nodes'].map((name) => join(root, name));
  const served = tftp.root === undefined || read.some((folder) => holds(folder, tftp.root ?? '')) ? [] : [tftp.root];
  return new Set([...served, ...sources].filter((path) => path !== root && holds(root, path)));
}

/** Records a change until a listener exists. */
class EarlyChanges {
  #changed = false;
  #report: (() => void) | undefined;

  readonly note = (): void => {
    if (this.#report === undefined) this.#changed = true;
    else this.#report();
  };

  passTo(report: () => void): void {
    this.#report = report;
    if (this.#changed) report();
  }
}

type Served = Pick<Loaded & { readonly ok: true }, 'site' | 'texts'>;

class Follower implements FollowedSite {
  readonly #read: (before: ReadonlyMap<string, string>) => Promise<Loaded>;
  readonly #listeners: SiteListeners;
  readonly #watch: Watching;
  /** The last good site, and the texts of its YAML files. */
  #served: Served;
  #since = Date.now();
  #refused: RefusedEdit | undefined;
  #closed = false;
  /** The running load, and the one that waits for it: edits during a load cause one more load, not many. */
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(
    read: (before: ReadonlyMap<string, string>) => Promise<Loaded>,
    served: Served,
    listeners: SiteListeners,
    watch: Watching,
  ) {
    this.#read = read;
    this.#served = served;
    this.#listeners = listeners;
    this.#watch = watch;
  }

  current(): Site {
    return this.#served.site;
  }

  refused(): RefusedEdit | undefined {
    return this.#refused;
  }

  reload(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#load().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      return this.reload();
    });
    return this.#waiting;
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }

  async #load(): Promise<void> {
    const loaded = await this.#read(this.#served.texts);
    if (this.#closed) return;
    if (loaded.ok) {
      await this.#watch.follow(leftOutOf(loaded.site));
      if (this.#closed) return;
      this.#served = loaded;
      this.#since = Date.now();
      this.#refused = undefined;
      this.#listeners.onLoaded(loaded.site, loaded.warnings);
    } else {
      this.#refused = { at: Date.now(), findings: loaded.findings, servingSince: this.#since };
      this.#listeners.onRejected(loaded.findings);
    }
  }
}
