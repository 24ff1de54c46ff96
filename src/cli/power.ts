import { Argument, Command, Option } from 'commander';
import { carryOut, POWER_ORDERS, type PowerOrder } from '../bmc/carryOut.ts';
import { openBmc } from '../bmc/open.ts';
import type { Power } from '../bmc/session.ts';
import { type ErrorCode, ReveilleError } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import { SiteSecrets } from '../node/siteSecrets.ts';
import { NODE_SET_HELP } from '../site/nodeSet.ts';
import { jsonOption, siteOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { nodesOf, siteIn } from './site.ts';
import { table } from './table.ts';

type Flags = { readonly site: string; readonly dryRun: boolean; readonly json: boolean };

/** How one node's BMC followed. `power` is how it said the machine is at last, null where it did not. */
export type PowerResult = {
  readonly node: string;
  /** `ipmi 10.1.0.51`; null for a node without. */
  readonly bmc: string | null;
  readonly power: Power | null;
  readonly result: 'done' | 'failed' | 'would be done';
  readonly detail: string | null;
  readonly code: ErrorCode | null;
};

/** So many BMCs are asked at once: each is a process of ipmitool. */
const AT_ONCE = 16;

const DONE_WORDS: { readonly [O in PowerOrder]: string } = {
  status: '',
  on: '',
  off: '',
  cycle: 'power cycled',
  pxe: 'the next start is from the network',
};

/** `reveille power NODES ORDER`: straight to the machines' BMCs; no server is needed. */
export function powerCommand(): Command {
  return new Command('power')
    .description('switch machines by their BMCs (IPMI or Redfish), or ask whether they are on')
    .addArgument(new Argument('<nodes>', NODE_SET_HELP))
    .addArgument(
      new Argument('<order>', 'off asks no system to stop; pxe: the next start is from the network').choices(
        POWER_ORDERS,
      ),
    )
    .addOption(siteOption())
    .addOption(new Option('--dry-run', 'list the BMCs that would get the order, and send none').default(false))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      "\nExits 1 if one did not follow. Passwords are the site's secrets, read by who runs this.\n\nExample:\n  reveille power node[01-16] status\n  reveille power node07 pxe && reveille power node07 cycle\n  reveille power @compute off --dry-run",
    )
    .action(async (set: string, order: PowerOrder, flags: Flags) => {
      const site = await siteIn(flags.site);
      const secrets = new SiteSecrets(() => site, process.env);
      const results = await inTurns(nodesOf(site, set), async (node) => {
        const named = { node: node.name, bmc: node.bmc ? `${node.bmc.kind} ${node.bmc.address}` : null };
        try {
          const session = await openBmc(node, secrets);
          if (flags.dryRun && order !== 'status') return { ...named, ...DRY };
          const power = await carryOut(session, order);
          return { ...named, power, result: 'done', detail: DONE_WORDS[order] || null, code: null } as const;
        } catch (error) {
          if (!(error instanceof ReveilleError)) throw error;
          const detail = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
          return { ...named, power: null, result: 'failed', detail, code: error.code } as const;
        }
      });
      console.log(flags.json ? jsonText(results) : powerText(results));
      if (results.some(({ result }) => result === 'failed')) process.exitCode = 1;
    });
}

const DRY = { power: null, result: 'would be done', detail: null, code: null } as const;

/** Some at once, the results in the order of the nodes. */
async function inTurns(
  nodes: readonly SiteNode[],
  one: (node: SiteNode) => Promise<PowerResult>,
): Promise<readonly PowerResult[]> {
  const results: PowerResult[] = [];
  const waiting = [...nodes.entries()];
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await one(next[1]);
  });
  await Promise.all(turns);
  return results;
}

/** The results as a table. */
export function powerText(results: readonly PowerResult[]): string {
  const rows = results.map(({ node, bmc, power, result, detail }) => [
    node,
    bmc ?? '-',
    power ?? '-',
    result,
    detail ?? '',
  ]);
  const [heading = '', ...lines] = table([['NODE', 'BMC', 'POWER', 'RESULT', ''], ...rows]).split('\n');
  const coloured = lines.map((line, i) => {
    const result = results[i]?.result ?? 'done';
    return result === 'failed' ? line.replace(`  ${result} `, `  ${paint('red', result)} `) : line;
  });
  return [paint('bold', heading), ...coloured].join('\n');
}
