import { join } from 'node:path';
import { Command } from 'commander';
import { suiteSources } from '../image/distribution.ts';
import { findImage } from '../image/find.ts';
import { openShelf } from '../image/shelf.ts';
import type { RootChanges } from '../image/shell/changes.ts';
import { runInImage } from '../image/shell/run.ts';
import { type AptSetup, machineSettings } from '../image/sources.ts';
import { loadSite } from '../site/load.ts';
import { siteOption, stateOption } from './options.ts';

/** `reveille image shell NAME [-- COMMAND]`: a look into an image, with root's rights and without consequences. */
export function imageShellCommand(): Command {
  return new Command('shell')
    .description("run a shell in an image's root; what it changes is shown and thrown away")
    .argument('<name>', 'an image: NAME, NAME@1 for the build before, or the beginning of its id')
    .argument('[command...]', 'a command instead of a shell')
    .addOption(siteOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille image shell bookworm-nova\n  reveille image shell bookworm-nova -- dpkg -S /usr/bin/python3',
    )
    .action(async (text: string, command: readonly string[], flags: { site: string; state: string }) => {
      const image = await findImage(openShelf(join(flags.state, 'images')), text);
      const shell = ['/bin/sh', '-c', 'if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi'];
      const apt = await aptOf(flags.site, image.name);
      const { code, changes } = await runInImage(image, command.length > 0 ? command : shell, apt);
      const summary = changesText(changes);
      if (summary !== '') console.error(summary);
      process.exitCode = code;
    });
}

/** Where the image's recipe takes packages from; undefined where that is its root's own business. */
async function aptOf(folder: string, name: string): Promise<AptSetup | undefined> {
  const loaded = await loadSite(folder);
  const recipe = loaded.ok ? loaded.site.images.get(name) : undefined;
  if (recipe === undefined || !('suite' in recipe.from)) return undefined;
  const { kind, suite } = recipe.from;
  return { sources: await suiteSources(kind, suite, recipe), settings: await machineSettings() };
}

const SHOWN = 40;

/** What a session in an image changed, and the lines of a recipe that would do the same; empty if nothing. */
export function changesText({ packages, files }: RootChanges): string {
  const list = (title: string, items: readonly string[]) => {
    if (items.length === 0) return [];
    const shown = items.slice(0, SHOWN).map((item) => `  ${item}`);
    return [`${title}:`, ...shown, ...(items.length > SHOWN ? [`  and ${items.length - SHOWN} more`] : [])];
  };
  const changed = [
    ...list(
      'installed',
      packages.installed.map(({ name, version }) => `${name} ${version}`),
    ),
    ...list(
      'removed',
      packages.removed.map(({ name }) => name),
    ),
    ...list(
      'other versions',
      packages.changed.map(({ name, before, after }) => `${name} ${before} -> ${after}`),
    ),
    ...list('new files', files.added),
    ...list('changed files', files.changed),
    ...list('removed files', files.removed),
  ];
  if (changed.length === 0) return '';
  const installed = packages.installed.map(({ name }) => `  - ${name}`);
  const removed = [...packages.removed.map(({ name }) => name), ...topmost(files.removed)].map((one) => `  - ${one}`);
  const recipe = [
    ...(installed.length > 0 ? ['packages:', ...installed] : []),
    ...(removed.length > 0 ? ['remove:', ...removed] : []),
    ...(files.added.length + files.changed.length > 0
      ? ['run: # or an overlay that brings the files', '  - the commands that made the files above']
      : []),
  ];
  return [
    'What you changed is thrown away. It was:',
    '',
    ...changed,
    '',
    'In the recipe this would be:',
    '',
    ...recipe,
  ].join('\n');
}

/** Paths without those below another of them. */
function topmost(paths: readonly string[]): readonly string[] {
  const gone = new Set(paths);
  return paths.filter((path) => !gone.has(path.replace(/\/[^/]*$/, '')));
}
