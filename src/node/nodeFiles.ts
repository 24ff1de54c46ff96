import { setImmediate } from 'node:timers/promises';
import { ReveilleError, wordsOf } from '../errors.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { EventSink } from '../model/event.ts';
import type { SiteNode } from '../model/node.ts';
import type { Drifted, FilesStatus } from '../model/nodeFiles.ts';
import { recall } from '../recall.ts';
import type { AppliedStore } from './appliedStore.ts';
import { type Bundle, filesOnly, manifestFiles } from './bundle.ts';
import type { Contents } from './contents.ts';
import { createCurrentBundles } from './currentBundles.ts';
import { diffNode, type NodeDiff } from './diff.ts';
import type { Applied, News } from './news.ts';
import { type AppliedAt, filesStatusOf } from './standing.ts';
import type { NewsFeed } from './sync.ts';

/** What is known of the files of running nodes: what each has, and what the site gives it. */
export type NodeFiles = {
  /** Notes the bundle that a node is about to be sent. */
  sent(node: SiteNode, bundle: Bundle): void;
  /** Takes a node's report. */
  onNews(node: SiteNode, news: News): void;
  readonly feed: NewsFeed;
  /** `undefined` for a node that has not reported yet. */
  standing(node: string): FilesStatus | undefined;
  /** What would change on the node. Rejects with FILES_UNKNOWN, or as rendering its bundle does. */
  diff(node: SiteNode): Promise<NodeDiff & { readonly applied: string; readonly current: string }>;
  /** The site is another one. */
  siteChanged(): void;
  close(): void;
};

export type NodeFilesFrom = {
  /** The site's nodes as they are now. */
  readonly nodes: () => ReadonlyMap<string, SiteNode>;
  /** A node's bundle as the site gives it now. */
  readonly render: (node: SiteNode) => Promise<Bundle>;
  readonly store: AppliedStore;
  readonly contents: Contents;
  readonly emit: EventSink;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

const TIDY_MS = 3_600_000;
/** Manifests of all nodes together, in UTF-16 code units; one that comes when there are more is not kept. */
const MOST_MANIFESTS = 256 * 1024 * 1024;

/**
 * Opens it with what the store remembers. A store that fails is reported and does no harm: nodes' reports are kept in memory too.
 * Nodes that left the site are forgotten, and texts that no node has are forgotten every hour.
 */
export async function openNodeFiles({ nodes, render, store, contents, emit, now }: NodeFilesFrom): Promise<NodeFiles> {
  const applied = new Map<string, AppliedAt>();
  const trouble = (error: unknown) =>
    emit({ kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: wordsOf(error) });
  /** What agents without folders call the bundles that are not the same for them, by node. */
  const olderNames = new Map<string, string>();
  const noteOlder = ({ name }: SiteNode, { sha256, olderSha256 }: Bundle) => {
    if (sha256 === olderSha256) olderNames.delete(name);
    else olderNames.set(name, olderSha256);
  };
  const listeners = new Set<(node: string, news: News) => void>();
  const known = () => [...applied.keys()].filter((name) => nodes().has(name));
  const current = createCurrentBundles(known, async (name) => {
    const node = nodes().get(name);
    // A bundle that does not render is reported by the check of the site.
    const bundle = node && (await render(node).catch(() => undefined));
    if (bundle) noteOlder(node, bundle);
    return bundle?.sha256;
  });
  const tidy = async () => {
    const used = new Set<string>();
    for (const { manifest = '' } of [...applied.values()]) {
      for (const { blob } of manifestFiles(manifest)) used.add(blob);
      // A manifest takes milliseconds; requests come in between.
      await setImmediate();
    }
    await contents.forgetAllBut(used);
  };
  const unsaved = new Map<string, AppliedAt>();
  const commit = new GroupCommit<ReadonlyMap<string, AppliedAt>>({
    take: () => takeSome(unsaved),
    write: (some) => store.save(some),
    lost: (_, error) => {
      // They are known as long as this server runs, and nodes report again.
      trouble(error);
      return true;
    },
  });
  const manifests = () => [...applied.values()].reduce((sum, { manifest = '' }) => sum + manifest.length, 0);
  let manifestLength = 0;
  const roomFor = (report: Applied, before: Applied | undefined): Applied => {
    const { manifest, ...rest } = report;
    const length = manifestLength - (before?.manifest?.length ?? 0) + (manifest?.length ?? 0);
    return manifest === undefined || length <= MOST_MANIFESTS ? report : rest;
  };
  let tidying: NodeJS.Timeout | undefined;
  const stopRecalling = await recall(async () => {
    const kept = await store.read();
    const gone = [...kept.keys()].filter((name) => !nodes().has(name));
    for (const [name, report] of kept) if (nodes().has(name) && !applied.has(name)) applied.set(name, report);
    manifestLength = manifests();
    await store.forget(gone).catch(trouble);
    current.changed();
    // Before it is known what nodes have, no text is known to be unused.
    tidying = setInterval(() => void tidy().catch(trouble), TIDY_MS).unref();
    void tidy().catch(trouble);
  }, trouble);

  return {
    sent(node, bundle) {
      noteOlder(node, bundle);
      current.note(node.name, bundle.sha256);
      contents.keep(bundle);
    },
    onNews(node, news) {
      const before = applied.get(node.name);
      const report = { ...roomFor(news.applied, before), at: now() };
      manifestLength += (report.manifest?.length ?? 0) - (before?.manifest?.length ?? 0);
      applied.set(node.name, report);
      unsaved.set(node.name, report);
      void commit.run();
      const words = driftWords(before?.drift ?? [], news.applied);
      if (words !== undefined) {
        const step = { kind: 'node.step', code: 'drift', status: 'done', during: 'refresh' } as const;
        emit({ ...step, detail: words, node: node.name });
      }
      for (const listener of listeners) listener(node.name, news);
    },
    feed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    standing(name) {
      const report = applied.get(name);
      const now = current.of(name);
      return report && filesStatusOf(report, now === undefined || report.folders ? now : (olderNames.get(name) ?? now));
    },
    async diff(node) {
      const report = applied.get(node.name);
      if (report?.manifest === undefined) {
        const why = report ? 'has more files than it can list' : 'has not reported yet which files it has';
        throw new ReveilleError('FILES_UNKNOWN', `${node.name} ${why}`, {
          hint: 'It reports them at the end of its boot, if its image was built with this version: see `reveille why`.',
        });
      }
      const bundle = await render(node);
      noteOlder(node, bundle);
      current.note(node.name, bundle.sha256);
      const given = report.folders
        ? bundle
        : { ...bundle, manifest: filesOnly(bundle.manifest), sha256: bundle.olderSha256 };
      const diff = await diffNode(report, given, (sha256) => contents.text(sha256));
      return { applied: report.sha256, current: given.sha256, ...diff };
    },
    siteChanged() {
      const left = [...applied.keys()].filter((name) => !nodes().has(name));
      for (const name of left) {
        applied.delete(name);
        unsaved.delete(name);
        olderNames.delete(name);
      }
      manifestLength = manifests();
      if (left.length > 0) void store.forget(left).catch(trouble);
      current.changed();
    },
    close() {
      stopRecalling();
      clearInterval(tidying);
      current.close();
    },
  };
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
  if (drifted === 0) return 'no file differs any more from what was laid';
  const named = drift.slice(0, MOST_NAMED).map(({ path }) => path);
  const more = drifted > named.length ? ` and ${drifted - named.length} more` : '';
  return `changed on the node: ${named.join(', ')}${more}`;
}
