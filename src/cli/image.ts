import { statSync } from 'node:fs';
import { Command } from 'commander';
import { Listr, PRESET_TIMER } from 'listr2';
import { formatPlace, ReveilleError } from '../errors.ts';
import {
  type BuildProgress,
  type BuildReport,
  type BuiltImage,
  buildImage,
  missingText,
  type UnchangedImage,
} from '../image/build.ts';
import { ownershipNote } from '../image/builder.ts';
import { BASE_HOURS, defaultCache } from '../image/cache.ts';
import { lackText } from '../image/check/agentNeeds.ts';
import type { RootStep } from '../image/mmdebstrap.ts';
import { openShelf, type ShelvedImage } from '../image/shelf.ts';
import type { Share } from '../image/space.ts';
import type { Recipe } from '../model/recipe.ts';
import { agentFiles } from '../node/agent/files.ts';
import { plainLine } from '../plainText.ts';
import { imagesOfRolls } from '../roll/pins.ts';
import { loadSite } from '../site/load.ts';
import type { Site } from '../site/site.ts';
import { formatBytes } from '../words/units.ts';
import { imageDiffCommand } from './imageDiff.ts';
import { imageGcCommand } from './imageGc.ts';
import { imageShellCommand } from './imageShell.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { askState } from './state.ts';
import { table } from './table.ts';

type BuildFlags = {
  readonly site: string;
  readonly state: string;
  readonly cache: string;
  readonly fresh: boolean;
  readonly check: boolean;
  readonly json: boolean;
};

/** `reveille image build|list|diff|shell|gc`. */
export function imageCommand(): Command {
  return new Command('image')
    .description('build the images that nodes boot, look into them and compare them')
    .addCommand(buildCommand())
    .addCommand(listCommand())
    .addCommand(imageDiffCommand())
    .addCommand(imageShellCommand())
    .addCommand(imageGcCommand());
}

function buildCommand(): Command {
  return new Command('build')
    .description('build an image from its recipe, images/NAME.yaml')
    .argument('<name>', 'name of the recipe')
    .addOption(siteOption())
    .addOption(stateOption())
    .option('--cache <dir>', 'folder for packages and roots', defaultCache(process.env, process.getuid?.()))
    .option(
      '--fresh',
      `build root and image anew, even if the root is of the last ${BASE_HOURS} hours and nothing changed`,
      false,
    )
    .option('--no-check', 'do not check the finished root')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille image build bookworm-ram\n  reveille image build bookworm-ram --fresh',
    )
    .action(async (name: string, flags: BuildFlags) => {
      const site = await siteOf(flags.site);
      const recipe = recipeIn(site, name);
      const report = await withProgress(name, (onProgress) =>
        buildImage(recipe, {
          shelf: openShelf(`${flags.state}/images`, Date.now, () => neededImages(flags.state)),
          cache: flags.cache,
          site: site.root,
          agent: agentFiles(),
          fresh: flags.fresh,
          check: flags.check,
          now: Date.now,
          onProgress,
        }),
      );
      console.log(flags.json ? jsonText(report) : reportText(report));
      const owner = statSync(flags.state, { throwIfNoEntry: false })?.uid;
      const note = ownershipNote(flags.state, process.getuid?.(), owner);
      if (note !== undefined && !report.unchanged) console.error(note);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list the finished images')
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async (flags: { readonly state: string; readonly json: boolean }) => {
      const images = await openShelf(`${flags.state}/images`).list();
      console.log(flags.json ? jsonText(images) : listText(images));
    });
}

async function siteOf(folder: string): Promise<Site> {
  const loaded = await loadSite(folder);
  if (loaded.ok) return loaded.site;
  const [first] = loaded.findings;
  const lines = loaded.findings.map((finding) => `${formatPlace(finding.place)}: ${finding.message}`);
  throw new ReveilleError('SITE_INVALID', `the site does not load:\n${lines.join('\n')}`, {
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
  });
}

/** The recipe of that name. Throws IMAGE_MISSING with the names that there are. */
export function recipeIn(site: Site, name: string): Recipe {
  const recipe = site.images.get(name);
  if (recipe !== undefined) return recipe;
  const known = [...site.images.keys()].join(', ');
  throw new ReveilleError('IMAGE_MISSING', `the site has no recipe images/${name}.yaml`, {
    hint: known === '' ? 'write one' : `known recipes: ${known}`,
  });
}

/** Shows a build as it goes: a line that moves on a terminal, a line for each tenth elsewhere. All of it on stderr. */
async function withProgress(
  name: string,
  build: (onProgress: (progress: BuildProgress) => void) => Promise<BuildReport>,
): Promise<BuildReport> {
  if (!process.stderr.isTTY) return build(plainProgress((line) => console.error(line)));
  let report: BuildReport | undefined;
  const shown = new Listr(
    [
      {
        title: `Building ${name}`,
        task: async (_, task) => {
          report = await build((progress) => {
            task.output = progressText(progress);
          });
        },
      },
    ],
    { rendererOptions: { timer: PRESET_TIMER } },
  );
  await shown.run();
  if (report === undefined) throw new Error('the build ended without a report');
  return report;
}

/** A sign of life from something that takes its time, in a phase of it. */
type Progress = RootStep & { readonly phase: string };

/** Prints what changed: each phase as it begins, then each new tenth of it. */
export function plainProgress(print: (line: string) => void): (progress: Progress) => void {
  let last = '';
  return (progress) => {
    const tenth = progress.fraction === undefined ? '' : Math.floor(progress.fraction * 10);
    const step = progress.fraction === undefined ? progress.doing.split(' ')[0] : '';
    const key = `${progress.phase} ${tenth} ${step}`;
    if (key === last) return;
    last = key;
    print(progressText(progress));
  };
}

