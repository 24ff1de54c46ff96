import { constants } from 'node:fs';
import { access, chmod, mkdir, open, stat } from 'node:fs/promises';
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

/**
 * Makes the state folder (mode 0750) if need be and checks that it can be written; the database, which holds private keys, is for
 * its owner and group whatever the folder lets others do. Rejects with STATE_UNAVAILABLE.
 */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
    await keepFromOthers(join(folder, 'reveille.db'));
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

/** SQLite gives the files beside its database the database's mode; those that are there already keep theirs. */
async function keepFromOthers(database: string): Promise<void> {
  await (await open(database, 'a', 0o640)).close();
  for (const file of [database, `${database}-wal`, `${database}-shm`]) {
    const mode = await stat(file).then(
      (found) => found.mode & 0o777,
      () => 0,
    );
    // What another user owns cannot be helped here, and may well be right.
    if (mode & 0o007) await chmod(file, mode & 0o770).catch(() => {});
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
