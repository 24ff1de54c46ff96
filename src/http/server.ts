import { ReveilleError, wordsOf } from '../errors.ts';
import type { FaultSink } from '../faults.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { portHolder } from '../net/portHolder.ts';
import { privilegeMissing } from '../net/privilege.ts';
import { createApp } from './app.ts';
import { addBootRoutes, type BootRoutesFrom } from './bootRoutes.ts';
import { Connections } from './connections.ts';
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
  };

type Limits = Pick<BootRoutesFrom, 'stallMs' | 'maxDownloads' | 'maxDownloadsPerClient'>;

const STALL_MS = 60_000;

export type HttpServer = {
  /** Listens on every address, or one; port 0 takes a free one. Resolves to the port. Throws PORT_IN_USE, PRIVILEGE_MISSING. */
  listen(where: { readonly port: number; readonly ip?: Ipv4 }): Promise<number>;
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
  addBootRoutes(app, { stallMs: STALL_MS, maxDownloads, maxDownloadsPerClient, ...from });
  addNodeRoutes(app, { addressesOn, ...from });

  return {
    async listen({ port, ip }) {
      try {
        await app.listen({ port, host: ip === undefined ? '0.0.0.0' : formatIpv4(ip) });
      } catch (error) {
        throw listenError(error, port);
      }
      const address = app.server.address();
      return typeof address === 'object' && address !== null ? address.port : port;
    },
    async close() {
      connections.closeAll();
      await app.close();
    },
  };
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
