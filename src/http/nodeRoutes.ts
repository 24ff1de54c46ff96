import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formatPlace, ReveilleError, wordsOf } from '../errors.ts';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../net/ipv4.ts';
import { type Mac, parseMac } from '../net/mac.ts';
import { type Bundle, packBundle } from '../node/bundle.ts';
import { nodeClocks } from '../node/clocks.ts';
import { type Inventory, LONGEST_INVENTORY, parseInventory } from '../node/inventory.ts';
import { LONGEST_MANIFEST, LONGEST_NEWS, type News, parseNews } from '../node/news.ts';
import { LONGEST_OPENED, parseOpened } from '../node/opened.ts';
import type { Orders } from '../node/orders.ts';
import { LONGEST_REPORT, parseReport } from '../node/report.ts';
import type { Site, SiteNode } from '../site/model.ts';
import type { EventSink } from '../timeline/event.ts';
import { refuse } from './answer.ts';
import { localIpOf, peerOf } from './peer.ts';

/** What the nodes' API is made from. `site` is asked anew at every request. */
export type NodeRoutesFrom = {
  readonly site: () => Site;
  /**
   * The address that the DHCP server has leased to `mac` in `network`, for nodes without an address of their own; without a
   * network, the only one in any.
   */
  readonly addressOf: (mac: Mac, network: string | undefined) => Ipv4 | undefined;
  /** Makes a node's bundle. `serverIp` is the address through which the node reached this server. */
  readonly bundleOf: (node: SiteNode, inventory: Inventory | undefined, serverIp: Ipv4) => Promise<Bundle>;
  readonly inventories: Inventories;
  /** Takes in which files of its image a node has opened: absolute paths. */
  readonly opened: (image: string, paths: readonly string[]) => Promise<void>;
  readonly orders: Pick<Orders, 'next' | 'left'>;
  /** Called when a node tells which files it has now. */
  readonly onNews: (node: SiteNode, news: News) => void;
  readonly emit: EventSink;
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
/** The same imposter is told of once in this time. */
const REPEAT_MS = 60_000;
const MOST_IMPOSTERS = 1000;

/**
 * `POST /node/v1/inventory`, `GET /node/v1/bundle`, `POST /node/v1/report` and, while a node runs, `GET /node/v1/wait` (for
 * orders), `POST /node/v1/bundle` (what differs from the manifest in the body), `POST /node/v1/applied` and `POST
 * /node/v1/opened`, each with `?mac=`.
 * A machine may only speak as the node whose address its connection comes from.
 */
export function addNodeRoutes(app: FastifyInstance, from: NodeRoutesFrom): void {
  const { emit } = from;
  /** A state store that is down must not halt a boot: what was last told is kept here too. */
  const inventories = new Map<string, Inventory>();
  const lastReport = new Map<string, { readonly boot: string; readonly seq: number }>();
  const lastRefusal = new Map<string, string>();
  const imposters = new Map<string, number>();
  const clocks = nodeClocks(Date.now);

  const whoAsks = (request: FastifyRequest): { node: SiteNode; mac: Mac; ip: Ipv4 } => {
    const { mac: asked } = request.query as { mac?: unknown };
    const mac = typeof asked === 'string' ? parseMac(asked) : undefined;
    if (mac === undefined)
      throw new ReveilleError('REQUEST_INVALID', '?mac= must name the MAC address of the asking node');
    const node = from.site().nodeByMac.get(mac);
    if (node === undefined)
      throw new ReveilleError('NODE_UNKNOWN', `the site lists no node with the MAC address ${mac}`);
    const ip = peerOf(request);
    const isItself = ip !== UNSPECIFIED && (ip === node.ip || ip === from.addressOf(mac, node.network));
    if (!isItself) {
      const words = `${formatIpv4(ip)} asks in the name of ${node.name} (${mac}), whose address it does not have`;
      tellOnce(`${ip} ${mac}`, () => emit({ kind: 'server.trouble', code: 'IDENTITY_REFUSED', message: words, ip }));
      throw new ReveilleError('IDENTITY_REFUSED', words);
    }
    const aheadMs = clocks.hear(node.name, (request.query as { time?: unknown }).time);
    if (aheadMs !== undefined) emit({ kind: 'node.clock', aheadMs, node: node.name, mac, ip });
    return { node, mac, ip };
  };

  const tellOnce = (who: string, tell: () => void): void => {
    const now = performance.now();
    const last = imposters.get(who);
    if (last !== undefined && now - last < REPEAT_MS) return;
    imposters.delete(who);
    imposters.set(who, now);
    const oldest = imposters.size > MOST_IMPOSTERS ? imposters.keys().next().value : undefined;
    if (oldest !== undefined) imposters.delete(oldest);
    tell();
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

  app.post('/node/v1/inventory', { bodyLimit: LONGEST_INVENTORY }, async (request, reply) => {
    const { node, mac, ip } = whoAsks(request);
    const inventory = parseInventory(bodyOf(request));
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
  });

  /** `during` is absent while the node boots. */
  const sendBundle = async (request: FastifyRequest, reply: FastifyReply, during?: 'refresh') => {
    const { node, mac, ip } = whoAsks(request);
    const { applied } = request.query as { applied?: unknown };
    try {
      const bundle = await from.bundleOf(node, await inventoryOf(node), localIpOf(request));
      lastRefusal.delete(node.name);
      if (during && applied === bundle.sha256) return reply.code(204).send();
      const archive = await packBundle(bundle, during ? new TextDecoder().decode(bodyOf(request)) : '');
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
  app.get('/node/v1/bundle', (request, reply) => sendBundle(request, reply));
  app.post('/node/v1/bundle', { bodyLimit: LONGEST_MANIFEST }, (request, reply) =>
    sendBundle(request, reply, 'refresh'),
  );

  app.get('/node/v1/wait', async (request, reply) => {
    const { node } = whoAsks(request);
    const { seconds } = request.query as { seconds?: unknown };
    const asked = typeof seconds === 'string' && /^[0-9]{1,4}$/.test(seconds) ? Number(seconds) : 0;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const order = await from.orders.next(node.name, Math.min(asked, LONGEST_WAIT), gone.signal);
    const told = order ? [`do=${order.what}`, `sync=${order.id}`] : ['do=wait'];
    const lines = [...told, `refresh=${from.site().refreshSeconds}`, `jitter=${JITTER_PERCENT}`, ''];
    return reply.type('text/plain').header('cache-control', 'no-store').send(lines.join('\n'));
  });

  app.post('/node/v1/applied', { bodyLimit: LONGEST_NEWS }, async (request, reply) => {
    const { node } = whoAsks(request);
    const news = parseNews(bodyOf(request));
    // A node whose client keeps no body of a refusal knows a status; what was refused, and where, is known here.
    const refusal = news.applied.failed?.startsWith('bundle: ') ? lastRefusal.get(node.name) : undefined;
    const applied = refusal === undefined ? news.applied : { ...news.applied, failed: `bundle: ${refusal}` };
    from.onNews(node, { ...news, applied });
    return reply.code(204).send();
  });

  app.post('/node/v1/opened', { bodyLimit: LONGEST_OPENED }, async (request, reply) => {
    const { node } = whoAsks(request);
    const paths = await parseOpened(bodyOf(request));
    if (node.image !== undefined) await from.opened(node.image, paths);
    return reply.code(204).send();
  });

  app.post('/node/v1/report', { bodyLimit: LONGEST_REPORT }, async (request, reply) => {
    const { node, mac, ip } = whoAsks(request);
    const { boot, seq, ...step } = parseReport(bodyOf(request));
    // Two programs of the agent count their reports, each for itself.
    const teller = `${node.name} ${step.during === undefined ? 'boot' : 'refresh'}`;
    const last = lastReport.get(teller);
    // A report whose answer got lost is sent again.
    if (last?.boot !== boot || seq > last.seq) {
      lastReport.set(teller, { boot, seq });
      emit({ kind: 'node.step', ...step, node: node.name, mac, ip });
    }
    return reply.code(204).send();
  });
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array();
}
