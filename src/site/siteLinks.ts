import { realpath, stat } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { wordsOf } from '../errors.ts';

/** Where following a link ends: at a file or folder of the site by its real path, or at what is wrong with it, in words. */
export type Followed =
  | { readonly path: string; readonly isFolder: boolean; readonly isFile: boolean }
  | { readonly message: string; readonly hint: string };

/**
 * Follows the link `link` (or any path) as far as it goes. It has to end at something that is there, inside `realRoot`, the real
 * path of the site folder.
 */
export async function followInside(realRoot: string, link: string): Promise<Followed> {
  try {
    const path = await realpath(link);
    if (!holds(realRoot, path)) {
      return { message: `this link leads out of the site, to ${path}`, hint: 'copy what it leads to into the site' };
    }
    const about = await stat(path);
    return { path, isFolder: about.isDirectory(), isFile: about.isFile() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { message: 'this link leads to nothing', hint: 'mend it or take it away' };
    if (code === 'ELOOP') return { message: 'this link leads back to itself', hint: 'mend it or take it away' };
    return { message: `this link cannot be followed: ${wordsOf(error)}`, hint: 'mend it or take it away' };
  }
}

/**
 * Whether a link in a tree that is laid over `/` means something of the site, and not what stands under that name on the node. A
 * relative one does when it leaves the tree, an absolute one when it names something in the site (`roots`: the folder
 * as it is called and as it really is). `base` is the tree's folder and `link` the link's own path, both real.
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
