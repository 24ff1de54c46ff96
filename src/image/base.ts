import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import type { ForeignSource, Recipe } from '../model/recipe.ts';
import { type BaseRecord, baseKey, type CacheFiles, findBase, keepBase, poolDebs } from './cache.ts';
import { diskReader } from './disk/reader.ts';
import { spoolDisk } from './disk/spool.ts';
import { suiteSources } from './distribution.ts';
import { recipeHooks } from './hooks.ts';
import { indexRoot } from './index.ts';
import { buildRoot, ROOT_EPOCH, type RootStep } from './mmdebstrap.ts';
import { spoolOci } from './oci/spool.ts';
import { needsRework, reworkRoot } from './rework.ts';
import { formatSources, machineSettings } from './sources.ts';

/**
 * The tar that an image is made from. `from` is when it was built, if it was not now (ISO 8601); `identity` distinguishes it from
 * every other root.
 */
export type Base = {
  readonly tar: string;
  readonly identity: string;
  readonly from?: string;
  readonly modulesFreedBytes: number;
};

export type BaseOptions = {
  readonly cache: CacheFiles;
  /** Folder of the site: relative paths of the recipe start there. */
  readonly site: string;
  /** A root of the cache is used again if it is younger than this many hours; 0: it is always built. */
  readonly rootHours: number;
  readonly now: () => number;
  readonly onStep: (step: RootStep) => void;
};

/** The root of a recipe as a tar: one of the last hours, or a new one. Throws ReveilleError. */
export async function baseRoot(recipe: Recipe, options: BaseOptions): Promise<Base> {
  const { from } = recipe;
  return 'suite' in from ? suiteRoot(recipe, from.kind, from.suite, options) : foreignRoot(recipe, from, options);
}

/** A root that mmdebstrap builds from packages. */
async function suiteRoot(
  recipe: Recipe,
  distribution: 'debian' | 'ubuntu',
  suite: string,
  options: BaseOptions,
): Promise<Base> {
  const { cache, site, onStep } = options;
  const apt = { sources: await suiteSources(distribution, suite, recipe), settings: await machineSettings() };
  const key = baseKey({
    suite,
    architecture: process.arch,
    sources: formatSources(apt.sources),
    packages: recipe.packages,
    hooks: recipeHooks(recipe),
    epoch: ROOT_EPOCH,
  });
  return kept(cache.root, key, options.rootHours, options, async (tar, work) => {
    const newDebs = join(work, 'debs');
    await mkdir(newDebs);
    const built = await buildRoot({ recipe, site, suite, apt, tar, log: cache.log, debs: cache.debs, newDebs }, onStep);
    await poolDebs(cache, newDebs);
    return built;
  });
}

/**
 * A root that exists already: it becomes a tar if it is none, and then gets the recipe's packages and `run` lines, if any. The
 * result of each step is kept, so that another `run` line does not read a disk again.
 */
async function foreignRoot(recipe: Recipe, from: ForeignSource, options: BaseOptions): Promise<Base> {
  const { cache, site, onStep } = options;
  const sourceKey = await foreignKey(from);
  const source = await foreignTar(recipe, from, sourceKey, options);
  const index = await indexRoot(source.tar);
  if (!needsRework(recipe, index)) return { ...source, modulesFreedBytes: 0 };

  const settings = await machineSettings();
  const key = baseKey({
    sourceKey,
    mirrors: recipe.mirrors ?? [],
    packages: recipe.packages,
    hooks: recipeHooks(recipe),
    epoch: ROOT_EPOCH,
  });
  return kept(cache.root, key, options.rootHours, options, (to) =>
    reworkRoot({ recipe, site, settings, source: source.tar, index, tar: to, log: cache.log }, onStep),
  );
}

/** A root that is there already, as a tar: its own, or one of the cache. */
async function foreignTar(
  recipe: Recipe,
  from: ForeignSource,
  key: string,
  options: BaseOptions,
): Promise<Pick<Base, 'tar' | 'identity'>> {
  if (from.kind === 'tar') return { tar: from.path, identity: key };
  const { cache, rootHours, now, onStep } = options;
  const hours = rootHours === 0 ? 0 : Number.POSITIVE_INFINITY;
  const { tar, identity } = await kept(cache.source, key, hours, options, async (to, work) => {
    if (from.kind === 'oci') await spoolOci(from, to, work, onStep);
    else await spoolDisk(from, await diskReader(recipe, cache.diskReader, now, onStep), to, work, onStep);
    return { modulesFreedBytes: 0 };
  });
  return { tar, identity };
}

/** Identifies one state of a source file, without reading it. */
async function foreignKey(from: ForeignSource): Promise<string> {
  const about = async (path: string) =>
    stat(path).catch((cause: NodeJS.ErrnoException) => {
      throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} cannot be read: ${cause.message}`, { cause });
    });
  const source = await about(from.path);
  // A layout's folder keeps its own date when an image in it changes; its index does not.
  const { size, mtimeMs, ino } = source.isDirectory() ? await about(join(from.path, 'index.json')) : source;
  return baseKey({ from, size, mtimeMs, ino });
}

/** A root of the cache if one of this key is young enough; else what `build` makes, which is then kept. */
async function kept(
  slot: CacheFiles['root'],
  key: string,
  hours: number,
  options: BaseOptions,
  build: (tar: string, work: string) => Promise<Pick<BaseRecord, 'modulesFreedBytes'>>,
): Promise<Base> {
  const { cache, now } = options;
  const old = await findBase(slot, key, now(), hours);
  if (old !== undefined) return { ...asBase(slot, old), from: old.builtAt };
  await rm(cache.work, { recursive: true, force: true });
  await mkdir(cache.work, { recursive: true });
  const tar = join(cache.work, 'root.tar');
  const { modulesFreedBytes } = await build(tar, cache.work);
  const record = { key, builtAt: new Date(now()).toISOString(), modulesFreedBytes };
  await keepBase(slot, tar, record);
  await rm(cache.work, { recursive: true, force: true });
  return asBase(slot, record);
}

function asBase({ tar }: CacheFiles['root'], { key, builtAt, modulesFreedBytes }: BaseRecord): Base {
  return { tar, identity: `${key} ${builtAt}`, modulesFreedBytes };
}
