import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const hint = 'give its owner to the user who serves, or name another folder with --state';
    throw unavailable({ message: `the state folder ${folder} cannot be used: ${WORDS[code] ?? code}`, hint }, error);
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
