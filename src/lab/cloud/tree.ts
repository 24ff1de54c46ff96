import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Base } from '../../image/base.ts';

/**
 * A root as a folder below `folder`, unpacked if it is missing: it is there whole or not at all. Trees of other roots are
 * deleted, except those that are part of an overlay. Only one caller at a time.
 */
export async function openTree(
  { tar, identity }: Pick<Base, 'tar' | 'identity'>,
  folder: string,
  onUnpack: () => void,
  laidOver: () => Promise<ReadonlySet<string>> = lowerFolders,
): Promise<string> {
  const tree = join(folder, createHash('sha256').update(identity).digest('hex').slice(0, 16));
  if (await stat(tree).catch(() => undefined)) return tree;
  onUnpack();
  await mkdir(folder, { recursive: true });
  const used = await laidOver();
  const others = (await readdir(folder)).map((name) => join(folder, name)).filter((path) => !used.has(path));
  await Promise.all(others.map((path) => rm(path, { recursive: true, force: true })));
  const fresh = `${tree}.new`;
  await mkdir(fresh);
  // It ends with us: the next caller empties the folder and unpacks again.
  const tarProgram = ['tar', '--extract', '--numeric-owner', '--xattrs', '--file', tar, '--directory', fresh];
  await promisify(execFile)('setpriv', ['--pdeathsig', 'KILL', ...tarProgram]);
  await rename(fresh, tree);
  return tree;
}

/** The folders that are part of an overlay in any mount namespace of this machine. */
async function lowerFolders(): Promise<ReadonlySet<string>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // A process may end while it is read.
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')));
  return new Set(texts.flatMap(lowersIn));
}

/** The lowest folders of the overlays that a mountinfo (proc(5)) lists. */
export function lowersIn(mountinfo: string): readonly string[] {
  const octal = (text: string) =>
    text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
  return [...mountinfo.matchAll(/[ ,]lowerdir=([^,\s]+)/g)].map((match) => octal(match[1] ?? ''));
}
