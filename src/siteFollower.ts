import { Worker } from 'node:worker_threads';
import { type FaultSink, guarded } from './faults.ts';
import { inTurn } from './inTurn.ts';
import type { Finding, RefusedEdit } from './model/finding.ts';
import type { GaugesOf } from './model/gauges.ts';
import type { SiteListeners } from './site/follow.ts';
import { type PackedSite, unpackSite } from './site/handOver.ts';
import type { Site } from './site/site.ts';
import { FEW_NEW_OBJECTS } from './threadMemory.ts';

export type SiteThreadOptions = { readonly folder: string; readonly stateFolder: string };

/** The thread's messages. `changed`: the difference to the site that was sent before. `same`: files of the site folder changed, and the site is as before. */
export type ToFollower =
  | { readonly kind: 'loaded' | 'changed'; readonly pieces: PackedSite }
  | { readonly kind: 'same' }
  | { readonly kind: 'rejected'; readonly findings: readonly Finding[] }
  | { readonly kind: 'invalid'; readonly findings: readonly Finding[]; readonly warnings: readonly Finding[] }
  | { readonly kind: 'templates'; readonly findings: readonly Finding[]; readonly failure?: string };
export type ToThread = { readonly kind: 'check templates' };

/** A site that a thread of its own reads and watches. */
export type SiteFollower = {
  /** The last valid site. */
  current(): Site;
  /** The faults of the site folder as it is now; `undefined` if the folder is what is in force. */
  refused(): RefusedEdit | undefined;
  /** The faults of the site's templates (see `checkTemplates`); nothing if the check is started again meanwhile. */
  badTemplates(): Promise<readonly Finding[]>;
  gauges(): GaugesOf<'site'>;
  close(): Promise<void>;
};

export type FollowerListeners = {
  /** A site is in force from now on: another one, or the same one with other files. */
  readonly onLoaded: (site: Site) => void;
  readonly onRejected: SiteListeners['onRejected'];
  /** Takes an exception that no code expected; if the thread ended, it is started again. */
  readonly faulted: FaultSink;
};

export type FollowedAside =
  | { readonly ok: true; readonly followed: SiteFollower }
  | { readonly ok: false; readonly findings: readonly Finding[] };

const RESTART_MS = 5000;

/**
 * Loads the site in `folder` and follows its edits, as `followSite` does, in a thread of its own. The calling thread only
 * assembles the site, a piece at a time. `thread` has begun to read it, if it was started before. Rejects if the thread ends before it has read the site.
 */
export async function followSiteAside(
  folder: string,
  stateFolder: string,
  listeners: FollowerListeners,
  thread = new SiteThread({ folder, stateFolder }),
): Promise<FollowedAside> {
  const { promise: first, resolve, reject } = Promise.withResolvers<FollowedAside>();
  const follower = new Follower(folder, stateFolder, listeners);
  follower.start(resolve, reject, thread);
  return first;
}

/** The thread that reads a site, from the moment it is made. What it reports is kept until `hear` is called. */
export class SiteThread {
  readonly #worker: Worker;
  readonly #kept: (() => void)[] = [];
  #hears: { readonly message: (message: ToFollower) => void; readonly ended: (failure: unknown) => void } | undefined;

