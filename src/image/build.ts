import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { takeLock } from '../lock.ts';
import type { Recipe } from '../model/recipe.ts';
import type { AgentFile } from '../node/agent/files.ts';
import { baseRoot } from './base.ts';
import { thisUser, whoMayWrite } from './builder.ts';
import { ageDebs, BASE_HOURS, openCache } from './cache.ts';
import { type AgentLack, agentLacks, lackText } from './check/agentNeeds.ts';
import { type LinkedRoot, type MissingLibraries, missingLibraries } from './check/libraries.ts';
import { runChecks } from './check/lines.ts';
import { watchLinks } from './check/watch.ts';
import type { Member } from './cpio.ts';
import { writeFileList } from './fileList.ts';
import { type FirstInitrd, firstInitrd } from './firstInitrd/contents.ts';
import { indexRoot } from './index.ts';
import { chooseCompression, findKernel } from './kernel.ts';
import { imageKey } from './key.ts';
import { layIn } from './layin.ts';
import { ROOT_EPOCH } from './mmdebstrap.ts';
import { packImage, writeInitrd } from './pack.ts';
import { INITRD_FILE, KERNEL_FILE, ROOT_FILE, type Shelf, type ShelvedImage } from './shelf.ts';
import { slimmer } from './slim.ts';
import type { SpaceUse } from './space.ts';
import { writeSquashfs } from './squashfs.ts';

export type Phase = 'root' | 'index' | 'pack' | 'check' | 'shelve';

/** A progress report of a build. `fraction` runs from 0 to 1 over the phase, if it is known. */
export type BuildProgress = { readonly phase: Phase; readonly doing: string; readonly fraction?: number };

export type BuildOptions = {
  readonly shelf: Shelf;
  /** Folder for packages and roots, to be quicker the next time. */
  readonly cache: string;
  /** Folder of the site: relative paths of the recipe start there. */
  readonly site: string;
  readonly agent: readonly AgentFile[];
  /** Whether to build root and image even if the existing ones are current. */
  readonly fresh: boolean;
  /** How old a root may be that is used again, in hours. Default: BASE_HOURS. */
  readonly rootHours?: number;
  /** Whether the finished root is checked: its linked libraries, and the recipe's own lines. */
  readonly check: boolean;
  readonly now: () => number;
  readonly onProgress: (progress: BuildProgress) => void;
};

export type BuildReport = BuiltImage | UnchangedImage;

/** The shelf's image was made from the same already: nothing was built. `rootFrom` is when its root was (ISO 8601). */
export type UnchangedImage = { readonly unchanged: true; readonly image: ShelvedImage; readonly rootFrom?: string };

export type BuiltImage = {
  readonly unchanged: false;
  readonly image: ShelvedImage;
  readonly space: SpaceUse & { readonly modulesFreed: number };
  readonly compression: 'zstd' | 'gzip';
  /** When the root was built that this image holds, if it was not now (ISO 8601). */
  readonly rootFrom?: string;
  /** The small initrd of an image with a squashfs root. */
  readonly firstInitrd?: Pick<FirstInitrd, 'modules' | 'missing'>;
  /** Files whose capabilities are lost, because an initrd cannot carry them. */
  readonly capabilitiesLost: readonly string[];
  /** Programs and libraries that lack something, where that does not end the build; empty where nothing was checked. */
  readonly missingLibraries: readonly MissingLibraries[];
  /** What its agent lacks, where that does not end the build because nothing is checked. */
  readonly agentLacks: readonly AgentLack[];
  /** Milliseconds by phase. */
  readonly took: { readonly [phase in Phase]: number };
};

/**
 * Builds an image from its recipe and puts it on the shelf: root, index, pack, check, shelve. An image that was made from the
 * same root by the same recipe is left as it is. A second build of the same name waits for the first. Throws ReveilleError;
 * the shelf is then as it was.
 */
