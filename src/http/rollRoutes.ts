import type { FastifyInstance } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import { USUAL_LIMITS } from '../roll/record.ts';
import { rollJson } from '../words/roll.ts';
import { ABORT_ROLL, BEGIN_ROLL, LIST_ROLLS, RESUME_ROLL, ROLL_BACK, SHOW_ROLL } from './contracts/rolls.ts';
import { serveJson } from './serveRoute.ts';

/** What operators ask of rolls. A roll is answered as it is kept, with its words. */
export function addRollRoutes(app: FastifyInstance, rolls: RollsForOperators): void {
  serveJson(app, LIST_ROLLS, () => rolls.list().map(rollJson));
  serveJson(app, SHOW_ROLL, ({ params: { id } }) => {
    const { roll, pins } = rolls.show(id);
    return { roll: rollJson(roll), pins };
  });
  serveJson(app, BEGIN_ROLL, async ({ body: { nodes = '', drifted = false, dryRun = false, ...more } }) => {
    if (nodes === '' && !drifted) throw new ReveilleError('REQUEST_INVALID', 'no node is named');
    return rollJson(await rolls.begin({ ...USUAL_LIMITS, ...more, nodes, drifted }, dryRun));
  });
  serveJson(app, ABORT_ROLL, async ({ params: { id } }) => rollJson(await rolls.abort(id)));
  serveJson(app, RESUME_ROLL, async ({ params: { id }, body }) => rollJson(await rolls.resume(id, body)));
  serveJson(app, ROLL_BACK, async ({ params: { id }, body }) => rollJson(await rolls.rollback(id, body)));
}
