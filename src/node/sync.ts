import { randomUUID } from 'node:crypto';
import type { News } from './news.ts';
import type { Order, Orders } from './orders.ts';

/** How one node followed an order. Counts are files; `ms` is how long the node itself took. */
export type SyncResult = {
  readonly node: string;
  readonly result: 'done' | 'failed' | 'not reachable' | 'no answer';
  readonly changed: number;
  readonly removed: number;
  readonly ms: number | null;
  /** What went wrong, in words. */
  readonly detail: string | null;
};

/** The request of a sync. Times are in milliseconds. */
export type SyncOptions = {
  readonly what: Extract<Order['what'], 'apply' | 'restore'>;
  /** Whether to wait, until `patienceMs` is over, for nodes that do not wait for orders now. */
  readonly wait: boolean;
  readonly patienceMs: number;
  /** Aborts when the operator has left: orders that no node has taken are withdrawn. */
  readonly gone: AbortSignal;
};

/** A node between two requests asks again within this time; one that boots or is off does not. */
const ABSENCE_MS = 5000;
/** At most this many nodes work on an order at once: each asks for its bundle, which is rendered for it. */
const AT_ONCE = 64;

/** Calls back with nodes' reports as they arrive; returns the function that stops it. */
export type NewsFeed = (listener: (node: string, news: News) => void) => () => void;

/** Orders nodes to apply their bundles at once. Results come in the order in which nodes finish. */
export async function* syncNodes(
  nodes: readonly string[],
  { what, wait, patienceMs, gone }: SyncOptions,
  orders: Orders,
  feed: NewsFeed,
): AsyncGenerator<SyncResult> {
  const order: Order = { id: randomUUID(), what };
  const answered = new Map<string, (news: News) => void>();
  const stop = feed((node, news) => {
    if (news.sync === order.id) answered.get(node)?.(news);
  });
  const patience = AbortSignal.any([gone, AbortSignal.timeout(patienceMs)]);

  const one = async (node: string): Promise<SyncResult> => {
    const { promise, resolve } = Promise.withResolvers<News | undefined>();
    answered.set(node, resolve);
    const absence = wait ? patience : AbortSignal.any([patience, AbortSignal.timeout(ABSENCE_MS)]);
    if (!(await orders.give(node, order, absence))) return silent(node, 'not reachable');
    const giveUp = () => resolve(undefined);
    patience.addEventListener('abort', giveUp, { once: true });
    if (patience.aborted) giveUp();
    const news = await promise;
    patience.removeEventListener('abort', giveUp);
    return news ? resultOf(node, news) : silent(node, 'no answer');
  };

  try {
    // Nodes that wait now work in turns; the others are awaited meanwhile, all at once.
    const present = nodes.filter((node) => orders.isWaiting(node));
    const absent = nodes.filter((node) => !orders.isWaiting(node));
    const finished: SyncResult[] = [];
    let wake = (): void => {};
    const start = (node: string): void => {
      void one(node).then((result) => {
        finished.push(result);
        wake();
      });
    };
    for (const node of absent) start(node);
    for (const node of present.splice(0, AT_ONCE)) start(node);
    for (let open = nodes.length; open > 0; open--) {
      if (finished.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const result = finished.shift();
      if (!result) throw new Error('woken for nothing');
      answered.delete(result.node);
      const next = present.shift();
      if (next !== undefined) start(next);
      yield result;
    }
  } finally {
    stop();
  }
}

function resultOf(node: string, { applied, changed, removed, ms }: News): SyncResult {
  const { failed } = applied;
  return { node, result: failed === undefined ? 'done' : 'failed', changed, removed, ms, detail: failed ?? null };
}

/** What no answer may mean: in each case the node fetches its files when it boots, or at its next interval. */
const SILENCE = {
  'not reachable': 'it does not ask for orders: off, booting, or its image has an older agent',
  'no answer': 'it took the order and has reported nothing since: it went down, or still works on it',
} as const;

function silent(node: string, result: keyof typeof SILENCE): SyncResult {
  return { node, result, changed: 0, removed: 0, ms: null, detail: SILENCE[result] };
}
