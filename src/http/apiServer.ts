import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { FaultSink } from '../faults.ts';
import { inTurn } from '../inTurn.ts';
import type { Gauges } from '../model/gauges.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Running } from '../service.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { machineOf, plainAddress } from './gate.ts';
import { listenError } from './server.ts';
import { Slots } from './slots.ts';

/** Key and certificate in PEM, and what pins the certificate. */
export type ApiCredentials = { readonly key: string; readonly certificate: string; readonly fingerprint: string };

/** Where the API is served. `tls` names what its credentials come from; two that are equal are the same. */
export type ApiPlace = { readonly port: number; readonly address?: Ipv4; readonly tls: unknown };

export type ApiServerFrom = {
  /** Where the site has it served now; `undefined`: nowhere. */
  readonly place: () => ApiPlace | undefined;
  /** What it proves itself with there; `undefined`: without TLS. */
  readonly credentials: (place: ApiPlace) => Promise<ApiCredentials | undefined>;
  /** Adds the routes to an app. */
  readonly routes: (app: FastifyInstance) => void;
  /** It listens there, or its certificate is another one. */
  readonly serving: (port: number, fingerprint: string | undefined) => void;
  readonly faulted: FaultSink;
};

/** Connections at once, in all and of one address; those whose TLS has not been agreed upon are counted apart. */
const MOST = 512;
const MOST_OF_ADDRESS = 128;

type Open = {
  readonly place: ApiPlace;
  readonly app: FastifyInstance;
  readonly connections: Connections;
  readonly sockets: ReadonlySet<Socket>;
  credentials: ApiCredentials | undefined;
};

/** The operators' API on a TCP port, with TLS or without. Port, address and certificate follow the site. */
export class ApiServer implements Running {
  readonly #from: ApiServerFrom;
  readonly #inOrder = inTurn();
  #open: Open | undefined;

  /** Rejects with PORT_IN_USE, or as `credentials` does. */
  static async start(from: ApiServerFrom): Promise<ApiServer> {
    const server = new ApiServer(from);
    await server.reload();
    return server;
  }

  private constructor(from: ApiServerFrom) {
    this.#from = from;
  }

  /** The port and the pin of the certificate, where it is served. */
  get serving(): { readonly port: number; readonly fingerprint?: string } | undefined {
    if (this.#open === undefined) return undefined;
    const { credentials } = this.#open;
    return { port: portOf(this.#open), ...(credentials && { fingerprint: credentials.fingerprint }) };
  }

  /** Where it cannot be served as the site has it now, it goes on as it was. */
  reload(): Promise<void> {
    return this.#inOrder(() => this.#follow());
  }

  async #follow(): Promise<void> {
    const place = this.#from.place();
    const before = this.#open;
    if (place === undefined) {
      this.#open = undefined;
      if (before) await close(before);
      return;
    }
    const credentials = await this.#from.credentials(place);
    if (before && isSamePlace(before.place, place) && !before.credentials === !credentials) {
      this.#renew(before, credentials);
      return;
    }
    // On the same port the one before has to go first.
    const isTaken = before?.place.port === place.port;
    if (before && isTaken) await close(before);
    try {
      this.#open = await this.#listen(place, credentials);
    } catch (error) {
      if (before && isTaken) this.#open = await this.#listen(before.place, before.credentials);
      throw error;
    }
    if (before && !isTaken) await close(before);
    this.#from.serving(portOf(this.#open), credentials?.fingerprint);
  }

  gauges(): Gauges {
    const { connections = 0, refusedConnections = 0 } = this.#open?.connections.gauges() ?? {};
    return { connections, refusedConnections };
  }

  close(): Promise<void> {
    return this.#inOrder(async () => {
      const open = this.#open;
      this.#open = undefined;
      if (open) await close(open);
    });
  }

  #renew(open: Open, credentials: ApiCredentials | undefined): void {
    if (credentials === undefined || credentials.fingerprint === open.credentials?.fingerprint) return;
    const { key, certificate } = credentials;
    (open.app.server as SecureServer).setSecureContext({ key, cert: certificate });
    open.credentials = credentials;
    this.#from.serving(portOf(open), credentials.fingerprint);
  }

  async #listen(place: ApiPlace, credentials: ApiCredentials | undefined): Promise<Open> {
    const { faulted, routes } = this.#from;
    const connections = new Connections(MOST, MOST_OF_ADDRESS);
    const secure = credentials && { key: credentials.key, cert: credentials.certificate };
    const app = createApp(faulted, connections, secure);
    const sockets = secure ? boundHandshakes(app) : new Set<Socket>();
    routes(app);
    const { port, address } = place;
    try {
      await app.listen({ port, ...(address === undefined ? anyAddress() : { host: formatIpv4(address) }) });
    } catch (error) {
      await app.close();
      throw listenError(error, port);
    }
    return { place, app, connections, sockets, credentials };
  }
}

/** Node.js listens on all addresses of IPv6 and IPv4, or of IPv4 where there is no IPv6. */
function anyAddress(): { readonly host: string } {
  return { host: '' };
}

function portOf({ app, place }: Open): number {
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : place.port;
}

function isSamePlace(a: ApiPlace, b: ApiPlace): boolean {
  return a.port === b.port && a.address === b.address;
}

async function close({ app, connections, sockets }: Open): Promise<void> {
  connections.closeAll();
  for (const socket of sockets) socket.destroy();
  await app.close();
}

/** Bounds connections below TLS, also those that have not agreed on it, in all and of each address. Gives those that are open. */
function boundHandshakes({ server }: FastifyInstance): ReadonlySet<Socket> {
  const slots = new Slots<string>(MOST, MOST_OF_ADDRESS);
  const sockets = new Set<Socket>();
  server.prependListener('connection', (socket) => {
    const giveBack = slots.take(machineOf(plainAddress(socket.remoteAddress ?? '')));
    if (giveBack === undefined) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      giveBack();
    });
  });
  // What fails in a handshake concerns its client.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return sockets;
}
