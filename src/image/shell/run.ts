import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReveilleError } from '../../errors.ts';
import { requireSubordinateIds, thisUser } from '../builder.ts';
import { initrdMembers } from '../contents.ts';
import type { Member } from '../cpio.ts';
import { parseDpkgStatus } from '../packages.ts';
import type { ShelvedImage } from '../shelf.ts';
import { type AptSetup, formatSources } from '../sources.ts';
import { tar } from '../tarWriter.ts';
import { automaticPackages, type RootChanges, rootChanges } from './changes.ts';

const INSIDE = join(import.meta.dirname, 'inside');

export type ShellOutcome = {
  /** Exit code of the command. */
  readonly code: number;
  readonly changes: RootChanges;
};

/**
 * Runs a command in the root of an image, in namespaces, as root there (an ordinary user is root of a user namespace and
 * needs subordinate ids). The image stays as it is: the root is a copy that is thrown away. `apt` is where packages may
 * be fetched from inside. Throws ReveilleError where the root cannot be laid out.
 */
export async function runInImage(
  image: ShelvedImage,
  command: readonly string[],
  apt: AptSetup | undefined,
): Promise<ShellOutcome> {
  // The command decides what an interrupt means.
  const ignore = () => {};
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  try {
    return await inFolder(async (folder) => {
      await writeFile(join(folder, 'compare'), '');
      if (apt !== undefined) {
        await writeFile(join(folder, 'sources'), formatSources(apt.sources));
        await writeFile(join(folder, 'apt.conf'), apt.settings.map((line) => `${line};\n`).join(''));
      }
      await enter(folder, image, command, (unshare) =>
        spawn('unshare', unshare, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'] }),
      );
      return { code: await codeOf(folder), changes: await changesOf(folder) };
    });
  } finally {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore);
  }
}

/**
 * Runs a command in an image's root as `runInImage` does, without a terminal. `onLine` hears each line that it prints; after
 * `patienceMs` it is stopped. Gives its exit code, or `stopped`.
 */
export async function runUnattended(
  image: ImageRoot,
  command: readonly string[],
  onLine: (line: string) => void,
  patienceMs: number,
): Promise<number | 'stopped'> {
  return inFolder(async (folder) => {
    let stopped = false;
    await enter(folder, image, command, (unshare) => {
      const program = spawn('unshare', unshare, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
      if (program.stdout) createInterface({ input: program.stdout }).on('line', onLine);
      const limit = setTimeout(() => {
        stopped = true;
        program.kill('SIGKILL');
      }, patienceMs);
      program.once('close', () => clearTimeout(limit));
      return program;
    });
    return stopped ? 'stopped' : codeOf(folder);
  });
}

/** The files that hold an image's root: a squashfs, else the initrd. */
export type ImageRoot = { readonly initrd: { readonly path: string }; readonly root?: { readonly path: string } };

/** A folder beside no other's memory, gone afterwards. */
async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(process.env.TMPDIR ?? '/var/tmp', 'reveille-shell-')).catch(() =>
    mkdtemp(join(tmpdir(), 'reveille-shell-')),
  );
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Lays the root out in the folder and runs the command there; `start` spawns unshare with a pipe as descriptor 3. */
async function enter(
  folder: string,
  image: ImageRoot,
  command: readonly string[],
  start: (unshare: readonly string[]) => ChildProcess,
): Promise<void> {
  if (process.getuid?.() !== 0) await requireSubordinateIds(thisUser());
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user', '--map-auto'];
  const own = [...user, '--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc'];
  const program = start([...own, 'sh', INSIDE, folder, image.root?.path ?? '', ...command]);
  const ended = once(program, 'close');
  const rootTar = program.stdio[3] as Writable;
  // What tar leaves unread comes back as an error, even after the end.
  rootTar.on('error', () => {});
  const fed =
    image.root === undefined
      ? pipeline(Readable.from(tar(unpackable(image.initrd.path))), rootTar).catch(() => {})
      : Promise.resolve(rootTar.end());
  await ended.catch((cause: unknown) => {
    throw new ReveilleError('TOOL_MISSING', `unshare does not start: ${(cause as Error).message}`, {
      hint: 'run: apt-get install util-linux',
    });
  });
  await fed;
}

/** The files of an initrd without what an ordinary user cannot make; /dev is this machine's. */
async function* unpackable(initrd: string): AsyncGenerator<Member> {
  for await (const { entry, inode, links, content } of initrdMembers(initrd)) {
    if (entry.kind === 'character' || entry.kind === 'block') continue;
    yield { entry, inode, links, ...(entry.size > 0 ? { content } : {}) };
  }
}

async function codeOf(folder: string): Promise<number> {
  const code = await textIn(folder, 'code');
  if (code === '') {
    throw new ReveilleError('IMAGE_BUILD_FAILED', "the image's root could not be laid out in a namespace", {
      hint: 'an ordinary user needs uidmap, and room in TMPDIR or /var/tmp',
    });
  }
  return Number(code);
}

async function changesOf(folder: string): Promise<RootChanges> {
  const snapshot = async (when: string) => ({
    listing: await textIn(folder, when),
    packages: parseDpkgStatus(await textIn(folder, `status.${when}`)),
  });
  const lists = new Map<string, string>();
  for (const name of await readdir(join(folder, 'lists')).catch(() => [])) {
    lists.set(name.replace(/\.list$/, ''), await textIn(folder, join('lists', name)));
  }
  const automatic = automaticPackages(await textIn(folder, 'extended_states'));
  return rootChanges(await snapshot('before'), await snapshot('after'), lists, automatic);
}

function textIn(folder: string, name: string): Promise<string> {
  return readFile(join(folder, name), 'utf8').catch(() => '');
}
