import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unavailable } from '../failure.ts';
import { keepPrivate } from './privateFile.ts';

const WORDS: { readonly [code: string]: string } = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system is mounted read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'part of its path is a file',
  EEXIST: 'it is a file',
};

/**
 * Makes the state folder (mode 0750) if need be and checks that it can be written; the database, which holds private keys, is for
 * its owner alone whatever the folder lets others do. Rejects with STATE_UNAVAILABLE.
 */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
    keepPrivate(join(folder, 'reveille.db'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const hint = 'give its owner to the user who serves, or name another folder with --state';
    throw unavailable({ message: `the state folder ${folder} cannot be used: ${WORDS[code] ?? code}`, hint }, error);
  }
}

/** Whether what `prepareFolder` rejected with may pass: the disk is full, failing or read-only, or descriptors are short. */
export function isPassing(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code !== undefined && ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(code);
}

/** Like mkdir's own `recursive`, which hides why it fails: on a read-only disk it says ENOENT. */
async function makeFolder(folder: string): Promise<void> {
  const make = () => mkdir(folder, { mode: 0o750 });
  try {
    await make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await make();
  }
}

/** Checks that there is a state, and that this user may read it. Rejects with STATE_UNAVAILABLE. */
export async function requireState(folder: string): Promise<void> {
  try {
    await access(join(folder, 'reveille.db'), constants.R_OK);
  } catch (error) {
    throw unavailable(
      isForbidden(error)
        ? {
            message: `the state in ${folder} may be read by the server’s user and by root alone`,
            hint: 'run this as one of them (sudo), or ask while the server runs',
          }
        : { message: `there is no state in ${folder} yet`, hint: NO_STATE_HINT },
      error,
    );
  }
}

/** Whether there is a state in `folder`, or may be one that this user cannot see. */
export async function mayHaveState(folder: string): Promise<boolean> {
  return access(join(folder, 'reveille.db'), constants.F_OK).then(() => true, isForbidden);
}

const NO_STATE_HINT = 'has `reveille serve` run with this folder as --state?';

function isForbidden(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EACCES' || code === 'EPERM';
}
