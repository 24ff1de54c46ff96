import { join } from 'node:path';
import { Command } from 'commander';
import { formatPlace } from '../errors.ts';
import type { Finding } from '../site/finding.ts';
import { loadSite } from '../site/load.ts';
import type { Site } from '../site/model.ts';
import type { InterfaceAddresses } from '../site/servers.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';

/** Looks at a site that has loaded for what the site's own files cannot tell: templates that do not parse, say. */
export type SiteCheck = (
  site: Site,
) => Promise<readonly Finding[] | { readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] }>;

/** This machine's interfaces and their addresses. */
type InterfacesHere = () => InterfaceAddresses;

type Flags = { readonly site: string; readonly state: string; readonly json: boolean };

type Result = {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** What the site declares, if it is whole. */
  readonly summary?: { readonly networks: number; readonly nodes: number; readonly images: number };
};

/** `reveille check`: tells all that is wrong in a site folder, then ends with 1; with 0 if nothing is. `here`: what the site is held against. */
export function checkCommand(checks: readonly SiteCheck[] = [], here?: InterfacesHere): Command {
  return new Command('check')
    .description('validate a site folder; tell everything that is wrong with file, line and column')
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
  if (!loaded.ok) return { errors: loaded.findings, warnings: loaded.warnings };
  const { site, warnings } = loaded;
  const found = await Promise.all(
    checks.map(async (run) => {
      const result = await run(site);
      return 'errors' in result ? result : { errors: result, warnings: [] };
    }),
  );
  const errors = found.flatMap((one) => one.errors);
  const summary = { networks: site.networks.size, nodes: site.nodes.size, images: site.images.size };
  return { errors, warnings: [...warnings, ...found.flatMap((one) => one.warnings)], summary };
}

function asJson({ errors, warnings, summary }: Result): string {
  const flat = ({ place, message, hint }: Finding) => ({ ...place, message, ...(hint === undefined ? {} : { hint }) });
  const result = { ok: errors.length === 0, ...summary, errors: errors.map(flat), warnings: warnings.map(flat) };
  return jsonText(result);
}

/** One line for each finding, as compilers write them, so that editors can jump there; its hint below it. */
function asText({ errors, warnings, summary }: Result, folder: string): string {
  const lines = [
    ...errors.flatMap((finding) => findingLines('error', finding, folder)),
    ...warnings.flatMap((finding) => findingLines('warning', finding, folder)),
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
