import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { ADOPT } from '../http/contracts/machines.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { type Mac, parseAnyMac } from '../model/mac.ts';
import { vendorsOf } from '../net/vendors.ts';
import { adoptedNodes } from '../serve/adopt.ts';
import { addNodes } from '../site/addNodes.ts';
import type { Stranger } from '../timeline/strangers.ts';
import { bootJson } from '../words/step.ts';
import { ask, type ServerFlags } from './api.ts';
import { addressOption, dryRunOption, listOption, networkOption, tellAdded, tellEdited } from './nodeAdd.ts';
import { asking, jsonOption, siteOption } from './options.ts';
import { moment, paint } from './print.ts';
import { siteIn } from './site.ts';
import { currentStatus } from './status.ts';
import { table } from './table.ts';

type Flags = ServerFlags & { readonly site: string; readonly json: boolean };
type AdoptFlags = Flags & {
  readonly name?: string;
  readonly ip: string;
  readonly network?: string;
  readonly profile: readonly string[];
  readonly dryRun: boolean;
};

/** `reveille node strangers`: machines that the site does not list and that tried to boot, with what they are. */
export function strangersCommand(): Command {
  return asking(new Command('strangers'))
    .description('list the machines that tried to boot and that the site does not list')
    .addOption(new Option('-a, --all', 'those that asked for an address and nothing else too').default(false))
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille node strangers\n  reveille node adopt 52:54:00:00:00:61')
    .action(async (flags: Flags & { readonly all: boolean }) => {
      const { strangers } = (await currentStatus(flags)).status;
      const shown = strangers.filter(({ triedToBoot }) => flags.all || triedToBoot);
      const vendors = vendorsOf(shown.map(({ mac }) => mac));
      if (flags.json)
        console.log(
          JSON.stringify(
            shown.map((stranger) => plain(stranger, vendors)),
            null,
            2,
          ),
        );
      else console.log(strangersText(shown, vendors));
    });
}

/** `reveille node adopt MAC`: makes a stranger a node of the site. */
export function adoptCommand(): Command {
  return asking(new Command('adopt'))
    .description('make machines that tried to boot nodes of the site; names and addresses follow those that are there')
    .addArgument(new Argument('<mac...>', 'MAC addresses, as `reveille node strangers` lists them').argParser(macs))
    .addOption(new Option('--name <name>', 'host name; default: the next one of the commonest kind'))
    .addOption(addressOption().default('next'))
    .addOption(networkOption())
    .addOption(listOption('--profile <name>', 'a profile'))
    .addOption(siteOption())
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille node adopt 52:54:00:00:00:61 --profile compute')
    .action(async (adopted: readonly Mac[], flags: AdoptFlags) => {
      const { name, ip, network, profile: profiles, dryRun } = flags;
      const asked = { macs: adopted, ip, profiles, ...(name && { name }), ...(network && { network }) };
      if (flags.server !== undefined) {
        tellEdited('Added', await ask(flags, ADOPT, { body: { ...asked, dryRun } }), flags);
        return;
      }
      const site = await siteIn(flags.site);
      const { strangers } = (await currentStatus(flags)).status;
      tellAdded(await addNodes(flags.site, adoptedNodes(site, strangers, asked), flags), flags);
    });
}

/** The strangers as a table, newest first. */
export function strangersText(strangers: readonly Stranger[], vendors: ReadonlyMap<Mac, string>): string {
  if (strangers.length === 0) return 'No unknown machine tried to boot.';
  const rows = strangers.map((stranger) => {
    const { mac, machine, ip, network, via, lastSeen } = stranger;
    return [
      mac,
      machine.hostname ?? '-',
      vendors.get(mac) ?? '-',
      kindOf(stranger),
      [via, machine.circuitId].filter(Boolean).join(' ') || '-',
      ip === undefined ? '-' : `${formatIpv4(ip)}${network ? ` (${network})` : ''}`,
      String(stranger.count),
      moment(lastSeen),
    ];
  });
  const headings = ['MAC', 'CALLS ITSELF', 'VENDOR', 'KIND', 'VIA', 'GIVEN', 'REQUESTS', 'LAST SEEN'];
  const [heading = '', ...lines] = table([headings, ...rows]).split('\n');
  return [paint('bold', heading), ...lines].join('\n');
}

function kindOf({ machine, stage }: Stranger): string {
  const { firmware, architectures, vendorClass } = machine;
  if (firmware !== undefined) return stage === 'ipxe' ? `${firmware}, iPXE` : firmware;
  return architectures ? `architecture ${architectures.join(' ')}` : (vendorClass ?? stage ?? '-');
}

function plain(stranger: Stranger, vendors: ReadonlyMap<Mac, string>): object {
  const { ip, boot } = stranger;
  return {
    ...stranger,
    ...(boot && { boot: bootJson(boot) }),
    vendor: vendors.get(stranger.mac) ?? null,
    ip: ip === undefined ? null : formatIpv4(ip),
  };
}

function macs(text: string, before: readonly Mac[] = []): readonly Mac[] {
  const mac = parseAnyMac(text);
  if (mac === undefined) throw new InvalidArgumentError('it is a MAC address such as 52:54:00:00:00:61');
  return [...before, mac];
}
