import { join } from 'node:path';
import { Command } from 'commander';
import { formatPlace } from '../errors.ts';
import type { Finding } from '../model/finding.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { checkFolders } from '../node/check.ts';
import { checkSecrets } from '../node/secretCheck.ts';
import { loadSite } from '../site/load.ts';
import { unservable } from '../site/servable.ts';
import type { InterfaceAddresses } from '../site/servers.ts';
import type { Site } from '../site/site.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';

/** What a look at a site found: what is wrong, what is doubtful, what is worth knowing. */
export type Found = {
  readonly errors: readonly Finding[];
  readonly warnings?: readonly Finding[];
  readonly notes?: readonly Finding[];
};

/** Finds further errors of a site that has loaded, such as templates that do not parse. */
export type SiteCheck = (site: Site) => Promise<readonly Finding[] | Found>;

/** This machine's interfaces and their addresses. */
type InterfacesHere = () => InterfaceAddresses;

type Flags = { readonly site: string; readonly state: string; readonly json: boolean };

type Result = {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** What is left out, and needs nothing done. */
  readonly notes: readonly Finding[];
  /** What the site declares, if it is whole. */
  readonly summary?: { readonly networks: number; readonly nodes: number; readonly images: number };
};

/** `reveille check` with every look that is taken at a site, on this machine. */
export function wholeCheckCommand(): Command {
  return checkCommand([async (site) => unservable(site), checkFolders, checkSecrets], interfaceAddresses);
}

/** `reveille check`: lists all errors of a site folder, then ends with 1; with 0 if there are none. `here`: what the site is compared with. */
export function checkCommand(checks: readonly SiteCheck[] = [], here?: InterfacesHere): Command {
  return new Command('check')
    .description('validate a site folder; list all errors with file, line and column')
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille check --site examples/g-rack')
    .action(async ({ site: folder, state, json }: Flags) => {
      const result = await check(folder, state, checks, here);
      console.log(json ? asJson(result) : asText(result, folder));
      if (result.errors.length > 0) process.exitCode = 1;
    });
}

async function check(
  folder: string,
  stateFolder: string,
  checks: readonly SiteCheck[],
  here: InterfacesHere | undefined,
): Promise<Result> {
  const loaded = await loadSite(folder, { stateFolder, ...(here && { here: here() }) });
  if (!loaded.ok) return { errors: loaded.findings, warnings: loaded.warnings, notes: [] };
  const { site, warnings } = loaded;
  const found = (await Promise.all(checks.map((run) => run(site)))).map((one) =>
    'errors' in one ? one : { errors: one },
  );
  const summary = { networks: site.networks.size, nodes: site.nodes.size, images: site.images.size };
  return {
    errors: found.flatMap(({ errors }) => errors),
    warnings: [...warnings, ...found.flatMap((one) => one.warnings ?? [])],
    notes: found.flatMap((one) => one.notes ?? []),
    summary,
  };
}

function asJson({ errors, warnings, notes, summary }: Result): string {
  const flat = ({ place, message, hint }: Finding) => ({ ...place, message, ...(hint === undefined ? {} : { hint }) });
  return jsonText({
    ok: errors.length === 0,
    ...summary,
    errors: errors.map(flat),
    warnings: warnings.map(flat),
    ...(notes.length === 0 ? {} : { notes: notes.map(flat) }),
  });
}

/** A site from a desktop may have hundreds. */
const MOST_NOTES = 10;

/** One line for each finding, as compilers write them, so that editors can jump there; its hint below it. */
function asText({ errors, warnings, notes, summary }: Result, folder: string): string {
  const lines = [
    ...errors.flatMap((finding) => findingLines('error', finding, folder)),
    ...warnings.flatMap((finding) => findingLines('warning', finding, folder)),
    ...notes.slice(0, MOST_NOTES).flatMap((finding) => findingLines('note', finding, folder)),
    ...(notes.length > MOST_NOTES ? [`and ${notes.length - MOST_NOTES} more notes (--json lists all)`] : []),
  ];
  if (errors.length > 0) lines.push('', counted(errors.length, 'error'));
  else if (summary !== undefined) {
    const { networks, nodes, images } = summary;
    lines.push(`ok: ${counted(networks, 'network')}, ${counted(nodes, 'node')}, ${counted(images, 'image')}`);
  }
  return lines.join('\n');
}

function findingLines(kind: string, { place, message, hint }: Finding, folder: string): readonly string[] {
  const where = formatPlace({ ...place, file: join(folder, place.file) });
  return [`${where}: ${kind}: ${message}`, ...(hint === undefined ? [] : [`  hint: ${hint}`])];
}

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
