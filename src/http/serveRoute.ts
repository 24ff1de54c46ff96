import type { FastifyInstance, FastifyReply } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { AnswerOf, Contract, JsonContract, LinesContract, ValuesOf } from './contracts/contract.ts';
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
  answer: (values: ValuesOf<C>) => AnswerOf<C> | Promise<AnswerOf<C>>,
): void {
  register(app, contract, async (values, reply) => reply.send(await answer(values)));
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
    handler: async ({ params, query, body, raw }, reply) => {
      if (body === undefined && hasBody(raw)) {
        throw new ReveilleError('REQUEST_INVALID', 'the body must be JSON, with content-type: application/json');
      }
      return answer(readValues(contract, { params, query, body }), reply);
    },
  });
}
