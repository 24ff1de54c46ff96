import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formatPlace, ReveilleError, wordsOf } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import { type Bundle, packBundle } from '../node/bundle.ts';
import { nodeClocks } from '../node/clocks.ts';
import { type Inventory, parseInventory } from '../node/inventory.ts';
import { maskedNews, type News, parseNews } from '../node/news.ts';
import type { Orders } from '../node/orders.ts';
import { maskedReport, parseReport } from '../node/report.ts';
import type { SecretMask } from '../node/secretMask.ts';
import { refuse } from './answer.ts';
import {
  GET_BUNDLE,
  type NodeContract,
  REPORT_APPLIED,
  REPORT_OPENED,
  REPORT_STEP,
  SEND_INVENTORY,
  WAIT_FOR_ORDERS,
} from './contracts/nodes.ts';
import { type AdmissionFrom, NodeAdmission, type NodeRequest } from './nodeAdmission.ts';
import { localIpOf } from './peer.ts';
import { Renderings } from './renderings.ts';

/** What the nodes' API is made from. `site` is read anew at every request. */
export type NodeRoutesFrom = AdmissionFrom & {
  /** Makes a node's bundle. `serverIp` is the address through which the node reached this server. */
  readonly bundleOf: (node: SiteNode, inventory: Inventory | undefined, serverIp: Ipv4) => Promise<Bundle>;
  /** Hides the secrets that reach a node in what it reports. Never rejects. */
  readonly maskOf: (node: SiteNode) => Promise<SecretMask>;
  readonly inventories: Inventories;
  /** Takes in which files of its image a node has opened: a list compressed with gzip. Rejects with REQUEST_INVALID for any other. */
  readonly opened: (image: string, list: Uint8Array) => Promise<void>;
  readonly orders: Pick<Orders, 'next' | 'left'>;
  /** Called when a node reports which files it has now. */
  readonly onNews: (node: SiteNode, news: News) => void;
};

/** Where inventories last. */
export type Inventories = {
  load(node: string): Promise<Inventory | undefined>;
  save(node: string, inventory: Inventory): Promise<void>;
};

/** A node asks by itself up to so many percent of the interval sooner or later, so that a rack does not ask in step. */
const JITTER_PERCENT = 10;
/** Bundles that are rendered at once; the files of each are read and its templates rendered. */
const MOST_RENDERED = 4;
/** A client that takes longer for a bundle has gone, or reads byte by byte. */
const BUNDLE_MS = 300_000;

/**
 * Adds the nodes' API; `contracts/nodes.ts` says what its routes take and answer. A machine may only speak as the node whose address its
 * connection comes from (`callerOf`).
 *
 * A bundle that is asked for with `&token=want` brings the header `x-reveille-token`; a refusal does not. From then on each request of the node needs that
 * token: in a header of the same name or, for a client whose arguments others can read, with `&token=body` as the first line of a
 * body, `token=HEX`; `wait` may be posted for that. See `NodeTokens`.
 */
export function addNodeRoutes(app: FastifyInstance, from: NodeRoutesFrom): void {
  const routes = new NodeRoutes(from);
  const admission = new NodeAdmission(from);
  const add = <C extends NodeContract>(
    contract: C,
    answer: (asked: NodeRequest<C>, reply: FastifyReply, request: FastifyRequest) => Promise<FastifyReply>,
  ) => {
    const handler = admission.route(
      contract,
      (asked, request, reply) => {
        routes.compareClock(asked);
        return answer(asked, reply, request);
      },
      contract.path === GET_BUNDLE.path,
    );
    app.route({ method: [...contract.methods], url: contract.path, handler });
  };
  add(SEND_INVENTORY, (asked, reply) => routes.inventory(asked, reply));
  add(GET_BUNDLE, (asked, reply, request) => routes.bundle(asked, reply, request));
  add(WAIT_FOR_ORDERS, (asked, reply) => routes.wait(asked, reply));
  add(REPORT_APPLIED, (asked, reply) => routes.applied(asked, reply));
  add(REPORT_OPENED, (asked, reply) => routes.opened(asked, reply));
  add(REPORT_STEP, (asked, reply) => routes.report(asked, reply));
}

/** Answers the requests of nodes that were admitted. */
class NodeRoutes {
  readonly #from: NodeRoutesFrom;
  /** A state store that is down must not halt a boot: the newest are kept here too. */
  readonly #inventories = new Map<string, Inventory>();
  readonly #lastReport = new Map<string, { readonly boot: string; readonly seq: number }>();
  readonly #lastRefusal = new Map<string, string>();
  readonly #clocks = nodeClocks(Date.now);
  readonly #renderings = new Renderings<Bundle>(MOST_RENDERED);

  constructor(from: NodeRoutesFrom) {
    this.#from = from;
  }

  /** Emits an event where the node's clock is off, or right again. */
  compareClock({ node, mac, ip, query }: NodeRequest): void {
    const aheadMs = this.#clocks.hear(node.name, query.time);
    if (aheadMs !== undefined) this.#from.emit({ kind: 'node.clock', aheadMs, node: node.name, mac, ip });
  }

