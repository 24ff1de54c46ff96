import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formatPlace, ReveilleError, wordsOf } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import { type Bundle, packBundle } from '../node/bundle.ts';
import { nodeClocks } from '../node/clocks.ts';
import { type Inventory, LONGEST_INVENTORY, parseInventory } from '../node/inventory.ts';
import { LONGEST_MANIFEST, LONGEST_NEWS, maskedNews, type News, parseNews } from '../node/news.ts';
import type { Orders } from '../node/orders.ts';
import { LONGEST_REPORT, maskedReport, parseReport } from '../node/report.ts';
import type { SecretMask } from '../node/secretMask.ts';
import { refuse } from './answer.ts';
import { type Asked, type Bounds, type GateFrom, NodeGate } from './nodeGate.ts';
import { localIpOf } from './peer.ts';
import { Renderings } from './renderings.ts';

/** What the nodes' API is made from. `site` is asked anew at every request. */
export type NodeRoutesFrom = GateFrom & {
  /** Makes a node's bundle. `serverIp` is the address through which the node reached this server. */
  readonly bundleOf: (node: SiteNode, inventory: Inventory | undefined, serverIp: Ipv4) => Promise<Bundle>;
  /** Hides the secrets that reach a node in what it tells. Never rejects. */
  readonly maskOf: (node: SiteNode) => Promise<SecretMask>;
  readonly inventories: Inventories;
  /** Takes in which files of its image a node has opened: a list compressed with gzip. Rejects with REQUEST_INVALID for any other. */
  readonly opened: (image: string, list: Uint8Array) => Promise<void>;
  readonly orders: Pick<Orders, 'next' | 'left'>;
  /** Called when a node tells which files it has now. */
  readonly onNews: (node: SiteNode, news: News) => void;
};

/** Where inventories last. */
export type Inventories = {
  load(node: string): Promise<Inventory | undefined>;
  save(node: string, inventory: Inventory): Promise<void>;
};

/** The longest that a node may wait for orders in one request, in seconds. */
const LONGEST_WAIT = 300;
/** A node asks by itself up to so many percent of the interval sooner or later, so that a rack does not ask in step. */
const JITTER_PERCENT = 10;
/** The longest list of opened files, in bytes as it comes. */
const LONGEST_OPENED = 1024 * 1024;
/** Bundles that are rendered at once; the files of each are read and its templates rendered. */
const MOST_RENDERED = 4;
/** A client that takes longer for a bundle has gone, or reads byte by byte. */
const BUNDLE_MS = 300_000;

/**
 * What each route takes of one node. A boot sends one inventory, asks for one bundle and reports some 40 steps; where something
 * fails its agent asks again, at first after a second and then every half minute. An operator who orders one refresh after the other
 * has to get each.
 */
const BOUNDS = {
  inventory: { body: LONGEST_INVENTORY, rate: { burst: 10, perSecond: 1 / 20 } },
  bundle: { body: LONGEST_MANIFEST, rate: { burst: 30, perSecond: 1 / 4 } },
  wait: { body: 0, rate: { burst: 60, perSecond: 1 } },
  applied: { body: LONGEST_NEWS, rate: { burst: 30, perSecond: 1 / 4 } },
  opened: { body: LONGEST_OPENED, rate: { burst: 6, perSecond: 1 / 60 } },
  report: { body: LONGEST_REPORT, rate: { burst: 200, perSecond: 1 / 2 } },
} as const satisfies Readonly<Record<string, Bounds>>;

/**
 * `POST /node/v1/inventory`, `GET /node/v1/bundle`, `POST /node/v1/report` and, while a node runs, `GET /node/v1/wait` (for
 * orders), `POST /node/v1/bundle` (what differs from the manifest in the body), `POST /node/v1/applied` and `POST
 * /node/v1/opened`, each with `?mac=`. A machine may only speak as the node whose address its connection comes from (`callerOf`).
 *
 * A bundle that is asked for with `&token=want` brings the header `x-reveille-token`; a refusal does not. From then on each request of the node needs that
 * token: in a header of the same name or, for a client whose arguments others can read, with `&token=body` as the first line of a
 * body, `token=HEX`; `wait` may be posted for that. See `NodeTokens`.
 */
