import type { RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import fastify, { type FastifyInstance, type FastifyServerFactory } from 'fastify';
import { ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import { refuse, refuseInWords } from './answer.ts';
import type { Connections } from './connections.ts';
import { hasBody } from './peer.ts';

export const HEADERS_MS = 10_000;
const BODY_MS = 60_000;
export const KEEP_ALIVE_MS = 65_000;
/** How often connections are held against these times. */
const CHECK_MS = 2000;
const MOST_HEADERS = 100;
const LIMITS = { headersTimeout: HEADERS_MS, maxHeaderSize: 16 * 1024, connectionsCheckingInterval: CHECK_MS };
const TLS = { minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_MS } as const;

/**
 * A fastify app: bodies are left to the routes (see `Bodies`), every error one of ours, no redirects (UEFI
 * firmware does not follow them), doubled slashes taken as one. `connections` lets connections in; nothing that a client sends
 * throws past `faulted`. With `secure` it speaks TLS (1.2 and newer).
 */
export function createApp(
  faulted: FaultSink,
  connections: Connections,
  secure?: SecureContextOptions,
): FastifyInstance {
  const app = fastify({
    ...(secure && { serverFactory: secureServers(secure) }),
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: BODY_MS,
    http: LIMITS,
    routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: false },
    clientErrorHandler: guarded(faulted, (error, socket) => refuseUnreadable(error, socket, connections)),
    frameworkErrors: (error, _request, reply) => {
      refuse(reply, new ReveilleError('REQUEST_INVALID', error.message), error.statusCode ?? 400);
    },
  });
  app.removeAllContentTypeParsers();
  // Nothing of a body is read before its route knows who sends it.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'POST' || !hasBody(request.raw)) return;
    return refuse(reply, new ReveilleError('REQUEST_INVALID', `a ${request.method} brings no body here`));
  });
  refuseInWords(app, faulted);

  const { server } = app;
  server.maxHeadersCount = MOST_HEADERS;
  // The answer comes first: a route that reads the body sends 100 Continue itself.
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  const opened = secure ? 'secureConnection' : 'connection';
  const [serve] = server.listeners(opened) as ((socket: Socket) => void)[];
  if (serve === undefined) throw new Error('the HTTP server has no listener for connections');
  server.removeAllListeners(opened);
  server.on(
    opened,
    guarded(faulted, (socket: Socket) => {
      if (connections.admit(socket)) serve.call(server, socket);
    }),
  );
  server.prependListener('request', (request, response) => {
    const { socket } = request;
    connections.began(request, response);
    response.once('close', () => connections.ended(socket));
  });
  app.addHook('onListen', async () => {
    // A connection could not be accepted: its client tries again.
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall !== 'accept') faulted(error);
    });
  });
  return app;
}

function secureServers(secure: SecureContextOptions): FastifyServerFactory {
  const times = { requestTimeout: BODY_MS, keepAliveTimeout: KEEP_ALIVE_MS };
  return (listener) => createSecureServer({ ...secure, ...LIMITS, ...times, ...TLS }, listener as RequestListener);
}

const STATUS_OF: { readonly [code: string]: string } = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The whole answer to what cannot be read as a request. */
export function unreadable(status: string): string {
  const body = JSON.stringify({ code: 'REQUEST_INVALID', message: 'this is not a request that HTTP knows' });
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

/** Answers what is no HTTP, after what came before it. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket, connections: Connections): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  if (connections.closeUnreadable(socket)) return;
  const status = STATUS_OF[error.code ?? ''] ?? '400 Bad Request';
  socket.end(unreadable(status));
  socket.destroySoon();
}