export async function buildImage(recipe: Recipe, options: BuildOptions): Promise<BuildReport> {
  try {
    return await build(recipe, options);
  } catch (cause) {
    const { code, message, path } = cause as NodeJS.ErrnoException;
    if (cause instanceof ReveilleError || code === undefined) throw cause;
    throw new ReveilleError('IMAGE_BUILD_FAILED', `image ${recipe.name} cannot be built: ${message}`, {
      cause,
      ...(code === 'ENOSPC' ? { hint: 'a disk is full: see `df`, and --cache and --state for other folders' } : {}),
      ...(code === 'EACCES' || code === 'EPERM' || code === 'ENOENT'
        ? { hint: await whoMayWrite(path ?? options.cache, thisUser()) }
        : {}),
    });
  }
}

async function build(recipe: Recipe, options: BuildOptions): Promise<BuildReport> {
  const { shelf, now, onProgress } = options;
  const cache = await openCache(options.cache, recipe.name);
  const waiting = () =>
    onProgress({ phase: 'root', doing: `another build of ${recipe.name} is running: waiting for it` });
  const shelfLock = await takeLock(await shelf.lockPath(recipe.name), waiting);
  const cacheLock = await takeLock(cache.lock, waiting);
  try {
    const took = { root: 0, index: 0, pack: 0, check: 0, shelve: 0 };
    const timed = async <T>(phase: Phase, work: () => Promise<T>): Promise<T> => {
      const start = now();
      const result = await work();
      took[phase] += now() - start;
      return result;
    };

    const base = await timed('root', () =>
      baseRoot(recipe, {
        ...options,
        rootHours: options.fresh ? 0 : (options.rootHours ?? BASE_HOURS),
        cache,
        onStep: (step) => onProgress({ phase: 'root', ...step }),
      }),
    );
    const rootFrom = base.from === undefined ? {} : { rootFrom: base.from };
    const key = await imageKey(recipe, { ...options, root: base.identity });
    const unchanged = options.fresh ? undefined : await shelf.made(recipe.name, key);
    if (unchanged !== undefined) return { unchanged: true, image: unchanged, ...rootFrom };
    onProgress({ phase: 'index', doing: 'reading the root' });
    const index = await timed('index', () => indexRoot(base.tar));
    await ageDebs(cache, index.packages, now());
    const kernel = findKernel(index);
    const compression = chooseCompression(kernel, 'initrd', recipe.compress);
    const laid = layIn(index, { slim: recipe.slim, keep: recipe.keepPaths, agent: options.agent, mtime: ROOT_EPOCH });
    const dropped = slimmer({ slim: recipe.slim, remove: recipe.removePaths, keep: recipe.keepPaths });
    const lacks = agentLacks({
      index,
      kernelVersion: kernel.version,
      dropped,
      driversLoaded: recipe.root === 'squashfs',
    });
    if (options.check && lacks.length > 0) throw silent(recipe, lacks);

    const draft = await shelf.draft(recipe.name);
    const small =
      recipe.root === 'squashfs'
        ? await timed('index', () =>
            firstInitrd({ root: base.tar, index, kernel, extraModules: recipe.initrdModules, mtime: ROOT_EPOCH }),
          )
        : undefined;
    let seen: LinkedRoot | undefined;
    const watched = (members: AsyncIterable<Member>) => {
      if (!options.check) return members;
      const watch = watchLinks(members);
      seen = watch.seen;
      return watch.members;
    };
    const squashing = small && chooseCompression(kernel, 'squashfs', recipe.compress);
    const packed = await timed('pack', () =>
      packImage(
        {
          root: base.tar,
          index,
          kernel: kernel.path,
          laid,
          dropped,
          kernelTo: join(draft, KERNEL_FILE),
          writeRoot: (members) =>
            squashing === undefined
              ? writeInitrd(join(draft, INITRD_FILE), watched(members), compression)
              : writeSquashfs(join(draft, ROOT_FILE), watched(members), squashing, ROOT_EPOCH),
          mtime: ROOT_EPOCH,
        },
        (done, of) =>
          onProgress({
            phase: 'pack',
            doing: `packing with ${squashing ?? compression}`,
            fraction: of === 0 ? 1 : done / of,
          }),
      ),
    );

    const files =
      small === undefined
        ? { initrd: packed.root }
        : { initrd: await writeInitrd(join(draft, INITRD_FILE), small.members, compression), root: packed.root };
    const missing = seen === undefined ? [] : missingLibraries(seen, index.owners, recipe.ignoreMissing);
    // A root that was made elsewhere may differ on purpose: there a missing part is reported, and does not end the build.
    if (missing.length > 0 && 'suite' in recipe.from) throw lacking(recipe, missing);
    if (options.check && recipe.check.length > 0) {
      const root = {
        initrd: { path: join(draft, INITRD_FILE) },
        ...(small && { root: { path: join(draft, ROOT_FILE) } }),
      };
      const doing = (line: number) => `check line ${line + 1} of ${recipe.check.length}`;
      onProgress({ phase: 'check', doing: 'unpacking the finished root' });
      await timed('check', () =>
        runChecks(recipe, options.site, root, (line) =>
          onProgress({ phase: 'check', doing: doing(line), fraction: line / recipe.check.length }),
        ),
      );
    }
    onProgress({ phase: 'shelve', doing: 'putting it on the shelf' });
    await writeFileList(draft, index, laid);
    const image = await timed('shelve', () =>
      shelf.put(
        draft,
        {
          name: recipe.name,
          kernel: packed.kernel,
          ...files,
          builtAt: new Date(now()).toISOString(),
          kernelVersion: kernel.version,
          packages: index.packages.map(({ name, version }) => ({ name, version })),
        },
        key,
      ),
    );
    return {
      unchanged: false,
      image,
      space: { ...packed.space, modulesFreed: base.modulesFreedBytes },
      compression,
      ...rootFrom,
      ...(small === undefined ? {} : { firstInitrd: { modules: small.modules, missing: small.missing } }),
      capabilitiesLost:
        small === undefined ? index.capabilities.filter((path) => dropped(path.slice(1), false) === undefined) : [],
      missingLibraries: missing,
      agentLacks: lacks,
      took,
    };
  } finally {
    cacheLock.release();
    shelfLock.release();
  }
}

