import { createServer, type Server } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ReveilleError, wordsOf } from '../errors.ts';
import type { FaultSink } from '../faults.ts';
import type { Gauges } from '../model/gauges.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { portHolder } from '../net/portHolder.ts';
import { privilegeMissing } from '../net/privilege.ts';
import { createApp } from './app.ts';
import { addBootRoutes, type BootRoutesFrom } from './bootRoutes.ts';
import { Connections } from './connections.ts';
import { type Adopt, added, adoptingConnections, type HttpFront, type ListenAt } from './front.ts';
import { limitsFor } from './limits.ts';
import { addNodeRoutes, type NodeRoutesFrom } from './nodeRoutes.ts';

/** What the HTTP server is made from; what is left out has a default. */
export type HttpServerFrom = Omit<BootRoutesFrom, keyof Limits> &
  Omit<NodeRoutesFrom, 'addressesOn'> &
  Partial<Limits & Pick<NodeRoutesFrom, 'addressesOn'>> & {
    /** Takes in exceptions that no code expected; absent: they become events. */
    readonly faulted?: FaultSink;
    /** How many descriptors the server may hold. */
    readonly descriptors?: number;
    /** Makes what accepts connections in its place. Absent: it does so itself, and serves boot files too. */
    readonly front?: (adopt: Adopt) => Promise<HttpFront> | HttpFront;
  };

type Limits = Pick<BootRoutesFrom, 'stallMs' | 'maxDownloads' | 'maxDownloadsPerClient'>;

export const STALL_MS = 60_000;

export type HttpServer = {
  /**
   * Listens on every address, or one; port 0 takes a free one. Resolves to the port. Called again, it listens there as well: nodes
   * that run know the server by the port that they booted from. Throws PORT_IN_USE, PRIVILEGE_MISSING.
   */
  listen(where: ListenAt): Promise<number>;
  /** Takes over the site as it is now. */
  reload(): void;
  gauges(): Gauges;
  /** Stops; transfers that run are cut off. */
  close(): Promise<void>;
};

/** The server for machines: boot files and the nodes' API. */
export function createHttpServer(from: HttpServerFrom): HttpServer {
  const limits = limitsFor(from.descriptors);
  const faulted =
    from.faulted ??
    ((error) => from.emit({ kind: 'server.trouble', code: 'SERVER_FAILED', message: `HTTP: ${wordsOf(error)}` }));
  const connections = new Connections(limits.connections, limits.connectionsPerClient);
  const app = createApp(faulted, connections);
  const { downloads: maxDownloads, downloadsPerClient: maxDownloadsPerClient } = limits;
  const bootFiles = addBootRoutes(app, { stallMs: STALL_MS, maxDownloads, maxDownloadsPerClient, ...from });
  addNodeRoutes(app, { addressesOn, ...from });

  const listener: HttpFront =
    from.front === undefined ? new DirectListener(app, faulted) : new FrontListener(app, faulted, from.front);
  return {
    async listen(where) {
      try {
        return await listener.listen(where);
      } catch (error) {
        throw listenError(error, where.port);
      }
    },
    reload: () => listener.reload?.(),
    gauges: () => added({ ...connections.gauges(), ...bootFiles.gauges() }, listener.gauges()),
    async close() {
      await listener.close();
      connections.closeAll();
      await app.close();
    },
  };
}

/** The app accepts connections itself. */
class DirectListener implements HttpFront {
  readonly #app: FastifyInstance;
  readonly #faulted: FaultSink;
  readonly #more: Server[] = [];

  constructor(app: FastifyInstance, faulted: FaultSink) {
    this.#app = app;
    this.#faulted = faulted;
  }

  async listen(where: ListenAt): Promise<number> {
    const { server } = this.#app;
    if (!server.listening) {
      await this.#app.listen(listenOptions(where));
      return portOf(server, where.port);
    }
    const also = await listenAlso(where, server, this.#faulted);
    this.#more.push(also);
    return portOf(also, where.port);
  }

  gauges(): Gauges {
    return {};
  }

  async close(): Promise<void> {
    for (const one of this.#more) one.close();
  }
}

/** Another part accepts connections, and hands over those that are the app's. */
class FrontListener implements HttpFront {
  readonly #make: () => Promise<HttpFront>;
  #front: Promise<HttpFront> | undefined;
  #made: HttpFront | undefined;

  constructor(app: FastifyInstance, faulted: FaultSink, make: (adopt: Adopt) => Promise<HttpFront> | HttpFront) {
    this.#make = async () => {
      this.#made = await make(await adoptingConnections(app, faulted));
      return this.#made;
    };
  }

  async listen(where: ListenAt): Promise<number> {
    this.#front ??= this.#make();
    return (await this.#front).listen(where);
  }

  reload(): void {
    this.#made?.reload?.();
  }

  gauges(): Gauges {
    return this.#made?.gauges() ?? {};
  }

  async close(): Promise<void> {
    const front = await this.#front?.catch(() => undefined);
    await front?.close();
  }
}

function listenOptions({ port, ip }: ListenAt): { readonly port: number; readonly host: string } {
  return { port, host: ip === undefined ? '0.0.0.0' : formatIpv4(ip) };
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}

/** Another port whose connections are those of `server`, with its limits. */
function listenAlso(where: ListenAt, server: Server, faulted: FaultSink): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const also = createServer({ noDelay: true }, (socket) => server.emit('connection', socket));
  also.once('error', reject);
  also.listen(listenOptions(where), () => {
    also.off('error', reject);
    also.on('error', faulted);
    resolve(also);
  });
  return promise;
}

/** None where they cannot be asked for now. */
function addressesOn(name: string): readonly Ipv4[] {
  try {
    return (interfaceAddresses().get(name) ?? []).map(({ ip }) => ip);
  } catch {
    return [];
  }
}

/** A failure to listen in words: who holds the port, or which capability is missing. */
export function listenError(error: unknown, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES') return privilegeMissing('CAP_NET_BIND_SERVICE', `HTTP cannot listen on port ${port}`, error);
  if (code !== 'EADDRINUSE') return error;
  const holder = portHolder('tcp', port);
  return new ReveilleError('PORT_IN_USE', `TCP port ${port} is held by ${holder ?? 'another program'}`, {
    hint: 'stop that program, or set another http port in site.yaml',
    cause: error,
  });
}
