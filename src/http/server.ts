import { ReveilleError, wordsOf } from '../errors.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import { portHolder } from '../net/portHolder.ts';
import { privilegeMissing } from '../net/privilege.ts';
import { createApp } from './app.ts';
import { addBootRoutes, type BootRoutesFrom } from './bootRoutes.ts';
import { addNodeRoutes, type NodeRoutesFrom } from './nodeRoutes.ts';

/** What the HTTP server is made from; the limits have defaults. */
export type HttpServerFrom = Omit<BootRoutesFrom, keyof Limits> & NodeRoutesFrom & Partial<Limits>;

type Limits = Pick<BootRoutesFrom, 'stallMs' | 'maxDownloads' | 'maxDownloadsPerClient'>;

/** A rack of machines that start at once each fetch two files; what is over gets 503 and asks again. */
const DEFAULTS: Limits = { stallMs: 60_000, maxDownloads: 1024, maxDownloadsPerClient: 64 };

const MOST_CONNECTIONS = 8192;

export type HttpServer = {
  /** Listens on every address, or one; port 0 takes a free one. Resolves to the port. Throws PORT_IN_USE, PRIVILEGE_MISSING. */
  listen(where: { readonly port: number; readonly ip?: Ipv4 }): Promise<number>;
  /** Stops; transfers that run are cut off. */
  close(): Promise<void>;
};

/** The server for machines: boot files and the nodes' API. */
export function createHttpServer(from: HttpServerFrom): HttpServer {
  const app = createApp((error) => {
    from.emit({ kind: 'server.trouble', code: 'SERVER_FAILED', message: `HTTP: ${wordsOf(error)}` });
  });
  addBootRoutes(app, { ...DEFAULTS, ...from });
  addNodeRoutes(app, from);
  app.server.maxConnections = MOST_CONNECTIONS;

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
    close: () => app.close(),
  };
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
