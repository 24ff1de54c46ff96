import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import { type FaultSink, guarded } from '../faults.ts';
import type { Event } from '../model/event.ts';
import type { SyncOptions } from '../node/sync.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { addLeaseRoutes, type LeasesForOperators } from './leaseRoutes.ts';
import { isSet, wholeNumber } from './query.ts';
import { addRollRoutes } from './rollRoutes.ts';
import { listenOnSocket } from './unixSocket.ts';

/** Which of the events that were: at or after `since` (milliseconds since the epoch), of these nodes, the newest `limit`. */
export type EventFilter = { readonly since?: number; readonly nodes?: readonly string[]; readonly limit: number };

/** What the operators' API is made from. */
export type OperatorsFrom = {
  readonly status: () => Promise<unknown>;
  /** Calls `listener` for each event from now on; returns the way to stop. */
  readonly subscribe: (listener: (event: Event) => void) => () => void;
  /** The names of the nodes that a set names. Throws NODE_UNKNOWN, NODE_SET_INVALID. */
  readonly nodesNamed: (set: string) => readonly string[];
  /** Orders these nodes to apply their bundles; results come as nodes finish. */
  readonly sync: (nodes: readonly string[], options: SyncOptions) => AsyncIterable<unknown>;
  /** What would change on the node of this name. Throws FILES_UNKNOWN, SITE_INVALID, TEMPLATE_INVALID. */
  readonly diff: (node: string) => Promise<unknown>;
  /** Oldest first. */
  readonly recentEvents: (filter: EventFilter) => Promise<readonly Event[]>;
  readonly rolls: RollsForOperators;
  readonly leases: LeasesForOperators;
  /** Takes in exceptions that no code expected. */
  readonly faulted: FaultSink;
};

export type OperatorsServer = {
  /** Listens on the Unix socket at `path`, for its user and group. */
  listen(path: string): Promise<void>;
  close(): Promise<void>;
};

/** Connections at once; commands hold one each. */
const MOST_OPERATORS = 256;
const MOST_EVENTS = 10_000;
const SYNC_PATIENCE_MS = 120_000;
/** A watcher that does not read is let go rather than remembered for. */
const MOST_UNREAD = 8 * 1024 * 1024;

/**
 * The server for operators: `GET /api/v1/status`, `GET /api/v1/events?since=&node=&limit=&follow=1` (NDJSON), `GET
 * /api/v1/diff?node=` and `POST /api/v1/sync?nodes=&restore=1&wait=1&timeout=` (NDJSON: first `{ nodes }`, then a result for
 * each; the timeout in milliseconds). Rolls: see rollRoutes.ts.
 */
export function createOperatorsServer(from: OperatorsFrom): OperatorsServer {
  const app = createApp(from.faulted, new Connections(MOST_OPERATORS, MOST_OPERATORS));
  addRollRoutes(app, from.rolls);
  addLeaseRoutes(app, from.leases);
  app.get('/api/v1/status', async (_request, reply) => reply.send(await from.status()));
  app.get('/api/v1/events', async (request, reply) => {
    const { follow, ...filter } = eventsQuery(request.query as Record<string, unknown>, from.nodesNamed);
    return streamEvents(reply, from, filter, follow);
  });
  app.get('/api/v1/diff', async (request, reply) => {
    const { node } = request.query as { node?: unknown };
    const [name] = from.nodesNamed(String(node ?? ''));
    return reply.send(await from.diff(name ?? ''));
  });
  app.post('/api/v1/sync', async (request, reply) => {
    const query = request.query as Record<string, unknown>;
    const nodes = from.nodesNamed(String(query.nodes ?? ''));
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const results = from.sync(nodes, {
      gone: gone.signal,
      what: isSet(query.restore) ? 'restore' : 'apply',
      wait: isSet(query.wait),
      patienceMs: query.timeout === undefined ? SYNC_PATIENCE_MS : wholeNumber('timeout', query.timeout),
    });
    return streamLines(reply, nodes, results, from.faulted);
  });

  let release: (() => Promise<void>) | undefined;
  return {
    async listen(path) {
      release = await listenOnSocket(path, (at) => app.listen({ path: at }));
    },
    async close() {
      await app.close();
      await release?.();
    },
  };
}

/**
 * The events that were, then with `follow` those that come. Without `since` a follower gets only what comes. Listening
 * begins before the store is asked, so that no event falls between the two.
 */
async function streamEvents(
  reply: FastifyReply,
  from: OperatorsFrom,
  filter: EventFilter,
  follow: boolean,
): Promise<FastifyReply> {
  const response = reply.raw;
  const asked = filter.nodes && new Set(filter.nodes);
  const write = (event: Event): void => {
    if (asked && !(event.node !== undefined && asked.has(event.node))) return;
    response.write(`${JSON.stringify(event)}\n`);
    if (response.writableLength > MOST_UNREAD) response.destroy();
  };
  const meanwhile: Event[] = [];
  let live = false;
  const hear = (event: Event): void => {
    if (live) write(event);
    // A store that takes so long has more to tell than this follower can read.
    else if (meanwhile.push(event) > MOST_EVENTS) response.destroy();
  };
  const stop = follow ? from.subscribe(guarded(from.faulted, hear)) : () => {};
  try {
    const events = follow && filter.since === undefined ? [] : await from.recentEvents(filter);
    reply.hijack();
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    const newest = events.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
    for (const event of events) write(event);
    for (const event of meanwhile) if (event.at > newest || !events.some((known) => isSame(known, event))) write(event);
    live = true;
    if (!follow) response.end();
    else if (!response.destroyed) await once(response, 'close');
  } catch (error) {
    breakOff(reply, error, from.faulted);
  } finally {
    stop();
  }
  return reply;
}

/** An answer that has begun can only be cut off; before that it is refused as any other is. */
function breakOff(reply: FastifyReply, error: unknown, faulted: FaultSink): void {
  if (!reply.raw.headersSent) throw error;
  reply.raw.destroy();
  faulted(error);
}

/** An event that the store told of already, though it also came live. */
function isSame(a: Event, b: Event): boolean {
  return a.at === b.at && JSON.stringify(a) === JSON.stringify(b);
}

function eventsQuery(
  query: Readonly<Record<string, unknown>>,
  nodesNamed: OperatorsFrom['nodesNamed'],
): EventFilter & { readonly follow: boolean } {
  const { since, node, limit, follow } = query;
  return {
    ...(since === undefined ? {} : { since: wholeNumber('since', since) }),
    ...(node === undefined ? {} : { nodes: nodesNamed(String(node)) }),
    limit: limit === undefined ? MOST_EVENTS : Math.min(wholeNumber('limit', limit), MOST_EVENTS),
    follow: isSet(follow),
  };
}

/** Sends the nodes and then each result as a line of JSON. */
async function streamLines(
  reply: FastifyReply,
  nodes: readonly string[],
  results: AsyncIterable<unknown>,
  faulted: FaultSink,
): Promise<FastifyReply> {
  const response = reply.raw;
  reply.hijack();
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.write(`${JSON.stringify({ nodes })}\n`);
  try {
    for await (const result of results) response.write(`${JSON.stringify(result)}\n`);
    response.end();
  } catch (error) {
    breakOff(reply, error, faulted);
  }
  return reply;
}
