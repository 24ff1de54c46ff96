import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { formatPlace } from '../errors.ts';
import { leaveUnproven } from '../import/claims.ts';
import { readDnsmasq } from '../import/dnsmasq/read.ts';
import { type Remark, SiteDraft } from '../import/draft.ts';
import { dropUnfit } from '../import/fit.ts';
import { listeningInterface } from '../import/isc/interfaces.ts';
import { leasesFor, parseLeases } from '../import/isc/leases.ts';
import { readDhcpd } from '../import/isc/read.ts';
import { readLatin1 } from '../import/isc/text/includes.ts';
import { readTree } from '../import/pxelinux/read.ts';
import { byPlace, byReason, more, totals } from '../import/report.ts';
import { readWarewulf } from '../import/warewulf/read.ts';
import { REPORT, writeReport, writeSite } from '../import/write.ts';
import type { Finding } from '../model/finding.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { loadSite } from '../site/load.ts';
import { unservable } from '../site/servable.ts';
import type { Site } from '../site/site.ts';
import { openStore } from '../state/store.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { siteIn } from './site.ts';
import { table } from './table.ts';

type Flags = {
  readonly dhcpd?: string;
  readonly dnsmasq?: string;
  readonly warewulf?: string;
  readonly tftp?: string;
  readonly interface?: string;
  readonly leases?: string;
  readonly state: string;
  readonly site: string;
  readonly out?: string;
  readonly json: boolean;
};

const EXAMPLE = `
Example:
  reveille import --dhcpd /etc/dhcp/dhcpd.conf --tftp /srv/tftp --interface br0 --out my-rack
  reveille import --dnsmasq /etc/dnsmasq.conf --out my-rack
  reveille import --warewulf /etc/warewulf/nodes.conf --out my-rack
  reveille check --site my-rack
  reveille import --leases /var/lib/dhcp/dhcpd.leases --site my-rack
With --leases alone the site of --site takes the leases on; else the new one. They go to the state folder of --state.`;

/** `reveille import`: makes a site of other systems' configuration, and says what became of each part of it. */
export function importCommand(): Command {
  return new Command('import')
    .description("make a site from the configuration of dhcpd, dnsmasq or Warewulf and of a TFTP server's tree")
    .addOption(new Option('--dhcpd <file>', "ISC dhcpd's dhcpd.conf").conflicts(['dnsmasq', 'warewulf']))
    .addOption(new Option('--dnsmasq <file>', 'dnsmasq.conf').conflicts('warewulf'))
    .option('--warewulf <file>', "Warewulf 4's nodes.conf")
    .option('--tftp <dir>', "the TFTP server's folder: pxelinux.cfg, kernels, per-node folders")
    .option('--interface <name>', 'interface on which requests arrive; default: the one with an address there')
    .option('--leases <file>', "dhcpd's dhcpd.leases: what is lent stays lent")
    .addOption(stateOption())
    .addOption(siteOption())
    .option('--out <dir>', 'folder for the new site; it must be new or empty')
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLE)
    .action(async (flags: Flags, command: Command) => {
      const sources = [flags.dhcpd, flags.dnsmasq, flags.warewulf, flags.tftp].filter((source) => source !== undefined);
      const { leases, state, out } = flags;
      const draft = new SiteDraft();
      if (leases === undefined && command.getOptionValueSource('state') === 'cli') {
        command.error('error: --state DIR is for --leases FILE', { exitCode: 2 });
      }
      if (sources.length === 0 && leases !== undefined) {
        await carryLeases(await siteIn(flags.site), leases, state, draft);
        console.log(flags.json ? asJson(flags.site, draft, [], []) : remarkLines(draft, MOST_SHOWN).join('\n'));
        return;
      }
      if (sources.length === 0) {
        const message = 'error: name what to import: --dhcpd, --dnsmasq or --warewulf FILE, --tftp DIR';
        command.error(message, { exitCode: 2 });
      }
      if (out === undefined) command.error('error: name the folder for the new site: --out DIR', { exitCode: 2 });
      await read(flags, draft);
      dropUnfit(draft, sources[0] ?? '');
      leaveUnproven(draft);
      await writeSite(draft, out, sources);
      const loaded = await loadSite(out);
      if (loaded.ok && leases !== undefined) {
        await carryLeases(loaded.site, leases, state, draft);
        await writeReport(draft, out, [...sources, leases]);
      }
      // A TFTP server's tree has no networks to take over: that they are to be written is no fault of it.
      const lacking = loaded.ok ? unservable(loaded.site) : [];
      const isTreeAlone = sources.length === 1 && flags.tftp !== undefined;
      const errors = loaded.ok ? (isTreeAlone ? [] : lacking) : loaded.findings;
      const warnings = isTreeAlone ? [...loaded.warnings, ...lacking] : loaded.warnings;
      console.log(flags.json ? asJson(out, draft, errors, warnings) : asText(out, draft, errors, warnings));
      if (errors.length > 0) process.exitCode = 1;
    });
}

