import type { FastifyReply, FastifyRequest } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { NodeTokens, Pass } from '../node/tokens.ts';
import { Bodies, discard } from './bodies.ts';
import { type Caller, type CallerFrom, callerOf } from './nodeCaller.ts';
import { Notices } from './notices.ts';
import { localIpOf, peerOf } from './peer.ts';
import { type Rate, Rates } from './rates.ts';
import { RETRY_SECONDS, type Refused, tooMany } from './refused.ts';
import { Slots } from './slots.ts';

/** What a route takes of one node: bodies of at most so many bytes (0: none), so often. */
export type Bounds = { readonly body: number; readonly rate: Rate };

/** A request of a node that may go on. */
export type Asked = Caller & {
  readonly query: { readonly [name: string]: unknown };
  readonly body: Uint8Array;
  /** Where the route is for bundles: what to answer with. */
  readonly pass: Pass;
};

export type GateFrom = CallerFrom & { readonly tokens: NodeTokens; readonly emit: EventSink };

/** Two manifests of one node, and of all nodes as many as fifty send at once. */
const BODIES = { each: 2_600_000, inAll: 64 * 1024 * 1024 };
/** Requests of one node, and of all, that are answered at once. */
const MOST_PER_NODE = 8;
const MOST_IN_ALL = 8192;
/** Buckets are for nodes of the site alone. */
const MOST_NODES = 65_536;

const HEADER = 'x-reveille-token';
const LINE = Buffer.from('token=');
const LINE_BYTES = LINE.length + 64 + 1;

type Handler = (asked: Asked, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/**
 * What each request of a node passes before its route sees it: who it is, its token, how often it asks, how much it asks at once.
 * Nothing of a body is read before that.
 */
export class NodeGate {
  readonly #from: GateFrom;
  readonly #bodies = new Bodies(BODIES);
  readonly #slots = new Slots<string>(MOST_IN_ALL, MOST_PER_NODE);
  readonly #notices = new Notices();

  constructor(from: GateFrom) {
    this.#from = from;
  }

  /** A fastify handler that lets through to `answer` what passes. `forBundle`: the route hands out bundles, and tokens with them. */
  route({ body, rate }: Bounds, answer: Handler, forBundle = false) {
    const { tokens } = this.#from;
    const rates = new Rates(rate, 2 * MOST_NODES);
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      let asked: Asked | undefined;
      let giveBack: (() => void) | undefined;
      try {
        const caller = this.#caller(request);
        const query = request.query as Asked['query'];
        const { name } = caller.node;
        const token = headerToken(request);
        const later = token === undefined && query.token === 'body' && request.method === 'POST';
        if (token !== undefined || !(forBundle || later)) this.#passed(caller, () => tokens.admit(name, token));
        // Other users of a machine must not use up what its agent may ask for, at once and in time.
        const sender = token === undefined ? `${name} (without a token)` : name;
        const wait = rates.take(sender);
        if (wait > 0) throw this.#limited(caller, `${name} asks too often`, wait);
        giveBack = this.#slots.take(sender);
        if (!giveBack) throw this.#limited(caller, `${name} asks for too much at once`, RETRY_SECONDS);
        const most = later ? body + LINE_BYTES : body;
        const asksToken = query.token === 'want';
        const early = forBundle && !later ? this.#passed(caller, () => tokens.admitBundle(name, token, asksToken)) : {};
        using read =
          request.method === 'POST' ? await this.#bodies.read(request.raw, reply.raw, most, sender) : undefined;
        const [shown, rest] = later ? tokenLine(read?.bytes ?? EMPTY) : [token, read?.bytes ?? EMPTY];
        if (later) this.#passed(caller, () => tokens.admit(name, shown));
        const pass =
          forBundle && later ? this.#passed(caller, () => tokens.admitBundle(name, shown, asksToken)) : early;
        asked = { ...caller, query, body: rest, pass };
        return await answer(asked, request, reply);
      } catch (error) {
        if (asked === undefined) await discard(request.raw);
        throw error;
      } finally {
        giveBack?.();
      }
    };
  }

  #caller(request: FastifyRequest): Caller {
    const { mac } = request.query as { mac?: unknown };
    const claim = { mac, ip: peerOf(request), localIp: localIpOf(request) };
    try {
      return callerOf(claim, this.#from);
    } catch (error) {
      const { code, message } = error as ReveilleError;
      if (code === 'IDENTITY_REFUSED') {
        this.#notices.note(`${claim.ip} ${mac}`, () =>
          this.#from.emit({ kind: 'server.trouble', code, message, ip: claim.ip }),
        );
      }
      throw error;
    }
  }

  /** What `check` gives, or throws; a refusal becomes an event. */
  #passed<T>({ node, mac, ip }: Caller, check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (error instanceof ReveilleError) {
        const { code, message } = error;
        this.#notices.note(`token ${node.name}`, () =>
          this.#from.emit({ kind: 'server.trouble', code, message, node: node.name, mac, ip }),
        );
      }
      throw error;
    }
  }

  #limited({ node, mac, ip }: Caller, words: string, seconds: number): Refused {
    this.#notices.note(`limit ${node.name}`, (count) =>
      this.#from.emit({ kind: 'events.limited', subject: node.name, count, node: node.name, mac, ip }),
    );
    return tooMany(words, seconds);
  }
}

const EMPTY = new Uint8Array();

function headerToken(request: FastifyRequest): string | undefined {
  const value = request.headers[HEADER];
  return typeof value === 'string' ? value : undefined;
}

/** The token in the first line of a body, `token=HEX`, and what comes after that line. */
function tokenLine(body: Uint8Array): readonly [string | undefined, Uint8Array] {
  const line = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, LINE_BYTES));
  if (line.length < LINE_BYTES || !line.subarray(0, LINE.length).equals(LINE) || line.at(-1) !== 0x0a)
    return [undefined, body];
  return [line.toString('latin1', LINE.length, LINE_BYTES - 1), body.subarray(LINE_BYTES)];
}
