import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { Caller } from './caller.ts';
import {
  type AnswerOf,
  type Contract,
  isChange,
  type JsonContract,
  type LinesContract,
  type ValuesOf,
} from './contracts/contract.ts';
import { readValues } from './contracts/request.ts';
import { hasBody } from './peer.ts';

/** The longest body of an operator's request, in bytes: the names of 10,000 nodes fit. */
const LONGEST_BODY = 256 * 1024;

/** Has an app read bodies in JSON, for routes that take one. */
export function readJsonBodies(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: LONGEST_BODY },
    app.getDefaultJsonParser('error', 'error'),
  );
}

/** Registers a route by its contract: `answer` gets values that fit, and what it gives is sent as JSON. */
export function serveJson<C extends JsonContract>(
  app: FastifyInstance,
  contract: C,
  answer: (values: ValuesOf<C>, caller: Caller | null) => AnswerOf<C> | Promise<AnswerOf<C>>,
): void {
  register(app, contract, async (values, reply) => reply.send(await answer(values, reply.request.caller)));
}

/** Registers a route whose answer is a stream of lines, which `answer` sends. */
export function serveLines<C extends LinesContract>(
  app: FastifyInstance,
  contract: C,
  answer: (values: ValuesOf<C>, reply: FastifyReply) => Promise<FastifyReply>,
): void {
  register(app, contract, answer);
}

function register<C extends Contract>(
  app: FastifyInstance,
  contract: C,
  answer: (values: ValuesOf<C>, reply: FastifyReply) => Promise<FastifyReply>,
): void {
  const { method, path: url } = contract;
  app.route({
    method,
    url,
    config: { contract },
    handler: async (request, reply) => {
      const { params, query, body, raw } = request;
      if (body === undefined && hasBody(raw)) {
        throw new ReveilleError('REQUEST_INVALID', 'the body must be JSON, with content-type: application/json');
      }
      const values = readValues(contract, { params, query, body });
      return isChange(contract) ? recorded(app, contract, request, () => answer(values, reply)) : answer(values, reply);
    },
  });
}

/** Does what was asked for, and records who asked for it and how it ended. */
async function recorded<T>(
  app: FastifyInstance,
  { operation }: Contract,
  { caller, params, body }: FastifyRequest,
  work: () => Promise<T>,
): Promise<T> {
  const record = (outcome: string): void => {
    if (caller !== null)
      app.changed({ caller, operation, values: { ...asObject(params), ...asObject(body) }, outcome });
  };
  try {
    const answered = await work();
    record('done');
    return answered;
  } catch (error) {
    record(error instanceof ReveilleError ? error.code : 'SERVER_FAILED');
    throw error;
  }
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
