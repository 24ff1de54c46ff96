import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { formatPlace } from '../errors.ts';
import { SiteDraft } from '../import/draft.ts';
import { listeningInterface } from '../import/isc/interfaces.ts';
import { readDhcpd } from '../import/isc/read.ts';
import { readTree } from '../import/pxelinux/read.ts';
import { totals } from '../import/report.ts';
import { REPORT, writeSite } from '../import/write.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import type { Finding } from '../site/finding.ts';
import { loadSite } from '../site/load.ts';
import { jsonOption } from './options.ts';
import { table } from './table.ts';

type Flags = {
  readonly dhcpd?: string;
  readonly tftp?: string;
  readonly interface?: string;
  readonly out: string;
  readonly json: boolean;
};

const EXAMPLE = `
Example:
  reveille import --dhcpd /etc/dhcp/dhcpd.conf --tftp /srv/tftp --interface br0 --out my-rack
  reveille check --site my-rack`;

/** `reveille import`: makes a site of other systems' configuration, and says what became of each part of it. */
export function importCommand(): Command {
  return new Command('import')
    .description("make a site from the configuration of dhcpd and of a TFTP server's tree")
    .option('--dhcpd <file>', "ISC dhcpd's dhcpd.conf")
    .option('--tftp <dir>', "the TFTP server's folder: pxelinux.cfg, kernels, per-node folders")
    .option('--interface <name>', 'interface on which requests arrive; default: the one with an address there')
    .requiredOption('--out <dir>', 'folder for the new site; it must be new or empty')
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLE)
    .action(async (flags: Flags, command: Command) => {
      const sources = [flags.dhcpd, flags.tftp].filter((source) => source !== undefined);
      if (sources.length === 0) command.error('error: name what to import: --dhcpd FILE, --tftp DIR', { exitCode: 2 });
      const draft = new SiteDraft();
      await read(flags, draft);
      await writeSite(draft, flags.out, sources);
      const loaded = await loadSite(flags.out);
      const errors = loaded.ok ? [] : loaded.findings;
      console.log(
        flags.json
          ? asJson(flags.out, draft, errors, loaded.warnings)
          : asText(flags.out, draft, errors, loaded.warnings),
      );
      if (errors.length > 0) process.exitCode = 1;
    });
}

/** Reads each source into the draft: first who the machines are, then what they boot. */
async function read({ dhcpd, tftp, interface: named }: Flags, draft: SiteDraft): Promise<void> {
  if (dhcpd !== undefined) {
    const requests = named ?? listeningInterface(resolve(dhcpd));
    await readDhcpd(draft, dhcpd, {
      addresses: interfaceAddresses(),
      tree: tftp !== undefined,
      ...(requests === undefined ? {} : { interface: requests }),
    });
  }
  if (tftp !== undefined) await readTree(draft, tftp);
}

function asJson(out: string, draft: SiteDraft, errors: readonly Finding[], warnings: readonly Finding[]): string {
  const flat = ({ place, ...rest }: { readonly place: Finding['place'] }) => ({ ...place, ...rest });
  const count = (entries: object | undefined) => Object.keys(entries ?? {}).length;
  const { networks, classes, profiles, nodes } = draft.site;
  return JSON.stringify(
    {
      out,
      networks: count(networks),
      classes: count(classes),
      profiles: count(profiles),
      nodes: count(nodes),
      remarks: draft.remarks.map(flat),
      errors: errors.map(flat),
      warnings: warnings.map(flat),
    },
    null,
    2,
  );
}

const MOST_SHOWN = 15;

/** What was made, what needs a look, and what the new site says of itself. */
function asText(out: string, draft: SiteDraft, errors: readonly Finding[], warnings: readonly Finding[]): string {
  const { remarks } = draft;
  const rows = remarks.filter(({ kind }) => kind !== 'taken');
  const shown = rows.slice(0, MOST_SHOWN);
  const lines = [`Wrote ${join(out, 'site.yaml')} and ${join(out, REPORT)}: ${totals(remarks)}.`];
  if (shown.length > 0) {
    const cells = shown.map(({ kind, place, what, why }) => [kind, formatPlace(place), what, why ?? '']);
    lines.push('', table([['', 'WHERE', 'WHAT', 'WHY'], ...cells]));
  }
  if (rows.length > shown.length) lines.push(`... and ${rows.length - shown.length} more: see ${join(out, REPORT)}`);
  for (const [kind, findings] of [['error', errors] as const, ['warning', warnings] as const]) {
    if (findings.length > 0) lines.push('');
    for (const { place, message, hint } of findings) {
      lines.push(`${formatPlace({ ...place, file: join(out, place.file) })}: ${kind}: ${message}`);
      if (hint !== undefined) lines.push(`  hint: ${hint}`);
    }
  }
  return lines.join('\n');
}
