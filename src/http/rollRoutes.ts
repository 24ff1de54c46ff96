import type { FastifyInstance } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import type { Wish } from '../roll/plan.ts';
import { POLICIES, type Policy, type RollLimits, USUAL_LIMITS } from '../roll/record.ts';
import { isSet, wholeNumber } from './query.ts';

/**
 * `GET /api/v1/rolls`; `GET /api/v1/rolls/ID`, where `newest` is an id too; `POST /api/v1/rolls?nodes=&drifted=1&image=&maxUnavailable=&failures=&policy=&bootMs=&dryRun=1`;
 * `POST /api/v1/rolls/ID/abort`, `.../resume` and `.../rollback`, the latter two with limits like those. A roll is answered as it is kept.
 */
export function addRollRoutes(app: FastifyInstance, rolls: RollsForOperators): void {
  app.get('/api/v1/rolls', async (_request, reply) => reply.send(rolls.list()));
  app.get('/api/v1/rolls/:id', async (request, reply) => reply.send(rolls.show((request.params as { id: string }).id)));
  app.post('/api/v1/rolls', async (request, reply) => {
    const query = request.query as Readonly<Record<string, unknown>>;
    const wish: Wish = {
      nodes: String(query.nodes ?? ''),
      drifted: isSet(query.drifted),
      ...(query.image === undefined ? {} : { image: String(query.image) }),
      ...USUAL_LIMITS,
      ...limitsIn(query),
    };
    if (wish.nodes === '' && !wish.drifted) throw new ReveilleError('REQUEST_INVALID', 'no node is named');
    return reply.send(await rolls.begin(wish, isSet(query.dryRun)));
  });
  app.post('/api/v1/rolls/:id/:what', async (request, reply) => {
    const { id, what } = request.params as { id: string; what: string };
    if (what === 'abort') return reply.send(await rolls.abort(id));
    const limits = limitsIn(request.query as Record<string, unknown>);
    if (what === 'resume') return reply.send(await rolls.resume(id, limits));
    if (what === 'rollback') return reply.send(await rolls.rollback(id, limits));
    throw new ReveilleError('REQUEST_INVALID', `a roll cannot be told to ${what}`);
  });
}

function limitsIn(query: Readonly<Record<string, unknown>>): Partial<RollLimits> {
  const { maxUnavailable, failures, policy, bootMs } = query;
  if (maxUnavailable !== undefined && wholeNumber('maxUnavailable', maxUnavailable) === 0) {
    throw new ReveilleError('REQUEST_INVALID', '?maxUnavailable= must be 1 or more');
  }
  return {
    ...(maxUnavailable === undefined ? {} : { maxUnavailable: wholeNumber('maxUnavailable', maxUnavailable) }),
    ...(failures === undefined ? {} : { failures: wholeNumber('failures', failures) }),
    ...(policy === undefined ? {} : { policy: policyIn(policy) }),
    ...(bootMs === undefined ? {} : { bootMs: wholeNumber('bootMs', bootMs) }),
  };
}

function policyIn(text: unknown): Policy {
  const policy = POLICIES.find((one) => one === text);
  if (policy) return policy;
  throw new ReveilleError('REQUEST_INVALID', `?policy= must be one of ${POLICIES.join(', ')}`);
}
