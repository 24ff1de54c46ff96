import { copyFile, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { seeInside } from '../../boot/confine.ts';
import { ReveilleError } from '../../errors.ts';
import { dashedIpv4 } from '../../model/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import { reason } from '../reason.ts';
import type { DraftNode } from './draftNodes.ts';
import type { Teller } from './tell.ts';
import type { Tree } from './tree.ts';

const DASHED = /^\d{1,3}(-\d{1,3}){3}$/;
const MOST_FILES = 10_000;

/** Notes the folders at the top of the tree that are named for a node or its address: they become the site's `nodes/`. */
export async function takeFolders(
  draft: SiteDraft,
  tree: Tree,
  nodes: readonly DraftNode[],
  teller: Teller,
): Promise<void> {
  const owners = new Map<string, string>();
  for (const { name, ip } of nodes) {
    owners.set(name, name);
    if (ip !== undefined) owners.set(dashedIpv4(ip), name);
  }
  for (const folder of await tree.topFolders()) {
    const place = { file: folder, line: 1, col: 1 };
    const owner = owners.get(folder);
    if (owner === undefined) {
      if (DASHED.test(folder)) {
        teller.tell('left', place, `folder ${folder}`, 'no node has this address; it is still served from tftp.root');
      }
    } else if ((await folderInside(tree.root, folder)) === undefined) {
      const why = reason`it is a link that leads out of ${tree.root}: copy it to nodes/${folder}`;
      teller.tell('left', place, `folder ${folder}`, why);
    } else {
      const to = `nodes/${folder}`;
      draft.folders.set(to, join(tree.root, folder));
      const why = `copied to ${to}, which ${owner} gets from now on`;
      teller.tell('taken', place, `folder ${folder}`, why, { at: [[to]] });
    }
  }
}

/**
 * Copies the plain files of a folder below `root`, and of folders in it, to a new folder; modes are kept, so that what can be
 * run stays so. A link to a file or folder inside `root` becomes a copy of that; other links, those that lead round in a circle
 * and special files are not copied: their paths are given back. Throws IMPORT_INVALID for a folder with more files than nodes
 * have.
 */
export async function copyFolder(from: string, to: string, root: string): Promise<readonly string[]> {
  const left: string[] = [];
  let files = 0;
  const copyInto = async (path: string, around: readonly string[]) => {
    await mkdir(join(to, path), { recursive: true });
    for (const name of (await readdir(join(from, path))).sort()) {
      const inner = join(path, name);
      if (++files > MOST_FILES) {
        throw new ReveilleError('IMPORT_INVALID', `${from} holds more than ${MOST_FILES} files`);
      }
      const below = relative(root, join(from, inner));
      const folder = await folderInside(root, below);
      const file = folder === undefined ? await seeInside(root, below) : undefined;
      if (file) await copyFile(file.path, join(to, inner));
      else if (folder === undefined || around.includes(folder)) left.push(inner);
      else await copyInto(inner, [...around, folder]);
    }
  };
  await copyInto('', [await realpath(from)]);
  return left;
}

/** The real path of the folder that `name` leads to below `root`, links followed; `undefined` for what is none or leaves `root`. */
async function folderInside(root: string, name: string): Promise<string | undefined> {
  try {
    const path = await realpath(join(root, name));
    const isBelow = path.startsWith((await realpath(root)) + sep);
    return isBelow && (await stat(path)).isDirectory() ? path : undefined;
  } catch {
    return undefined;
  }
}
