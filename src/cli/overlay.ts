import { dirname } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { overlayNamed, overlayNames } from '../node/overlays.ts';
import { aboutText, exampleVars } from '../node/overlayVars.ts';
import type { Overlay } from '../node/sources.ts';
import { jsonOption, siteOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { table } from './table.ts';

type Flags = { readonly site: string; readonly json: boolean };

/** `reveille overlay list|show`: the site's own overlays and those that come with the program. */
export function overlayCommand(): Command {
  const list = new Command('list')
    .description("list the site's overlays and those that come with the program")
    .addOption(siteOption())
    .addOption(jsonOption())
    .action(async ({ site, json }: Flags) => {
      const overlays: Overlay[] = [];
      for (const name of await overlayNames(site)) overlays.push(await overlayNamed(site, name));
      if (json) return console.log(jsonText(overlays.map(plain)));
      const rows = overlays.map((overlay) => [overlay.name, from(overlay), overlay.about ?? '-']);
      const [heading, ...lines] = table([['OVERLAY', 'FROM', 'ABOUT'], ...rows]).split('\n');
      console.log([paint('bold', heading ?? ''), ...lines].join('\n'));
    });

  const show = new Command('show')
    .description('show what an overlay lays, which variables it reads and an example')
    .argument('<name>', 'name of an overlay')
    .addOption(siteOption())
    .addOption(jsonOption())
    .action(async (name: string, { site, json }: Flags) => {
      const overlay = await overlayNamed(site, name);
      console.log(json ? jsonText(plain(overlay)) : words(overlay));
    });

  return new Command('overlay')
    .description('files and templates that profiles lay over the image')
    .addHelpText('after', '\nExample:\n  reveille overlay list\n  reveille overlay show chrony')
    .addCommand(list)
    .addCommand(show);
}

function plain({ name, shipped, about, vars, hooks, sources }: Overlay) {
  return {
    name,
    shipped,
    about: about ?? null,
    files: sources.map(({ path, mode, owner, group, file }) => ({
      path,
      mode: mode.toString(8).padStart(4, '0'),
      owner,
      group,
      from: file,
    })),
    vars: Object.fromEntries(vars),
    hooks,
  };
}

function words(overlay: Overlay): string {
  const { name, about, hooks, sources } = overlay;
  const vars = [...overlay.vars];
  const files = sources.map((source) => [
    `  ${'several' in source && source.several ? `${dirname(source.path)}/*` : source.path}`,
    'target' in source ? `-> ${source.target}` : source.mode.toString(8).padStart(4, '0'),
    `${source.owner}:${source.group}`,
    'several' in source && source.several ? 'as many files as its template makes' : '',
  ]);
  const profile = { overlays: [name], ...(vars.length === 0 ? {} : { vars: exampleVars(overlay.vars) }) };
  const example = stringify({ profiles: { mine: profile } }, { lineWidth: 0 }).trimEnd();
  return [
    `${paint('bold', name)} (${from(overlay)})${about === undefined ? '' : `: ${about}`}`,
    '',
    'lays',
    table(files),
    ...(vars.length === 0
      ? []
      : ['', 'reads', table(vars.map(([key, said]) => [`  vars.${key}`, value(said), aboutText(said)]))]),
    ...(hooks.length === 0 ? [] : ['', 'runs when they change']),
    ...hooks.map((hook) => `  ${hook.run}   ${hook.files === undefined ? '' : `(${hook.files.join(' ')})`}`),
    '',
    'example',
    example.replaceAll(/^/gm, '  '),
  ].join('\n');
}

function value({ needed, default: fallback }: { readonly needed: boolean; readonly default?: unknown }): string {
  if (needed) return 'needed';
  return fallback === undefined ? '-' : JSON.stringify(fallback);
}

function from({ shipped }: Overlay): string {
  return shipped ? 'shipped' : 'site';
}
