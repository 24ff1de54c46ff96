import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** Held until `release` is called or the process is gone, however it ended. */
export type Lock = { release(): void };

/**
 * Takes the lock that `path` names and waits while another holds it; `onWait` is called once if so. SQLite brings the
 * file locking that Node lacks: the kernel lets go of it when the holder dies, and it holds across namespaces.
 */
export async function takeLock(path: string, onWait: () => void, signal?: AbortSignal): Promise<Lock> {
  // Made here for its error, which names the file and the reason.
  await (await open(path, 'a')).close();
  const file = new DatabaseSync(path);
  for (let waited = false; ; waited = true) {
    try {
      file.exec('BEGIN EXCLUSIVE');
      return { release: () => file.close() };
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) {
        file.close();
        throw error;
      }
    }
    if (!waited) onWait();
    await sleep(250, undefined, signal === undefined ? {} : { signal });
  }
}

const SQLITE_BUSY = 5;
