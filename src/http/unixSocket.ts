import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { ReveilleError } from '../errors.ts';

/** What the kernel takes as the name of a Unix socket, without the final NUL. */
const LONGEST_PATH = 107;
const MODE = 0o660;

/**
 * Puts a listening socket at `path`, mode 0660: it is made under another name by `listen`, and renamed once it listens with
 * its mode, so that no client meets it half made. A socket left behind by a server that was killed is replaced; one that
 * answers is not (PORT_IN_USE). Resolves to the way to take the socket away again.
 */
export async function listenOnSocket(
  path: string,
  listen: (path: string) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const beside = `${path}.new`;
  if (Buffer.byteLength(beside) > LONGEST_PATH) {
    throw new ReveilleError('STATE_UNAVAILABLE', `the path of the socket is too long for the kernel: ${path}`, {
      hint: 'choose a state folder with a shorter path',
    });
  }
  if (await someoneAnswers(path)) {
    throw new ReveilleError('PORT_IN_USE', `another server answers at ${path}`, {
      hint: 'stop it, or give this one a state folder of its own with --state',
    });
  }
  await refuseOtherFile(path);
  await rm(beside, { force: true });
  await listen(beside);
  await chmod(beside, MODE);
  await rename(beside, path);
  return () => rm(path, { force: true });
}

function someoneAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function refuseOtherFile(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat && !stat.isSocket())
    throw new ReveilleError('STATE_UNAVAILABLE', `${path} is there already and is not a socket`);
}
