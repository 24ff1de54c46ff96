import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ReveilleError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { Mac } from '../model/mac.ts';
import type { BundleAdmission, NodeTokens } from '../node/tokens.ts';
import { Bodies, discard } from './bodies.ts';
import type { NodeContract } from './contracts/nodes.ts';
import { type Caller, type CallerFrom, callerOf } from './nodeCaller.ts';
import { Notices } from './notices.ts';
import { localIpOf, peerOf } from './peer.ts';
import { Rates } from './rates.ts';
import { RETRY_SECONDS, type Refused, tooMany } from './refused.ts';
import { Slots } from './slots.ts';

/** A request of a node that was admitted. */
export type NodeRequest<C extends NodeContract = NodeContract> = Caller & {
  readonly query: z.output<C['query']>;
  readonly body: Uint8Array;
  /** Of a request for a bundle: what to answer with. */
  readonly bundle: BundleAdmission;
};

export type AdmissionFrom = CallerFrom & { readonly tokens: NodeTokens; readonly emit: EventSink };

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

type Answer<C extends NodeContract> = (
  asked: NodeRequest<C>,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>;

/**
 * Admits requests of nodes to their routes: who asks, with which token, how often, how much at once. Nothing of a body is read before
 * that.
 */
export class NodeAdmission {
  readonly #from: AdmissionFrom;
  readonly #bodies = new Bodies(BODIES);
  readonly #slots = new Slots<string>(MOST_IN_ALL, MOST_PER_NODE);
  readonly #notices = new Notices();

  constructor(from: AdmissionFrom) {
    this.#from = from;
  }

  /** A fastify handler that has `answer` answer what is admitted. `forBundle`: the route hands out bundles, and tokens with them. */
  route<C extends NodeContract>({ query: schema, body: { most }, rate }: C, answer: Answer<C>, forBundle = false) {
    const { tokens } = this.#from;
    const rates = new Rates(rate, 2 * MOST_NODES);
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      let admitted = false;
      let giveBack: (() => void) | undefined;
      try {
        const query = readQuery<C>(schema, request.query);
        const caller = this.#caller(query.mac, request);
        const { name } = caller.node;
        const token = headerToken(request);
        const inBody = token === undefined && query.token === 'body' && request.method === 'POST';
        if (token !== undefined || !(forBundle || inBody)) this.#checked(caller, () => tokens.admit(name, token));
        // Other users of a machine must not use up what its agent may ask for, at once and in time.
        const sender = token === undefined ? `${name} (without a token)` : name;
        const wait = rates.take(sender);
        if (wait > 0) throw this.#limited(caller, `${name} asks too often`, wait);
        giveBack = this.#slots.take(sender);
        if (!giveBack) throw this.#limited(caller, `${name} asks for too much at once`, RETRY_SECONDS);
        const asksToken = query.token === 'want';
        const admitBundle = (shown: string | undefined) =>
          this.#checked(caller, () => tokens.admitBundle(name, shown, asksToken));
        const early = forBundle && !inBody ? admitBundle(token) : {};
        using read =
          request.method === 'POST'
            ? await this.#bodies.read(request.raw, reply.raw, inBody ? most + LINE_BYTES : most, sender)
            : undefined;
        const bytes = read?.bytes ?? EMPTY;
        const [shown, body] = inBody ? tokenLine(bytes) : [token, bytes];
        if (inBody) this.#checked(caller, () => tokens.admit(name, shown));
        const bundle = forBundle && inBody ? admitBundle(shown) : early;
        admitted = true;
        return await answer({ ...caller, query, body, bundle }, request, reply);
      } catch (error) {
        if (!admitted) await discard(request.raw);
        throw error;
      } finally {
        giveBack?.();
      }
    };
  }

  #caller(mac: Mac, request: FastifyRequest): Caller {
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
  #checked<T>({ node, mac, ip }: Caller, check: () => T): T {
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

function readQuery<C extends NodeContract>(schema: NodeContract['query'], query: unknown): NodeRequest<C>['query'] {
  const read = schema.safeParse(query);
  if (read.success) return read.data as NodeRequest<C>['query'];
  const [issue] = read.error.issues;
  throw new ReveilleError('REQUEST_INVALID', `?${issue?.path.join('.')}= ${issue?.message}`);
}

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
