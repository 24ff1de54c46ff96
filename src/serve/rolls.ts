import { restartFromNetwork } from '../bmc/carryOut.ts';
import { openBmc } from '../bmc/open.ts';
import { cloudOf, expectedInService, type WithCloud } from '../cloud/expected.ts';
import { CloudFollower } from '../cloud/follow.ts';
import { readCloudView } from '../cloud/view.ts';
import { askForLogs } from '../node/askForLogs.ts';
import type { Orders } from '../node/orders.ts';
import { createAct } from '../roll/act.ts';
import { createLook } from '../roll/look.ts';
import { type RollsForOperators, rollsForOperators } from '../roll/operators.ts';
import type { PlanFrom } from '../roll/plan.ts';
import type { Rolls } from '../roll/run.ts';
import type { Bundles } from './bundles.ts';
import type { Core } from './core.ts';
import type { Records } from './records.ts';

/** Calls to the site's cloud. */
export function openCloud({ site }: Core): WithCloud {
  return cloudOf(() => site().cloud, process.env);
}

/** Runs the rolls that go on, and gives what operators may ask of them. */
export function runRolls(
  { supervisor, site, opened }: Core,
  { timeline }: Records,
  rolls: Rolls,
  shelf: PlanFrom['shelf'],
  { secrets, files }: Bundles,
  orders: Orders,
  withCloud: WithCloud,
): RollsForOperators {
  const look = createLook({
    site,
    newestBoot: (node) => timeline.boots(node)[0],
    isWaiting: (node) => orders.isWaiting(node),
    filesOf: (node) => files.standing(node),
    withCloud,
    now: Date.now,
  });
  const powerCycle = async (name: string) => {
    const node = site().nodes.get(name);
    if (node) await restartFromNetwork(await openBmc(node, secrets));
  };
  opened.use(supervisor.part('rolls', () => rolls.run(look, createAct(withCloud, orders, powerCycle))));
  return rollsForOperators({ rolls, site, shelf, look, now: Date.now });
}

/** Watches whether the cloud has nodes in service. */
export function watchCloud(
  { supervisor, bus: { emit }, site, opened }: Core,
  { timeline }: Records,
  orders: Orders,
  withCloud: WithCloud,
): void {
  const logsOf = askForLogs(orders, Date.now);
  const follower = supervisor.part(
    'cloud',
    () =>
      new CloudFollower({
        expected: () => expectedInService(site(), (node) => timeline.boots(node)[0]),
        view: () => withCloud(readCloudView),
        onMissing: ({ node, bootedAt }) => logsOf(node, bootedAt),
        emit,
      }),
  );
  opened.use(follower);
  supervisor.measure('cloud', () => follower.gauges());
}
