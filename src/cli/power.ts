import { Argument, Command, Option } from 'commander';
import { POWER_ORDERS, type PowerOrder } from '../bmc/carryOut.ts';
import { type PowerResult, switchNodes } from '../bmc/switchNodes.ts';
import { POWER } from '../http/contracts/machines.ts';
import { SiteSecrets } from '../node/siteSecrets.ts';
import { NODE_SET_HELP } from '../site/nodeSet.ts';
import { askLines, type ServerFlags } from './api.ts';
import { asking, jsonOption, siteOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { nodesOf, siteIn } from './site.ts';
import { table } from './table.ts';

type Flags = ServerFlags & { readonly site: string; readonly dryRun: boolean; readonly json: boolean };

/** `reveille power NODES ORDER`: straight to the machines' BMCs; no server is needed. */
export function powerCommand(): Command {
  return asking(new Command('power'))
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
      const results =
        flags.server === undefined ? await byOwnHand(set, order, flags) : await byServer(set, order, flags);
      console.log(flags.json ? jsonText(results) : powerText(results));
      if (results.some(({ result }) => result === 'failed')) process.exitCode = 1;
    });
}

/** Straight to the machines' BMCs. The results are in the order of the nodes. */
async function byOwnHand(set: string, order: PowerOrder, flags: Flags): Promise<readonly PowerResult[]> {
  const site = await siteIn(flags.site);
  const nodes = nodesOf(site, set);
  const secrets = new SiteSecrets(() => site, process.env);
  return inOrderOf(
    nodes.map(({ name }) => name),
    await Array.fromAsync(switchNodes(nodes, order, { secrets, dryRun: flags.dryRun })),
  );
}

async function byServer(nodes: string, order: PowerOrder, flags: Flags): Promise<readonly PowerResult[]> {
  const lines = await Array.fromAsync(askLines(flags, POWER, { body: { nodes, order, dryRun: flags.dryRun } }));
  const names = lines.flatMap((line) => ('nodes' in line ? line.nodes : []));
  return inOrderOf(
    names,
    lines.flatMap((line) => ('nodes' in line ? [] : [line])),
  );
}

function inOrderOf(names: readonly string[], results: readonly PowerResult[]): readonly PowerResult[] {
  const places = new Map(names.map((name, i) => [name, i]));
  return results.toSorted((a, b) => (places.get(a.node) ?? 0) - (places.get(b.node) ?? 0));
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