  constructor(workerData: SiteThreadOptions) {
    this.#worker = new Worker(new URL('./siteThread.ts', import.meta.url), {
      workerData,
      name: 'site',
      execArgv: [],
      resourceLimits: FEW_NEW_OBJECTS,
    });
    let failure: unknown;
    this.#worker.on('message', (message: ToFollower) => this.#pass(() => this.#hears?.message(message)));
    this.#worker.on('error', (error) => {
      failure = error;
    });
    this.#worker.once('exit', (code: number) => {
      const reason = failure ?? new Error(`the thread that reads the site ended with ${code}`);
      this.#pass(() => this.#hears?.ended(reason));
    });
  }

  /** From now on `message` gets what the thread reports, and `ended` why it ended. */
  hear(message: (message: ToFollower) => void, ended: (failure: unknown) => void): void {
    this.#hears = { message, ended };
    for (const pass of this.#kept.splice(0)) pass();
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #pass(pass: () => void): void {
    if (this.#hears) pass();
    else this.#kept.push(pass);
  }
}

class Follower implements SiteFollower {
  readonly #folder: string;
  readonly #stateFolder: string;
  readonly #listeners: FollowerListeners;
  readonly #inOrder = inTurn();
  #thread: SiteThread | undefined;
  #again: NodeJS.Timeout | undefined;
  #site: { readonly site: Site; readonly since: number } | undefined;
  #refused: RefusedEdit | undefined;
  #closed = false;
  #loaded = 0;
  #rejected = 0;
  #waiting: PromiseWithResolvers<readonly Finding[]> | undefined;

  constructor(folder: string, stateFolder: string, listeners: FollowerListeners) {
    this.#folder = folder;
    this.#stateFolder = stateFolder;
    this.#listeners = listeners;
  }

  start(
    resolve: (first: FollowedAside) => void,
    reject: (error: unknown) => void,
    thread = new SiteThread({ folder: this.#folder, stateFolder: this.#stateFolder }),
  ): void {
    this.#thread = thread;
    const { faulted } = this.#listeners;
    thread.hear(
      (message) => {
        this.#inOrder(() => (this.#thread === thread ? this.#take(message, resolve) : undefined)).catch(faulted);
      },
      guarded(faulted, (failure: unknown) => this.#ended(thread, failure, reject)),
    );
  }

  current(): Site {
    if (this.#site === undefined) throw new Error('the site is not loaded yet');
    return this.#site.site;
  }

  refused(): RefusedEdit | undefined {
    return this.#refused;
  }

  gauges(): GaugesOf<'site'> {
    const { networks, nodes } = this.current();
    const refused = this.#refused === undefined ? 0 : 1;
    return { networks: networks.size, nodes: nodes.size, loaded: this.#loaded, rejected: this.#rejected, refused };
  }

  badTemplates(): Promise<readonly Finding[]> {
    this.#waiting?.resolve([]);
    this.#waiting = Promise.withResolvers();
    this.#ask();
    return this.#waiting.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#waiting?.resolve([]);
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.close();
  }

  #startLater(): void {
    if (this.#closed) return;
    this.#again = setTimeout(
      guarded(this.#listeners.faulted, () => {
        this.start(() => {}, this.#listeners.faulted);
        if (this.#waiting) this.#ask();
      }),
      RESTART_MS,
    ).unref();
  }

  #ask(): void {
    const message: ToThread = { kind: 'check templates' };
    this.#thread?.post(message);
  }

  async #take(message: ToFollower, resolve: (first: FollowedAside) => void): Promise<void> {
    if (this.#closed) return;
    const isFirst = this.#site === undefined;
    switch (message.kind) {
      case 'loaded':
      case 'changed': {
        const site = await unpackSite(message.pieces, message.kind === 'changed' ? this.#site?.site : undefined);
        if (this.#closed) return;
        this.#site = { site, since: Date.now() };
        this.#loaded++;
        this.#refused = undefined;
        if (isFirst) resolve({ ok: true, followed: this });
        else this.#listeners.onLoaded(site);
        break;
      }
      case 'same':
        if (this.#site) this.#site = { ...this.#site, since: Date.now() };
        this.#refused = undefined;
        this.#listeners.onLoaded(this.current());
        break;
      case 'rejected':
        this.#reject(message.findings);
        break;
      case 'invalid':
        // A thread that was restarted is tried again until it finds a valid site.
        if (isFirst) {
          this.#closed = true;
          resolve({ ok: false, findings: message.findings });
        } else this.#reject(message.findings, JSON.stringify(this.#refused?.findings));
        await this.#stop();
        if (!isFirst) this.#startLater();
        break;
      case 'templates':
        if (message.failure !== undefined) this.#waiting?.reject(new Error(message.failure));
        else this.#waiting?.resolve(message.findings);
        this.#waiting = undefined;
        break;
    }
  }

  /** `reported`: findings that are not reported again, as JSON. */
  #reject(findings: readonly Finding[], reported?: string): void {
    this.#refused = { at: Date.now(), findings, servingSince: this.#site?.since ?? Date.now() };
    if (JSON.stringify(findings) === reported) return;
    this.#rejected++;
    this.#listeners.onRejected(findings);
  }

  #ended(thread: SiteThread, failure: unknown, reject: (error: unknown) => void): void {
    if (this.#closed || this.#thread !== thread) return;
    this.#thread = undefined;
    if (this.#site === undefined) {
      reject(failure);
      return;
    }
    this.#listeners.faulted(failure);
    this.#startLater();
  }
}
