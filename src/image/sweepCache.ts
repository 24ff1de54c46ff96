import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from '../lock.ts';
import { BASE_HOURS } from './cache.ts';

/** A root of the cache that was removed, and how many bytes it took. */
export type SweptRoot = { readonly image: string; readonly bytes: number };

/**
 * Removes roots from the cache that no build will use again: those that are older than a root may be. Roots of disks and
 * container images stay as long as their image has a recipe, since they are as good as their source. What a running build
 * holds stays, and so does what is young: several sites may share a cache.
 */
export async function sweepCache(
  cache: string,
  options: { readonly recipes: ReadonlySet<string>; readonly dryRun: boolean; readonly now: number },
): Promise<readonly SweptRoot[]> {
  const folder = join(cache, 'roots');
  const swept = new Map<string, number>();
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const file of names) {
    const [, image = '', isSource] = /^(.+?)(\+source)?\.(?:tar|work)$/.exec(file) ?? [];
    if (image === '') continue;
    const path = join(folder, file);
    const about = await stat(path).catch(() => undefined);
    // A build that ends meanwhile takes its work away.
    if (about === undefined) continue;
    const old = options.now - about.mtimeMs > BASE_HOURS * 3_600_000;
    if (!old || (isSource !== undefined && options.recipes.has(image))) continue;
    const lock = await tryLock(join(folder, `${image}.lock`));
    if (lock === undefined) continue;
    try {
      swept.set(image, (swept.get(image) ?? 0) + (about.isDirectory() ? await sizeOf(path) : about.size));
      if (options.dryRun) continue;
      // The record first: it must never name a tar that is gone.
      if (file.endsWith('.tar')) await rm(path.replace(/\.tar$/, '.json'), { force: true });
      await rm(path, { recursive: true, force: true });
    } finally {
      lock.release();
    }
  }
  return [...swept].map(([image, bytes]) => ({ image, bytes }));
}

async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = files.filter((one) => one.isFile()).map((one) => stat(join(one.parentPath, one.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}
