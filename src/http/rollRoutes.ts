import type { FastifyInstance } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import { USUAL_LIMITS } from '../roll/record.ts';
import { ABORT_ROLL, BEGIN_ROLL, LIST_ROLLS, RESUME_ROLL, ROLL_BACK, SHOW_ROLL } from './contracts/rolls.ts';
import { serveJson } from './serveRoute.ts';

/** What operators ask of rolls. A roll is answered as it is kept. */
export function addRollRoutes(app: FastifyInstance, rolls: RollsForOperators): void {
  serveJson(app, LIST_ROLLS, () => rolls.list());
  serveJson(app, SHOW_ROLL, ({ params: { id } }) => rolls.show(id));
  serveJson(app, BEGIN_ROLL, ({ body: { nodes = '', drifted = false, dryRun = false, ...more } }) => {
    if (nodes === '' && !drifted) throw new ReveilleError('REQUEST_INVALID', 'no node is named');
    return rolls.begin({ ...USUAL_LIMITS, ...more, nodes, drifted }, dryRun);
  });
  serveJson(app, ABORT_ROLL, ({ params: { id } }) => rolls.abort(id));
  serveJson(app, RESUME_ROLL, ({ params: { id }, body }) => rolls.resume(id, body));
  serveJson(app, ROLL_BACK, ({ params: { id }, body }) => rolls.rollback(id, body));
}
