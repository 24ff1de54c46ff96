import { copyFile, lstat, mkdir, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { seeInside } from '../../boot/confine.ts';
import { ReveilleError } from '../../errors.ts';
import { dashedIpv4 } from '../../net/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import type { DraftNode } from './draftNodes.ts';
import type { Tree } from './tree.ts';

const DASHED = /^\d{1,3}(-\d{1,3}){3}$/;
const MOST_FILES = 10_000;

/** Notes the folders at the top of the tree that are named for a node or its address: they become the site's `nodes/`. */
export async function takeFolders(draft: SiteDraft, tree: Tree, nodes: readonly DraftNode[]): Promise<void> {
  const owners = new Map<string, string>();
  for (const { name, ip } of nodes) {
    owners.set(name, name);
    if (ip !== undefined) owners.set(dashedIpv4(ip), name);
  }
  for (const folder of await tree.topFolders()) {
    const place = { file: folder, line: 1, col: 1 };
    const owner = owners.get(folder);
    if (owner !== undefined) {
      draft.folders.set(`nodes/${folder}`, join(tree.root, folder));
      draft.remark('taken', place, `folder ${folder}`, `copied to nodes/${folder}, which ${owner} gets from now on`);
    } else if (DASHED.test(folder)) {
      draft.remark('left', place, `folder ${folder}`, 'no node has this address; it is still served from tftp.root');
    }
  }
}

/**
 * Copies the plain files of a folder below `root`, and of folders in it, to a new folder; modes are kept, so that what can be
 * run stays so. A link to a file inside `root` becomes a copy of that file; other links and special files are not copied:
 * their paths are given back. Throws IMPORT_INVALID for a folder with more files than nodes have.
 */
export async function copyFolder(from: string, to: string, root: string): Promise<readonly string[]> {
  const left: string[] = [];
  let files = 0;
  const copyInto = async (path: string) => {
    await mkdir(join(to, path), { recursive: true });
    for (const name of (await readdir(join(from, path))).sort()) {
      const inner = join(path, name);
      if (++files > MOST_FILES) {
        throw new ReveilleError('IMPORT_INVALID', `${from} holds more than ${MOST_FILES} files`);
      }
      const about = await lstat(join(from, inner));
      if (about.isDirectory()) await copyInto(inner);
      else {
        const source =
          about.isFile() || about.isSymbolicLink()
            ? await seeInside(root, relative(root, join(from, inner)))
            : undefined;
        if (source) await copyFile(source.path, join(to, inner));
        else left.push(inner);
      }
    }
  };
  await copyInto('');
  return left;
}
