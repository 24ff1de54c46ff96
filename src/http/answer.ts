import type { FastifyInstance, FastifyReply } from 'fastify';
import { ERROR_CODES, type ErrorCode, ReveilleError } from '../errors.ts';
import type { FaultSink } from '../faults.ts';
import { hasBody } from './peer.ts';
import { Refused, shortage } from './refused.ts';

/** The body of a refusal: a code for programs, a message and a hint for people, a place where there is one. */
type Refusal = { readonly code: ErrorCode; readonly message: string; readonly hint?: string; readonly place?: object };

/** A client that was refused for what the server lacks asks again after so many seconds. */
const UNAVAILABLE_SECONDS = 5;

/** A refusal as it is sent: status, fields and body. */
export function refusalOf(error: ReveilleError, status?: number) {
  const refusal: Refusal = {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.place === undefined ? {} : { place: error.place }),
  };
  const { status: own, retryAfter } = error instanceof Refused ? error : {};
  const code = status ?? own ?? ERROR_CODES[error.code].status;
  const seconds = retryAfter ?? (code === 503 ? UNAVAILABLE_SECONDS : undefined);
  const headers = {
    ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    ...(code === 401 ? { 'www-authenticate': 'Bearer realm="reveille"' } : {}),
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  };
  return { status: code, headers, refusal };
}

/**
 * Answers with one of our errors, as JSON. The connection is closed where a body of the request may still come: it is not read.
 */
export function refuse(reply: FastifyReply, error: ReveilleError, status?: number): FastifyReply {
  const { status: code, headers, refusal } = refusalOf(error, status);
  if (hasBody(reply.request.raw) && !reply.request.raw.complete) reply.header('connection', 'close');
  return reply.code(code).headers(headers).send(refusal);
}

/**
 * Makes every error of `app` one of ours: those of the framework (too long, wrong method, unreadable URL) are
 * REQUEST_INVALID with their own status, a lack of descriptors is SERVER_BUSY. An error that no code expected goes to `faulted`;
 * the client learns only that there was one.
 */
export function refuseInWords(app: FastifyInstance, faulted: FaultSink): void {
  app.setNotFoundHandler((request, reply) =>
    refuse(
      reply,
      new ReveilleError('FILE_MISSING', `there is nothing at ${request.method} ${request.url.slice(0, 200)}`),
    ),
  );
  app.setErrorHandler((error, _request, reply) => {
    const ours = error instanceof ReveilleError ? error : shortage(error);
    if (ours) return refuse(reply, ours);
    const { statusCode, message } = error as { statusCode?: number; message: string };
    if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
      return refuse(reply, new ReveilleError('REQUEST_INVALID', message), statusCode);
    faulted(error);
    return refuse(reply, serverFailed(), 500);
  });
}

/** What a client learns of an error that no code expected. */
export function serverFailed(): ReveilleError {
  return new ReveilleError('SERVER_FAILED', ERROR_CODES.SERVER_FAILED.meaning);
}