const MOST_LISTED = 20;

function lacking(recipe: Recipe, missing: readonly MissingLibraries[]): ReveilleError {
  const lines = missing.slice(0, MOST_LISTED).map((one) => `  ${missingText(one)}`);
  const more = missing.length > MOST_LISTED ? [`  and ${missing.length - MOST_LISTED} more`] : [];
  return new ReveilleError(
    'IMAGE_BUILD_FAILED',
    [`image ${recipe.name} lacks libraries that its own files are linked to:`, ...lines, ...more].join('\n'),
    {
      place: recipe.place,
      hint: 'spare the library (`keep`, or a line less in `remove`), remove the file too, or name it under `ignoreMissing`',
    },
  );
}

/** Such an image boots, but its node never reports. */
function silent(recipe: Recipe, lacks: readonly AgentLack[]): ReveilleError {
  const packages = [...new Set(lacks.flatMap(({ package: name }) => name ?? []))];
  return new ReveilleError(
    'IMAGE_BUILD_FAILED',
    [
      `the agent does not work in image ${recipe.name}, which lacks:`,
      ...lacks.slice(0, MOST_LISTED).map((lack) => `  ${lackText(lack)}`),
      ...(lacks.length > MOST_LISTED ? [`  and ${lacks.length - MOST_LISTED} more`] : []),
    ].join('\n'),
    {
      place: recipe.place,
      hint: [
        ...(packages.length > 0 ? [`add to the recipe's packages: [${packages.join(', ')}]`] : []),
        'an image that is to do without the agent: --no-check',
      ].join('; '),
    },
  );
}

/** `/usr/lib/x.so (package x) lacks liby.so.1`. */
export function missingText({ path, package: owner, libraries }: MissingLibraries): string {
  return `${path}${owner === undefined ? '' : ` (package ${owner})`} lacks ${libraries.join(', ')}`;
}