export function addNodeRoutes(app: FastifyInstance, from: NodeRoutesFrom): void {
  const { emit } = from;
  /** A state store that is down must not halt a boot: what was last told is kept here too. */
  const inventories = new Map<string, Inventory>();
  const lastReport = new Map<string, { readonly boot: string; readonly seq: number }>();
  const lastRefusal = new Map<string, string>();
  const clocks = nodeClocks(Date.now);
  const renderings = new Renderings<Bundle>(MOST_RENDERED);
  const gate = new NodeGate(from);

  type Answer = (asked: Asked, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;
  const route = (what: keyof typeof BOUNDS, answer: Answer) => {
    const hear: Answer = (asked, request, reply) => {
      const { node, mac, ip, query } = asked;
      const aheadMs = clocks.hear(node.name, query.time);
      if (aheadMs !== undefined) emit({ kind: 'node.clock', aheadMs, node: node.name, mac, ip });
      return answer(asked, request, reply);
    };
    return gate.route(BOUNDS[what], hear, what === 'bundle');
  };

  const inventoryOf = async (node: SiteNode): Promise<Inventory | undefined> => {
    const known = inventories.get(node.name);
    if (known) return known;
    try {
      return await from.inventories.load(node.name);
    } catch (error) {
      emit({ kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: wordsOf(error), node: node.name });
      return undefined;
    }
  };

  app.post(
    '/node/v1/inventory',
    route('inventory', async ({ node, mac, ip, body }, _request, reply) => {
      const inventory = parseInventory(body);
      inventories.set(node.name, inventory);
      // It boots: what it ran before no longer waits for orders, whatever its connection looks like from here.
      from.orders.left(node.name);
      clocks.forget(node.name);
      try {
        await from.inventories.save(node.name, inventory);
      } catch (error) {
        emit({ kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: wordsOf(error), node: node.name, mac, ip });
      }
      return reply.code(204).send();
    }),
  );

  const sendBundle: Answer = async ({ node, mac, ip, query, body, pass }, request, reply) => {
    // What is posted is a running node's manifest.
    const during = request.method === 'POST' ? 'refresh' : undefined;
    const serverIp = localIpOf(request);
    try {
      const bundle = await renderings.run(`${node.name} ${serverIp}`, async () =>
        from.bundleOf(node, await inventoryOf(node), serverIp),
      );
      lastRefusal.delete(node.name);
      const has = query.folders === undefined ? bundle.olderSha256 : bundle.sha256;
      if (during && query.applied === has) return reply.code(204).send();
      const archive = await packBundle(bundle, during ? new TextDecoder().decode(body) : '');
      if (pass.asksToken) reply.header('x-reveille-token', await from.tokens.issue(node.name));
      const late = setTimeout(() => reply.raw.destroy(), BUNDLE_MS);
      reply.raw.once('close', () => clearTimeout(late));
      return reply
        .type('application/x-tar')
        .header('etag', `"${archive.sha256}"`)
        .header('x-reveille-sha256', archive.sha256)
        .header('cache-control', 'no-store')
        .send(archive.tar);
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
      const detail = `${error.place ? `${formatPlace(error.place)}: ` : ''}${error.message}`;
      // The node asks again and again: the same words once.
      if (lastRefusal.get(node.name) !== detail) {
        const what = { kind: 'node.step', step: 'bundle', status: 'failed', detail } as const;
        emit({ ...what, ...(during ? { during } : {}), node: node.name, mac, ip });
      }
      lastRefusal.set(node.name, detail);
      return refuse(reply, error);
    }
  };
  const bundle = route('bundle', sendBundle);
  app.get('/node/v1/bundle', bundle);
  app.post('/node/v1/bundle', bundle);

  const wait = route('wait', async ({ node, query }, _request, reply) => {
    const { seconds } = query;
    const asked = typeof seconds === 'string' && /^[0-9]{1,4}$/.test(seconds) ? Number(seconds) : 0;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const order = await from.orders.next(node.name, Math.min(asked, LONGEST_WAIT), gone.signal);
    const told = order ? [`do=${order.what}`, `sync=${order.id}`] : ['do=wait'];
    const lines = [...told, `refresh=${from.site().refreshSeconds}`, `jitter=${JITTER_PERCENT}`, ''];
    return reply.type('text/plain').header('cache-control', 'no-store').send(lines.join('\n'));
  });
  app.get('/node/v1/wait', wait);
  app.post('/node/v1/wait', wait);

  app.post(
    '/node/v1/applied',
    route('applied', async ({ node, body }, _request, reply) => {
      const news = maskedNews(parseNews(body), await from.maskOf(node));
      // A node whose client keeps no body of a refusal knows a status; what was refused, and where, is known here.
      const refusal = news.applied.failed?.startsWith('bundle: ') ? lastRefusal.get(node.name) : undefined;
      const applied = refusal === undefined ? news.applied : { ...news.applied, failed: `bundle: ${refusal}` };
      from.onNews(node, { ...news, applied });
      return reply.code(204).send();
    }),
  );

  app.post(
    '/node/v1/opened',
    route('opened', async ({ node, body }, _request, reply) => {
      if (node.image !== undefined) await from.opened(node.image, body);
      return reply.code(204).send();
    }),
  );

  app.post(
    '/node/v1/report',
    route('report', async ({ node, mac, ip, body }, _request, reply) => {
      const { boot, seq, ...step } = maskedReport(parseReport(body), await from.maskOf(node));
      // Two programs of the agent count their reports, each for itself.
      const teller = `${node.name} ${step.during === undefined ? 'boot' : 'refresh'}`;
      const last = lastReport.get(teller);
      // A report whose answer got lost is sent again.
      if (last?.boot !== boot || seq > last.seq) {
        lastReport.set(teller, { boot, seq });
        emit({ kind: 'node.step', ...step, node: node.name, mac, ip });
      }
      return reply.code(204).send();
    }),
  );
}
