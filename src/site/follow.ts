import { join } from 'node:path';
import type { Finding, RefusedEdit } from '../model/finding.ts';
import type { Loaded } from './load.ts';
import { loadServable } from './servable.ts';
import type { Site } from './site.ts';
import { holds } from './siteLinks.ts';
import { type Watching, watchSite } from './watch.ts';

/** Who is told when the site was read again. They must not throw. */
export type SiteListeners = {
  /** A whole site is in force from now on. */
  readonly onLoaded: (site: Site, warnings: readonly Finding[]) => void;
  /** The edit is bad; the last good site stays in force. */
  readonly onRejected: (findings: readonly Finding[]) => void;
};

/** A site that follows its folder. */
export type FollowedSite = {
  /** The last good site. */
  current(): Site;
  /** What is wrong with the site folder as it is now; `undefined` if it is what is in force. */
  refused(): RefusedEdit | undefined;
  /** Reads the folder again now; settles once that is done. */
  reload(): Promise<void>;
  close(): void;
};

export type Followed =
  | { readonly ok: true; readonly followed: FollowedSite; readonly warnings: readonly Finding[] }
  | (Loaded & { readonly ok: false });

/**
 * Loads the site in `folder` and follows edits from then on. The first load is the result itself, and nothing is
 * followed if it fails; the listeners are told of every later one. `stateFolder` is that of the server that serves it.
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
  // Watched before it is read, so that no edit falls between the two.
  const early = new EarlyChanges();
  const watch = watching(folder, early.note);
  await watch.ready;
  const load = (before?: ReadonlyMap<string, string>) =>
    loadServable(folder, { ...(before === undefined ? {} : { before }), stateFolder });
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
 * What lies in the site folder and is no part of the site: the files for TFTP, and what images are made from. Whoever copies a mirror there
 * edits nothing.
 */
export function leftOutOf({ root, tftp, images }: Pick<Site, 'root' | 'tftp' | 'images'>): ReadonlySet<string> {
  const sources = [...images.values()].flatMap(({ from }) => ('path' in from ? [from.path] : []));
  const read = ['profiles', 'images', 'overlays', 'nodes'].map((name) => join(root, name));
  const served = tftp.root === undefined || read.some((folder) => holds(folder, tftp.root ?? '')) ? [] : [tftp.root];
  return new Set([...served, ...sources].filter((path) => path !== root && holds(root, path)));
}

/** Remembers that something changed until there is someone to tell. */
class EarlyChanges {
  #changed = false;
  #tell: (() => void) | undefined;

  readonly note = (): void => {
    if (this.#tell === undefined) this.#changed = true;
    else this.#tell();
  };

  passTo(tell: () => void): void {
    this.#tell = tell;
    if (this.#changed) tell();
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
  /** The load that runs, and the one that waits for it: an edit during a load asks for one more, not for many. */
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
