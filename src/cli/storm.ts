import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { isInOwnNamespace } from '../net/ownAddress.ts';
import { parseDuration } from '../site/duration.ts';
import { svg } from '../storm/plot.ts';
import { type StormNode, type StormProgress, storm } from '../storm/storm.ts';
import { jsonOption, nodesArgument, siteOption, whole } from './options.ts';
import { errorText, jsonText } from './print.ts';
import { nodesOf, siteIn } from './site.ts';
import { progressText, stormPlot, stormText } from './stormText.ts';

type Flags = {
  readonly site: string;
  readonly interface: string;
  readonly ramp: number;
  readonly atOnce: number;
  readonly limit: number;
  readonly firmware: keyof typeof ARCHES;
  readonly realNetwork: boolean;
  readonly svg?: string;
  readonly json: boolean;
};

/** What each kind of firmware says in option 93. */
const ARCHES = { bios: 0, 'efi-x64': 7 } as const;

/** `reveille storm`: simulated nodes boot against a server that runs. */
export function stormCommand(): Command {
  return new Command('storm')
    .description('boot simulated nodes of the site against a server that runs, all at once, and report')
    .addArgument(nodesArgument({ required: false }))
    .requiredOption('--interface <name>', 'the interface that they are behind; their addresses are added to it')
    .addOption(siteOption())
    .addOption(new Option('--ramp <duration>', 'they begin evenly over this time').default(0, '0s').argParser(duration))
    .addOption(
      new Option('--at-once <n>', 'at most so many boot at the same time').default(10_000).argParser(whole(1, 100_000)),
    )
    .addOption(
      new Option('--limit <duration>', 'a node that is not ready after this time has failed')
        .default(600_000, '10m')
        .argParser(duration),
    )
    .addOption(new Option('--firmware <kind>', 'their firmware').choices(Object.keys(ARCHES)).default('bios'))
    .addOption(
      new Option(
        '--real-network',
        'also outside of a network namespace of its own, where real machines may be reached',
      ).default(false),
    )
    .addOption(new Option('--svg <file>', 'write the curve of nodes that are ready as SVG'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(async (set: string, flags: Flags) => {
      if (!flags.realNetwork && !isInOwnNamespace()) throw refused();
      const site = await siteIn(flags.site);
      const chosen = set === '' ? [...site.nodes.values()] : nodesOf(site, set);
      const nodes = chosen.flatMap(({ name, macs: [mac] }): StormNode[] => (mac === undefined ? [] : [{ name, mac }]));
      if (nodes.length === 0) throw new ReveilleError('NODE_UNKNOWN', 'the site has no node with a MAC address');
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const report = await storm(nodes, {
        interface: flags.interface,
        rampMs: flags.ramp,
        atOnce: flags.atOnce,
        limitMs: flags.limit,
        arch: ARCHES[flags.firmware],
        faulted: (error) => console.error(`reveille: ${errorText(error)}`),
        signal: stop.signal,
        ...(process.stderr.isTTY ? { onProgress: showProgress(nodes.length) } : {}),
      });
      if (process.stderr.isTTY) process.stderr.write('\n');
      if (flags.svg !== undefined) writeFileSync(flags.svg, svg(stormPlot(report)));
      console.log(flags.json ? jsonText(report) : stormText(report));
      if (report.ready < nodes.length) process.exitCode = 1;
    });
}

const HELP = `
Each node asks by DHCP as firmware, fetches the loader by TFTP, asks again as iPXE, fetches script, kernel and initrd by HTTP, asks as the
operating system, sends its inventory, fetches its bundle and reports until it is ready. The server takes them for the real nodes of those MAC
addresses: use a site of its own, in a lab or a network namespace. Run it as root. Exits 1 if a node did not get ready.

Example:
  reveille storm --site lab --interface eth1
  reveille storm node[001-500] --site lab --interface eth1 --ramp 30s --svg storm.svg`;

function refused(): ReveilleError {
  return new ReveilleError(
    'REQUEST_INVALID',
    'this is the network namespace of the machine itself: a storm would take the addresses of real nodes and reach real servers',
    {
      hint: 'run it in a namespace (ip netns exec NAME reveille storm ...), or say --real-network where the interface leads to a lab and nothing else',
    },
  );
}

function showProgress(nodes: number): (progress: StormProgress) => void {
  return (progress) => process.stderr.write(`\r\x1b[K${progressText(progress, nodes)}`);
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms > 86_400_000)
    throw new InvalidArgumentError('a duration such as 30s or 2m, one day at most, is wanted');
  return ms;
}
