import type { FastifyInstance, FastifyReply } from 'fastify';
import { ERROR_CODES, type ErrorCode, ReveilleError } from '../errors.ts';

/** What an API says instead of an answer: a code for programs, words and a hint for people, a place where there is one. */
type Refusal = { readonly code: ErrorCode; readonly message: string; readonly hint?: string; readonly place?: object };

const STATUS: { readonly [code in ErrorCode]?: number } = {
  REQUEST_INVALID: 400,
  NODE_SET_INVALID: 400,
  IDENTITY_REFUSED: 403,
  NODE_UNKNOWN: 404,
  FILES_UNKNOWN: 404,
  FILE_MISSING: 404,
  IMAGE_MISSING: 404,
  SITE_INVALID: 422,
  TEMPLATE_INVALID: 422,
  TOO_MANY_REQUESTS: 429,
  SERVER_BUSY: 503,
  STATE_UNAVAILABLE: 503,
};

/** Answers with one of our errors, as JSON. */
export function refuse(reply: FastifyReply, error: ReveilleError, status = STATUS[error.code] ?? 500): FastifyReply {
  const refusal: Refusal = {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.place === undefined ? {} : { place: error.place }),
  };
  return reply.code(status).type('application/json; charset=utf-8').header('cache-control', 'no-store').send(refusal);
}

/**
 * Makes every error of `app` one of ours: those of the framework (too long, wrong method, unreadable URL) are
 * REQUEST_INVALID with their own status. What nobody foresaw is told to `trouble` and to the client only as such.
 */
export function refuseInWords(app: FastifyInstance, trouble: (error: unknown) => void): void {
  app.setNotFoundHandler((request, reply) =>
    refuse(
      reply,
      new ReveilleError('FILE_MISSING', `there is nothing at ${request.method} ${request.url.slice(0, 200)}`),
    ),
  );
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof ReveilleError) return refuse(reply, error);
    const { statusCode, message } = error as { statusCode?: number; message: string };
    if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
      return refuse(reply, new ReveilleError('REQUEST_INVALID', message), statusCode);
    trouble(error);
    return refuse(reply, new ReveilleError('SERVER_FAILED', ERROR_CODES.SERVER_FAILED), 500);
  });
}