function progressText({ phase, doing, fraction }: Progress): string {
  return `${phase}: ${plainLine(doing)}${fraction === undefined ? '' : ` (${Math.floor(fraction * 100)} %)`}`;
}

/** What takes the space in an image, before and after slimming, and how long each phase took; or that it is as it was. */
export function reportText(report: BuildReport): string {
  if (report.unchanged) return unchangedText(report);
  const { image, space, took } = report;
  const total = totalMs(took);
  const root =
    report.rootFrom === undefined ? formatSeconds(took.root) : `from ${report.rootFrom}, ${formatSeconds(took.root)}`;
  const unpacked = `${formatBytes(space.after)} in ${space.files} files unpacked`;
  const lines = [
    paint('bold', `Image ${image.name}`),
    `  id       ${image.sha256}`,
    `  kernel   ${image.kernelVersion}, ${formatBytes(image.kernel.size)}`,
    ...(image.root === undefined
      ? [`  initrd   ${formatBytes(image.initrd.size)} (${report.compression}), ${unpacked}`]
      : [
          `  initrd   ${formatBytes(image.initrd.size)} (${report.compression}), with ${report.firstInitrd?.modules.length ?? 0} kernel modules, fetches the root`,
          `  root     ${formatBytes(image.root.size)} (squashfs), ${unpacked}`,
        ]),
    `  time     ${formatSeconds(total)}: root ${root}; index ${formatSeconds(took.index)}; pack ${formatSeconds(took.pack)}; check ${formatSeconds(took.check)}`,
    '',
    table([['FOLDER', 'BEFORE', 'AFTER'], ...largest(space.folders)]),
    '',
    table([['PACKAGE', 'BEFORE', 'AFTER'], ...largest(space.packages)]),
    '',
    table([
      ['LEFT OUT', 'BYTES'],
      ...(space.modulesFreed > 0 ? [['kernel modules that no server needs', formatBytes(space.modulesFreed)]] : []),
      ...space.reasons.slice(0, SHOWN).map(({ why, bytes }) => [why, formatBytes(bytes)]),
    ]),
  ];
  const missing = report.firstInitrd?.missing ?? [];
  if (missing.length > 0)
    lines.push('', `Not in the image's kernel, asked for by initrdModules: ${missing.join(', ')}`);
  if (report.capabilitiesLost.length > 0) {
    lines.push('', `Without their capabilities, which an initrd cannot carry: ${report.capabilitiesLost.join(', ')}`);
  }
  if (report.missingLibraries.length > 0) {
    lines.push('', 'Linked to libraries that the image does not have:');
    lines.push(...report.missingLibraries.slice(0, SHOWN).map((one) => `  ${missingText(one)}`));
    if (report.missingLibraries.length > SHOWN) lines.push(`  and ${report.missingLibraries.length - SHOWN} more`);
  }
  if (report.agentLacks.length > 0) {
    lines.push('', 'The agent does not work in it, and its nodes are not heard of. It lacks:');
    lines.push(...report.agentLacks.slice(0, SHOWN).map((lack) => `  ${lackText(lack)}`));
  }
  if (report.rootFrom !== undefined) {
    lines.push('', ageText(report.rootFrom));
  }
  return lines.join('\n');
}

function unchangedText({ image, rootFrom }: UnchangedImage): string {
  const why = 'recipe, root and program are those that it was built from: nothing was built.';
  const lines = [paint('bold', `Image ${image.name} is unchanged`), `  id       ${image.sha256}`, '', `Its ${why}`];
  return [...lines, rootFrom === undefined ? '--fresh builds it anew.' : ageText(rootFrom)].join('\n');
}

function ageText(rootFrom: string): string {
  return `The root is of ${rootFrom} and is used for ${BASE_HOURS} hours; --fresh builds it anew, from the newest packages.`;
}

/** How long a build took, all of its phases together. */
export function totalMs(took: BuiltImage['took']): number {
  return Object.values(took).reduce((sum, ms) => sum + ms, 0);
}

const SHOWN = 12;

function largest(shares: readonly Share[]): string[][] {
  const rest = shares.slice(SHOWN);
  const sum = (of: 'before' | 'after') => rest.reduce((total, share) => total + share[of], 0);
  const rows =
    rest.length === 0
      ? shares
      : [...shares.slice(0, SHOWN), { name: 'all others', before: sum('before'), after: sum('after') }];
  return rows.map(({ name, before, after }) => [name, formatBytes(before), formatBytes(after)]);
}

/** The images as a table. */
export function listText(images: readonly ShelvedImage[]): string {
  if (images.length === 0) return 'No image has been built yet: reveille image build NAME';
  return table([
    ['NAME', 'ID', 'KERNEL', 'INITRD', 'ROOT', 'PACKAGES', 'BUILT'],
    ...images.map((image) => [
      image.name,
      image.sha256.slice(0, 12),
      image.kernelVersion,
      formatBytes(image.initrd.size),
      image.root === undefined ? 'initramfs' : `squashfs ${formatBytes(image.root.size)}`,
      String(image.packages.length),
      image.builtAt,
    ]),
  ]);
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** The images that rolls need; undefined where there is a state and it cannot be asked. */
function neededImages(state: string): Promise<ReadonlySet<string> | undefined> {
  return askState<ReadonlySet<string> | undefined>(state, (store) => imagesOfRolls(store.rolls), new Set(), {
    required: true,
  }).catch(() => undefined);
}
