import { setImmediate } from 'node:timers/promises';
import { ReveilleError, wordsOf } from '../errors.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { EventSink } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { SiteNode } from '../model/node.ts';
import type { Drifted, FilesStatus } from '../model/nodeFiles.ts';
import { recall } from '../recall.ts';
import type { AppliedStore } from './appliedStore.ts';
import { type Bundle, filesOnly, manifestFiles } from './bundle.ts';
import type { Contents } from './contents.ts';
import { CurrentBundles } from './currentBundles.ts';
import { diffNode, type NodeDiff } from './diff.ts';
import type { Applied, News } from './news.ts';
import { type AppliedAt, filesStatusOf } from './standing.ts';
import type { NewsFeed } from './sync.ts';

export type NodeFilesFrom = {
  /** The site's nodes as they are now. */
  readonly nodes: () => ReadonlyMap<string, SiteNode>;
  /** A node's bundle as the site gives it now. */
  readonly render: (node: SiteNode) => Promise<Bundle>;
  readonly store: AppliedStore;
  readonly contents: Pick<Contents, 'keep' | 'text' | 'forgetAllBut'>;
  readonly emit: EventSink;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

const TIDY_MS = 3_600_000;
/** Manifests of all nodes together, in UTF-16 code units; one that comes when there are more is not kept. */
const MOST_MANIFESTS = 256 * 1024 * 1024;

/** What a diff gives: what would change on a node, and the names of the bundle that it has and of the one that it would get. */
export type GivenDiff = NodeDiff & { readonly applied: string; readonly current: string };

/**
 * What is known of the files of running nodes: what each has, and what the site gives it. A store that fails is reported and does no
 * harm: nodes' reports are kept in memory too. Nodes that left the site are forgotten, and texts that no node has are forgotten every
 * hour.
 */
export class NodeFiles {
  readonly #from: NodeFilesFrom;
  readonly #applied = new Map<string, AppliedAt>();
  readonly #unsaved = new Map<string, AppliedAt>();
  readonly #commit: GroupCommit<ReadonlyMap<string, AppliedAt>>;
  readonly #current: CurrentBundles;
  /** What agents without folders call the bundles that are not the same for them, by node. */
  readonly #olderNames = new Map<string, string>();
  readonly #listeners = new Set<(node: string, news: News) => void>();
  #manifestLength = 0;
  #sent = 0;
  #reports = 0;
  #stopRecalling = (): void => {};
  #tidying: NodeJS.Timeout | undefined;

  private constructor(from: NodeFilesFrom) {
    this.#from = from;
    const known = () => [...this.#applied.keys()].filter((name) => from.nodes().has(name));
    this.#current = new CurrentBundles(known, (name) => this.#nameOf(name));
    this.#commit = new GroupCommit({
      take: () => takeSome(this.#unsaved),
      write: (some) => from.store.save(some),
      lost: (_, error) => {
        // They are known as long as this server runs, and nodes report again.
        this.#trouble(error);
        return true;
      },
    });
  }

  /** Opens it with what the store remembers; what cannot be read yet is read later. */
  static async open(from: NodeFilesFrom): Promise<NodeFiles> {
    const files = new NodeFiles(from);
    files.#stopRecalling = await recall(
      () => files.#recall(),
      (error) => files.#trouble(error),
    );
    return files;
  }

  /** Nodes that reported what they have, and the text of their manifests; bundles sent and reports since the start. */
  gauges(): GaugesOf<'bundles'> {
    const { size } = this.#applied;
    return { nodes: size, manifestLength: this.#manifestLength, sent: this.#sent, reports: this.#reports };
  }

  /** Notes the bundle that a node is about to be sent. */
  sent(node: SiteNode, bundle: Bundle): void {
    this.#sent++;
    this.#note(node, bundle);
    this.#from.contents.keep(bundle);
  }

  /** Takes a node's report. */
  readonly onNews = (node: SiteNode, news: News): void => {
    this.#reports++;
    const before = this.#applied.get(node.name);
    const report = { ...this.#roomFor(news.applied, before), at: this.#from.now() };
    this.#manifestLength += (report.manifest?.length ?? 0) - (before?.manifest?.length ?? 0);
    this.#applied.set(node.name, report);
    this.#unsaved.set(node.name, report);
    void this.#commit.run();
    const words = driftWords(before?.drift ?? [], news.applied);
    if (words !== undefined) {
      const step = { kind: 'node.step', code: 'drift', status: 'done', during: 'refresh' } as const;
      this.#from.emit({ ...step, detail: words, node: node.name });
    }
    for (const listener of this.#listeners) listener(node.name, news);
  };

  /** Calls `listener` with the reports of nodes; returns the way to stop. */
  readonly feed: NewsFeed = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** `undefined` for a node that has not reported yet. */
  standing(name: string): FilesStatus | undefined {
    const report = this.#applied.get(name);
    const now = this.#current.of(name);
    return (
      report && filesStatusOf(report, now === undefined || report.folders ? now : (this.#olderNames.get(name) ?? now))
    );
  }

  /** What would change on the node. Rejects with FILES_UNKNOWN, or as rendering its bundle does. */
  async diff(node: SiteNode): Promise<GivenDiff> {
    const report = this.#applied.get(node.name);
    if (report?.manifest === undefined) {
      const why = report ? 'has more files than it can list' : 'has not reported yet which files it has';
      throw new ReveilleError('FILES_UNKNOWN', `${node.name} ${why}`, {
        hint: 'It reports them at the end of its boot, if its image was built with this version: see `reveille why`.',
      });
    }
    const bundle = await this.#from.render(node);
    this.#note(node, bundle);
    const given = report.folders
      ? bundle
      : { ...bundle, manifest: filesOnly(bundle.manifest), sha256: bundle.olderSha256 };
    const diff = await diffNode(report, given, (sha256) => this.#from.contents.text(sha256));
    return { applied: report.sha256, current: given.sha256, ...diff };
  }

  /** The site is another one. */
  siteChanged(): void {
    const left = [...this.#applied.keys()].filter((name) => !this.#from.nodes().has(name));
    for (const name of left) {
      this.#applied.delete(name);
      this.#unsaved.delete(name);
      this.#olderNames.delete(name);
    }
    this.#measureManifests();
    if (left.length > 0) this.#forget(left);
    this.#current.changed();
  }

  close(): void {
    this.#stopRecalling();
    clearInterval(this.#tidying);
    this.#current.close();
  }

  async #recall(): Promise<void> {
    const { store, nodes } = this.#from;
    const kept = await store.read();
    const gone = [...kept.keys()].filter((name) => !nodes().has(name));
    for (const [name, report] of kept)
      if (nodes().has(name) && !this.#applied.has(name)) this.#applied.set(name, report);
    this.#measureManifests();
    await store.forget(gone).catch((error: unknown) => this.#trouble(error));
    this.#current.changed();
    // Before it is known what nodes have, no text is known to be unused.
    const tidy = () => void this.#tidy().catch((error: unknown) => this.#trouble(error));
    this.#tidying = setInterval(tidy, TIDY_MS).unref();
    tidy();
  }

  /** The name of a node's current bundle. One that does not render has none, and is reported by the check of the site. */
  async #nameOf(name: string): Promise<string | undefined> {
    const { nodes, render } = this.#from;
    const node = nodes().get(name);
    const bundle = node && (await render(node).catch(() => undefined));
    if (bundle) this.#noteOlder(node, bundle);
    return bundle?.sha256;
  }

  #note(node: SiteNode, bundle: Bundle): void {
    this.#noteOlder(node, bundle);
    this.#current.note(node.name, bundle.sha256);
  }

  #noteOlder({ name }: SiteNode, { sha256, olderSha256 }: Bundle): void {
    if (sha256 === olderSha256) this.#olderNames.delete(name);
    else this.#olderNames.set(name, olderSha256);
  }

  /** A report without its manifest where there is no room for that. */
  #roomFor(report: Applied, before: Applied | undefined): Applied {
    const { manifest, ...rest } = report;
    const length = this.#manifestLength - (before?.manifest?.length ?? 0) + (manifest?.length ?? 0);
    return manifest === undefined || length <= MOST_MANIFESTS ? report : rest;
  }

  #measureManifests(): void {
    this.#manifestLength = [...this.#applied.values()].reduce((sum, { manifest = '' }) => sum + manifest.length, 0);
  }

  /** Forgets the texts that no node has. */
  async #tidy(): Promise<void> {
    const used = new Set<string>();
    for (const { manifest = '' } of [...this.#applied.values()]) {
      for (const { blob } of manifestFiles(manifest)) used.add(blob);
      // A manifest takes milliseconds; requests come in between.
      await setImmediate();
    }
    await this.#from.contents.forgetAllBut(used);
  }

  #forget(names: readonly string[]): void {
    void this.#from.store.forget(names).catch((error: unknown) => this.#trouble(error));
  }

  #trouble(error: unknown): void {
    this.#from.emit({ kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: wordsOf(error) });
  }
}

/** Reports in one transaction, and how much they say: leases need not wait long. */
const AT_ONCE = 100;
const TEXT_AT_ONCE = 1024 * 1024;

/** Takes out as many reports as go together. */
function takeSome(unsaved: Map<string, AppliedAt>): ReadonlyMap<string, AppliedAt> | undefined {
  const some = new Map<string, AppliedAt>();
  let text = 0;
  for (const [node, applied] of unsaved) {
    text += applied.manifest?.length ?? 0;
    if (some.size > 0 && (some.size >= AT_ONCE || text > TEXT_AT_ONCE)) break;
    some.set(node, applied);
    unsaved.delete(node);
  }
  return some.size > 0 ? some : undefined;
}

const MOST_NAMED = 5;

/** What is new about the drift of a node, in words; nothing where it is as it was. */
function driftWords(before: readonly Drifted[], { drift, drifted }: Applied): string | undefined {
  if (JSON.stringify(before) === JSON.stringify(drift)) return undefined;
  if (drifted === 0) return 'no file differs any more from what was written';
  const named = drift.slice(0, MOST_NAMED).map(({ path }) => path);
  const more = drifted > named.length ? ` and ${drifted - named.length} more` : '';
  return `changed on the node: ${named.join(', ')}${more}`;
}