  async inventory(asked: NodeRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { node, body } = asked;
    const inventory = parseInventory(body);
    this.#inventories.set(node.name, inventory);
    // It boots: what it ran before no longer waits for orders, whatever its connection looks like from here.
    this.#from.orders.left(node.name);
    this.#clocks.forget(node.name);
    try {
      await this.#from.inventories.save(node.name, inventory);
    } catch (error) {
      this.#stateFailed(error, asked);
    }
    return reply.code(204).send();
  }

  async #inventoryOf(node: SiteNode): Promise<Inventory | undefined> {
    const known = this.#inventories.get(node.name);
    if (known) return known;
    try {
      return await this.#from.inventories.load(node.name);
    } catch (error) {
      this.#stateFailed(error, { node });
      return undefined;
    }
  }

  #stateFailed(error: unknown, { node, mac, ip }: Pick<NodeRequest, 'node'> & Partial<NodeRequest>): void {
    const from = { ...(mac === undefined ? {} : { mac }), ...(ip === undefined ? {} : { ip }) };
    const trouble = { kind: 'server.trouble', code: 'STATE_UNAVAILABLE', message: wordsOf(error) } as const;
    this.#from.emit({ ...trouble, node: node.name, ...from });
  }

  async bundle(
    asked: NodeRequest<typeof GET_BUNDLE>,
    reply: FastifyReply,
    request: FastifyRequest,
  ): Promise<FastifyReply> {
    // What is posted is a running node's manifest.
    const during = request.method === 'POST' ? 'refresh' : undefined;
    try {
      return await this.#sendBundle(asked, during, localIpOf(request), reply);
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
      this.#bundleRefused(error, during, asked);
      return refuse(reply, error);
    }
  }

  async #sendBundle(
    { node, query, body, bundle: { asksToken } }: NodeRequest<typeof GET_BUNDLE>,
    during: 'refresh' | undefined,
    serverIp: Ipv4,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { bundleOf, tokens } = this.#from;
    const bundle = await this.#renderings.run(`${node.name} ${serverIp}`, async () =>
      bundleOf(node, await this.#inventoryOf(node), serverIp),
    );
    this.#lastRefusal.delete(node.name);
    const has = query.folders === undefined ? bundle.olderSha256 : bundle.sha256;
    if (during && query.applied === has) return reply.code(204).send();
    const archive = await packBundle(bundle, during ? new TextDecoder().decode(body) : '');
    if (asksToken) reply.header('x-reveille-token', await tokens.issue(node.name));
    const late = setTimeout(() => reply.raw.destroy(), BUNDLE_MS);
    reply.raw.once('close', () => clearTimeout(late));
    return reply
      .type('application/x-tar')
      .header('etag', `"${archive.sha256}"`)
      .header('x-reveille-sha256', archive.sha256)
      .header('cache-control', 'no-store')
      .send(archive.tar);
  }

  #bundleRefused(error: ReveilleError, during: 'refresh' | undefined, { node, mac, ip }: NodeRequest): void {
    const detail = `${error.place ? `${formatPlace(error.place)}: ` : ''}${error.message}`;
    // The node asks again and again: the same refusal becomes one event.
    if (this.#lastRefusal.get(node.name) !== detail) {
      const what = { kind: 'node.step', code: 'bundle', status: 'failed', detail } as const;
      this.#from.emit({ ...what, ...(during ? { during } : {}), node: node.name, mac, ip });
    }
    this.#lastRefusal.set(node.name, detail);
  }

  async wait({ node, query }: NodeRequest<typeof WAIT_FOR_ORDERS>, reply: FastifyReply): Promise<FastifyReply> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const order = await this.#from.orders.next(node.name, query.seconds, gone.signal);
    const orders = order ? [`do=${order.what}`, `sync=${order.id}`] : ['do=wait'];
    const lines = [...orders, `refresh=${this.#from.site().refreshSeconds}`, `jitter=${JITTER_PERCENT}`, ''];
    return reply.type('text/plain').header('cache-control', 'no-store').send(lines.join('\n'));
  }

  async applied({ node, body }: NodeRequest, reply: FastifyReply): Promise<FastifyReply> {
    const news = maskedNews(parseNews(body), await this.#from.maskOf(node));
    // A node whose client keeps no body of a refusal knows a status; what was refused, and where, is known here.
    const refusal = news.applied.failed?.startsWith('bundle: ') ? this.#lastRefusal.get(node.name) : undefined;
    const applied = refusal === undefined ? news.applied : { ...news.applied, failed: `bundle: ${refusal}` };
    this.#from.onNews(node, { ...news, applied });
    return reply.code(204).send();
  }

  async opened({ node, body }: NodeRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (node.image !== undefined) await this.#from.opened(node.image, body);
    return reply.code(204).send();
  }

  async report({ node, mac, ip, body }: NodeRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { boot, seq, step, ...how } = maskedReport(parseReport(body), await this.#from.maskOf(node));
    // Two programs of the agent count their reports, each for itself.
    const reporter = `${node.name} ${how.during === undefined ? 'boot' : 'refresh'}`;
    const last = this.#lastReport.get(reporter);
    // A report whose answer got lost is sent again.
    if (last?.boot !== boot || seq > last.seq) {
      this.#lastReport.set(reporter, { boot, seq });
      this.#from.emit({ kind: 'node.step', ...step, ...how, node: node.name, mac, ip });
    }
    return reply.code(204).send();
  }
}
