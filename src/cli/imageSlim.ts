import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { ReveilleError } from '../errors.ts';
import { baseRoot } from '../image/base.ts';
import { BASE_HOURS, defaultCache, openCache } from '../image/cache.ts';
import { indexRoot } from '../image/index.ts';
import { findKernel } from '../image/kernel.ts';
import { readOpened } from '../image/opened.ts';
import { addToRemove, type RecipeLine } from '../image/recipeEdit.ts';
import { findSavings, type Saving, type Savings } from '../image/savings.ts';
import { slimmer } from '../image/slim.ts';
import { takeLock } from '../lock.ts';
import type { Recipe } from '../model/recipe.ts';
import { replaceFile } from '../site/edit.ts';
import { formatBytes } from '../words/units.ts';
import { plainProgress, recipeIn } from './image.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { siteIn } from './site.ts';
import { table } from './table.ts';

type Flags = {
  readonly site: string;
  readonly state: string;
  readonly cache: string;
  readonly write: boolean;
  readonly json: boolean;
};

/** The sizes of an image's parts, and what the boots of its nodes reported. */
export type SlimReport = Savings & {
  readonly image: string;
  /** How many boots reported what they opened, and since when. */
  readonly boots?: { readonly reports: number; readonly since: string };
  /** The recipe that was changed. */
  readonly written?: string;
};

/** `reveille image slim NAME`: what could go from an image, as lines for its recipe. */
export function slimCommand(): Command {
  return new Command('slim')
    .description('show what could go from an image, and write the lines of its recipe that do it')
    .argument('<name>', 'name of the recipe')
    .addOption(siteOption())
    .addOption(stateOption())
    .option('--cache <dir>', 'folder for packages and roots', defaultCache(process.env, process.getuid?.()))
    .option('--write', 'add the lines to remove: in images/NAME.yaml', false)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nNodes report a while after their boot which files they have opened, where the root is an initramfs.\n' +
        '\nExample:\n  reveille image slim bookworm-nova\n  reveille image slim bookworm-nova --write',
    )
    .action(async (name: string, flags: Flags) => {
      const site = await siteIn(flags.site);
      const recipe = recipeIn(site, name);
      const boots = await readOpened(flags.state, name);
      const savings = await savingsOf(recipe, site.root, flags.cache, boots?.paths);
      const file = join(site.root, 'images', `${name}.yaml`);
      const written = flags.write && savings.savings.length > 0 ? await write(file, savings.savings) : undefined;
      const report: SlimReport = {
        image: name,
        ...savings,
        ...(boots === undefined ? {} : { boots: { reports: boots.reports, since: boots.since } }),
        ...(written === undefined ? {} : { written }),
      };
      console.log(flags.json ? jsonText(report) : slimText(report));
    });
}

/** Reads the root that the image was built from; one that is not in the cache, or too old, is built anew. */
async function savingsOf(recipe: Recipe, site: string, cacheFolder: string, opened: ReadonlySet<string> | undefined) {
  const cache = await openCache(cacheFolder, recipe.name);
  const showProgress = plainProgress((line) => console.error(line));
  const lock = await takeLock(cache.lock, () => console.error(`a build of ${recipe.name} is running: waiting for it`));
  try {
    const onStep = (step: { doing: string; fraction?: number }) => showProgress({ phase: 'root', ...step });
    const base = await baseRoot(recipe, { cache, site, rootHours: BASE_HOURS, now: Date.now, onStep });
    const index = await indexRoot(base.tar);
    return findSavings({
      index,
      kernel: findKernel(index).version,
      dropped: slimmer({ slim: recipe.slim, remove: recipe.removePaths, keep: recipe.keepPaths }),
      packages: recipe.packages,
      keepPaths: recipe.keepPaths,
      ...(opened === undefined ? {} : { opened }),
    });
  } finally {
    lock.release();
  }
}

async function write(file: string, savings: readonly Saving[]): Promise<string> {
  const real = await realpath(file).catch((cause) => {
    throw new ReveilleError('IMAGE_MISSING', `the recipe ${file} cannot be read`, { cause });
  });
  const before = await readFile(real, 'utf8');
  await replaceFile(real, before, addToRemove(before, savings.map(recipeLine)));
  return real;
}

function recipeLine({ remove, why, bytes }: Saving): RecipeLine {
  return { item: remove, comment: `${why}: ${formatBytes(bytes)}` };
}

const SHOWN = 15;

/** The report as an operator reads it. */
export function slimText(report: SlimReport): string {
  const { boots, savings } = report;
  const opened = (bytes: number | undefined) => (bytes === undefined ? [] : [formatBytes(bytes)]);
  const head = boots === undefined ? [] : ['OPENED'];
  const rows = report.packages
    .slice(0, SHOWN)
    .map(({ name, bytes, opened: used, neededBy }) => [
      ...[name, formatBytes(bytes), ...opened(used)],
      neededBy.length === 0 ? '-' : `${neededBy.slice(0, 3).join(', ')}${neededBy.length > 3 ? ' ...' : ''}`,
    ]);
  const total = savings.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    `${paint('bold', `Image ${report.image}`)}: ${formatBytes(report.bytes)} of files, not compressed`,
    boots === undefined
      ? 'No node has reported yet what it opened; what follows goes by rules alone.'
      : `${boots.reports} boots since ${boots.since} reported what they opened.`,
    '',
    table([['PACKAGE', 'SIZE', ...head, 'NEEDED BY'], ...rows]),
    '',
    table([
      ['FOLDER', 'SIZE', ...head],
      ...report.folders
        .slice(0, SHOWN)
        .map(({ name, bytes, opened: used }) => [name, formatBytes(bytes), ...opened(used)]),
    ]),
    '',
    ...(savings.length === 0
      ? ['Nothing more to leave out is known.']
      : [
          paint('bold', `These lines of the recipe would save ${formatBytes(total)}:`),
          'remove:',
          ...savings.map(recipeLine).map(({ item, comment }) => `  - ${item} # ${comment}`),
        ]),
    ...(report.written === undefined
      ? []
      : ['', `They are in ${report.written} now: read them, then build the image.`]),
  ].join('\n');
}