/** Reads each source into the draft: first who the machines are, then what they boot. */
async function read({ dhcpd, dnsmasq, warewulf, tftp, interface: named }: Flags, draft: SiteDraft): Promise<void> {
  const requests = named ?? (dhcpd === undefined ? undefined : listeningInterface(resolve(dhcpd)));
  const around = {
    addresses: interfaceAddresses(),
    tree: tftp !== undefined,
    ...(requests === undefined ? {} : { interface: requests }),
  };
  if (dhcpd !== undefined) await readDhcpd(draft, dhcpd, around);
  const dnsmasqTree = dnsmasq === undefined ? undefined : await readDnsmasq(draft, dnsmasq, around);
  if (warewulf !== undefined) await readWarewulf(draft, warewulf, around);
  const tree = tftp ?? dnsmasqTree;
  if (tree !== undefined) await readTree(draft, tree);
}

/** Puts the leases of dhcpd.leases that the site has a place for into the state. */
async function carryLeases(site: Site, file: string, state: string, draft: SiteDraft): Promise<void> {
  const leases = leasesFor(site, parseLeases(file, readLatin1(file)), Date.now(), draft);
  const store = await openStore(state);
  try {
    // What stands there is known then, and gives way. Where it cannot be read, leases of other machines stay.
    await store.leases.load().catch(() => {});
    await store.leases.commit(leases);
  } finally {
    await store.close();
  }
}

function asJson(out: string, draft: SiteDraft, errors: readonly Finding[], warnings: readonly Finding[]): string {
  const flat = ({ place, ...rest }: Finding) => ({ ...place, ...rest });
  const withPlace = ({ place, reason: _, ...rest }: Remark) => ({ ...place, ...rest });
  const count = (entries: object | undefined) => Object.keys(entries ?? {}).length;
  const { networks, classes, profiles, nodes } = draft.site;
  return JSON.stringify(
    {
      out,
      networks: count(networks),
      classes: count(classes),
      profiles: count(profiles),
      nodes: count(nodes),
      remarks: byPlace(draft.remarks).map(withPlace),
      errors: errors.map(flat),
      warnings: warnings.map(flat),
    },
    null,
    2,
  );
}

const MOST_SHOWN = 15;

/** How much of each kind there is, then the reasons for what is not simply taken over, those that affect clients first. */
function remarkLines({ remarks }: SiteDraft, most: number): readonly string[] {
  const reasons = byReason(remarks.filter(({ kind }) => kind !== 'taken'));
  const shown = reasons.slice(0, most);
  const lines = [`${totals(remarks)}.`];
  if (shown.length > 0) {
    const cells = shown.map(({ kind, why, remarks: [first, ...others] }) => [
      kind,
      formatPlace(first.place),
      `${first.what}${more([first, ...others])}`,
      why ?? '',
    ]);
    lines.push('', table([['', 'WHERE', 'WHAT', 'WHY'], ...cells]));
  }
  const hidden = reasons.length - shown.length;
  if (hidden > 0) lines.push(`... and ${hidden} more ${hidden === 1 ? 'reason' : 'reasons'}: see ${REPORT}, or --json`);
  return lines;
}

/** What was made, what needs a look, and what the new site says of itself. */
function asText(out: string, draft: SiteDraft, errors: readonly Finding[], warnings: readonly Finding[]): string {
  const [first = '', ...more] = remarkLines(draft, MOST_SHOWN);
  const lines = [`Wrote ${join(out, 'site.yaml')} and ${join(out, REPORT)}: ${first}`, ...more];
  for (const [kind, findings] of [['error', errors] as const, ['warning', warnings] as const]) {
    if (findings.length > 0) lines.push('');
    for (const { place, message, hint } of findings) {
      lines.push(`${formatPlace({ ...place, file: join(out, place.file) })}: ${kind}: ${message}`);
      if (hint !== undefined) lines.push(`  hint: ${hint}`);
    }
  }
  return lines.join('\n');
}
