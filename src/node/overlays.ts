import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { didYouMean, Findings } from '../site/finding.ts';
import { leftoverOf } from '../site/leftovers.ts';
import { isFolder, PROGRAM_ROOT } from '../site/shipped.ts';
import { type Overlay, readOverlay } from './sources.ts';

/** The names of the overlays of the site in `siteRoot` and of those that come with the program, each once, in order. */
export async function overlayNames(siteRoot: string): Promise<readonly string[]> {
  const own = await foldersBelow(siteRoot, 'overlays');
  return [...new Set([...own, ...(await foldersBelow(PROGRAM_ROOT, 'overlays'))])].sort();
}

/** One overlay by name. Throws REQUEST_INVALID if there is none, SITE_INVALID if it cannot be read. */
export async function overlayNamed(siteRoot: string, name: string): Promise<Overlay> {
  const names = await overlayNames(siteRoot);
  if (!names.includes(name)) {
    const hint = didYouMean(name, names) ?? 'list them with `reveille overlay list`';
    throw new ReveilleError('REQUEST_INVALID', `there is no overlay "${name}"`, { hint });
  }
  const findings = new Findings();
  const overlay = await readOverlay(siteRoot, name, findings);
  findings.throwFirst();
  return overlay;
}

/** Names of the folders in `folder`, hidden ones apart, links to folders included; none if it is not there. */
export async function foldersBelow(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const names: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.') || leftoverOf(entry.name, entry.isDirectory() ? 'folder' : 'file')) continue;
    const linked = entry.isSymbolicLink() && (await isFolder(join(root, folder, entry.name)));
    if (entry.isDirectory() || linked) names.push(entry.name);
  }
  return names.sort();
}
