import type { Site } from '../site/site.ts';
import { type PlanFrom, planRoll, planRollback, preview, refuseCommonNodes, type Wish } from './plan.ts';
import type { Roll, RollLimits } from './record.ts';
import type { Rolls } from './run.ts';
import type { Seen } from './seen.ts';

/** What operators may ask of rolls. Each rejects as the planning and running of rolls does. */
export type RollsForOperators = {
  list(): readonly Roll[];
  /** A roll by its id, and the pins of all nodes. */
  show(id: string): { readonly roll: Roll; readonly pins: Readonly<Record<string, string>> };
  /** With `dryRun` nothing is begun; the note of each node shows what would be done. */
  begin(wish: Wish, dryRun: boolean): Promise<Roll>;
  abort(id: string): Promise<Roll>;
  resume(id: string, limits: Partial<RollLimits>): Promise<Roll>;
  rollback(id: string, limits: Partial<RollLimits>): Promise<Roll>;
};

export type OperatorsRollsFrom = {
  readonly rolls: Rolls;
  readonly site: () => Site;
  readonly shelf: PlanFrom['shelf'];
  readonly look: (roll: Pick<Roll, 'nodes'>, all?: boolean) => Promise<Seen>;
  readonly now: () => number;
};

/** What operators may ask of rolls, over the rolls of this server. `newest` stands for the id of the newest roll. */
export function rollsForOperators({ rolls, site, shelf, look, now }: OperatorsRollsFrom): RollsForOperators {
  const planFrom = (): PlanFrom => ({ site: site(), shelf, pins: rolls.pins, look, now: now() });
  const idOf = (id: string): string => (id === 'newest' ? (rolls.list().at(-1)?.id ?? id) : id);
  return {
    list: () => rolls.list(),
    show: (id) => ({ roll: rolls.named(idOf(id)), pins: Object.fromEntries(rolls.pins) }),
    async begin(wish, dryRun) {
      const planned = await planRoll(wish, planFrom());
      if (!dryRun) return rolls.begin(planned);
      refuseCommonNodes(planned, rolls.list());
      return preview(planned, await look(planned, true));
    },
    abort: (id) => rolls.abort(idOf(id)),
    resume: (id, limits) => rolls.resume(idOf(id), limits),
    async rollback(id, limits) {
      return rolls.begin(await planRollback(rolls.named(idOf(id)), limits, planFrom()));
    },
  };
}
