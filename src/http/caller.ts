import type { FastifyInstance } from 'fastify';
import type { Role } from '../access/role.ts';
import type { Contract } from './contracts/contract.ts';

/** Who asks by the operators' API: the name and role of its token, and where it asks from. */
export type Caller = { readonly name: string; readonly role: Role; readonly from: string };

/** A change that was asked for, and how it ended: `done`, or the code of the refusal. */
export type Change = {
  readonly caller: Caller;
  readonly operation: string;
  readonly values: object;
  readonly outcome: string;
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before a route of the operators' API sees a request; `null` on routes that ask for no token. */
    caller: Caller | null;
  }
  interface FastifyInstance {
    /** Takes in each change that was asked for. */
    changed: (change: Change) => void;
  }
  interface FastifyContextConfig {
    readonly contract?: Pick<Contract, 'role' | 'operation'>;
  }
}

/** The caller on the Unix socket: who may open it may do everything. */
export const ON_SOCKET: Caller = { name: 'socket', role: 'admin', from: 'socket' };

/** How requests come to an app. */
export type Door = {
  /** Who asks, or a refusal (throws). `contract`: of the route, absent where there is none. */
  readonly admit: (request: Asked, contract: Pick<Contract, 'role' | 'operation'> | undefined) => Caller | null;
  readonly changed: (change: Change) => void;
  /** The answer that is about to be made to a caller, until it closes. */
  readonly began?: (caller: Caller, answer: Cuttable) => void;
};

/** What a door looks at. */
export type Asked = { readonly authorization: string | undefined; readonly address: string };

/** An answer that can be cut off. */
export type Cuttable = { destroy(): unknown; once(event: 'close', listener: () => void): unknown };

/** What browsers must not do with answers of this API. */
const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['cache-control', 'no-store'],
];

/** Has every request of `app` pass a door before its body is read. */
export function guardBy(app: FastifyInstance, { admit, changed, began }: Door): void {
  app.decorate('changed', changed);
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request, reply) => {
    for (const [name, value] of HEADERS) reply.raw.setHeader(name, value);
    const { authorization } = request.headers;
    const caller = admit(
      { authorization, address: request.socket.remoteAddress ?? '' },
      request.routeOptions.config.contract,
    );
    request.caller = caller;
    if (caller !== null) began?.(caller, reply.raw);
  });
}
