import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { defaultCache } from '../image/cache.ts';
import { imagesInUse } from '../image/inUse.ts';
import { KEPT_BEFORE, openShelf } from '../image/shelf.ts';
import { sweepCache } from '../image/sweepCache.ts';
import { imagesOfRolls } from '../roll/pins.ts';
import { formatBytes } from '../words/units.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';
import { siteIn } from './site.ts';
import { askState } from './state.ts';
import { table } from './table.ts';

type GcFlags = {
  readonly site: string;
  readonly state: string;
  readonly cache: string;
  readonly keep: number;
  readonly dryRun: boolean;
  readonly json: boolean;
};

/** More than any state keeps. */
const EVERY_EVENT = 10_000_000;

/** `reveille image gc`: removes images that are not in use, and old roots of the cache. */
export function imageGcCommand(): Command {
  return new Command('gc')
    .description('remove images that no name stands for and no node runs, and old roots of the cache')
    .addOption(siteOption())
    .addOption(stateOption())
    .option('--cache <dir>', 'folder for packages and roots', defaultCache(process.env, process.getuid?.()))
    .option('--keep <n>', 'earlier builds of each image that stay', wholeNumber, KEPT_BEFORE)
    .option('--dry-run', 'say what would go, and remove nothing', false)
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille image gc --dry-run\n  reveille image gc --keep 0')
    .action(async ({ keep, dryRun, ...flags }: GcFlags) => {
      const site = await siteIn(flags.site);
      // An image that the state cannot be asked about may be what a node runs.
      const whole = { required: true };
      const events = await askState(flags.state, (store) => store.events.read({ limit: EVERY_EVENT }), [], whole);
      const ofRolls = await askState(flags.state, (store) => imagesOfRolls(store.rolls), new Set<string>(), whole);
      const spared = imagesInUse(events.map(({ event }) => event)).union(ofRolls);
      const images = await openShelf(join(flags.state, 'images')).prune({ keep, spared, dryRun });
      const roots = await sweepCache(flags.cache, { recipes: new Set(site.images.keys()), dryRun, now: Date.now() });
      const freed = [...images, ...roots].reduce((sum, { bytes }) => sum + bytes, 0);
      if (flags.json) {
        console.log(jsonText({ dryRun, images, roots, freed }));
        return;
      }
      const rows = [
        ...images.map(({ sha256, name, bytes }) => [`image ${name}`, sha256.slice(0, 12), formatBytes(bytes)]),
        ...roots.map(({ image, bytes }) => [`root of ${image}`, 'in the cache', formatBytes(bytes)]),
      ];
      if (rows.length > 0) console.log(table([['REMOVED', '', 'SIZE'], ...rows]));
      console.log(`${formatBytes(freed)} ${dryRun ? 'would be freed' : 'freed'}`);
    });
}

function wholeNumber(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number, such as 1');
}
