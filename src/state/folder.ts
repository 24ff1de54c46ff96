import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unavailable } from './failure.ts';

const WORDS: { readonly [code: string]: string } = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'its file system is mounted read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'part of its path is a file',
  EEXIST: 'it is a file',
};

/** Makes the state folder (mode 0750) if need be and checks that it can be written. Rejects with STATE_UNAVAILABLE. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const hint = 'give its owner to the user who serves, or name another folder with --state';
    throw unavailable({ message: `the state folder ${folder} cannot be used: ${WORDS[code] ?? code}`, hint }, error);
  }
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

/** Checks that there is a state to read. Rejects with STATE_UNAVAILABLE. */
export async function requireState(folder: string): Promise<void> {
  try {
    await stat(join(folder, 'reveille.db'));
  } catch (error) {
    throw unavailable(
      { message: `there is no state in ${folder} yet`, hint: 'has `reveille serve` run with this folder as --state?' },
      error,
    );
  }
}
