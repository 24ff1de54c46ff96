import fastify, { type FastifyInstance } from 'fastify';
import { ReveilleError } from '../errors.ts';
import { refuse, refuseInWords } from './answer.ts';

const HEADERS_MS = 10_000;
const BODY_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;

/**
 * A fastify app as this project wants it: bodies as bytes, every error one of ours, no redirects (UEFI firmware does not
 * follow them), doubled slashes taken as one.
 */
export function createApp(trouble: (error: unknown) => void): FastifyInstance {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: BODY_MS,
    http: { headersTimeout: HEADERS_MS, maxHeaderSize: 16 * 1024 },
    routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: false },
    frameworkErrors: (error, _request, reply) => {
      refuse(reply, new ReveilleError('REQUEST_INVALID', error.message), error.statusCode ?? 400);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  refuseInWords(app, trouble);
  return app;
}
