import { realpath, stat } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { wordsOf } from '../errors.ts';

/** The target of a link: a file or folder of the site by its real path, or the link's fault. */
export type Followed =
  | { readonly path: string; readonly isFolder: boolean; readonly isFile: boolean }
  | { readonly message: string; readonly hint: string };

/** Follows the link `link` (or any path) to its end, which must exist inside `realRoot`, the real path of the site folder. */
export async function followInside(realRoot: string, link: string): Promise<Followed> {
  try {
    const path = await realpath(link);
    if (!holds(realRoot, path)) {
      return { message: `this link leads out of the site, to ${path}`, hint: 'copy its target into the site' };
    }
    const about = await stat(path);
    return { path, isFolder: about.isDirectory(), isFile: about.isFile() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { message: 'this link leads to nothing', hint: 'repair it or remove it' };
    if (code === 'ELOOP') return { message: 'this link leads back to itself', hint: 'repair it or remove it' };
    return { message: `this link cannot be followed: ${wordsOf(error)}`, hint: 'repair it or remove it' };
  }
}

/**
 * Whether a link in a tree that is written over `/` points into the site rather than to a path on the node. A relative one does
 * if it leaves the tree, an absolute one if it names something in the site (`roots`: the folder's given and its real path).
 * `base` is the tree's folder and `link` the link's own path, both real.
 */
export function leavesTree(target: string, link: string, base: string, roots: readonly string[]): boolean {
  return target.startsWith('/')
    ? roots.some((root) => holds(root, resolve(target)))
    : !holds(base, resolve(dirname(link), target));
}

/** Whether `path` is `folder` or something below it; both absolute. */
export function holds(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`));
}
