import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

/** Held until `release` is called or the process ends, however it ends. */
export type Lock = { release(): void };

/**
 * Takes the lock on a file, which is made if needed; `undefined` while another process holds it. Node has no file locking, so
 * SQLite's is used: the kernel releases it when the holder ends, and it works across namespaces.
 */
export function tryLock(path: string): Lock | undefined {
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    // Nothing is written: no journal takes a descriptor, or space on a full disk.
    file.exec('PRAGMA journal_mode = memory; BEGIN EXCLUSIVE');
    return { release: () => file.close() };
  } catch (error) {
    file.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}

/** The same, but waits while another holds it; `onWait` is called once if so. */
export async function takeLock(path: string, onWait: () => void, signal?: AbortSignal): Promise<Lock> {
  // Made here for the error, which names the file and the reason.
  await (await open(path, 'a')).close();
  for (let waited = false; ; waited = true) {
    const lock = tryLock(path);
    if (lock) return lock;
    if (!waited) onWait();
    await sleep(250, undefined, signal === undefined ? {} : { signal });
  }
}

const SQLITE_BUSY = 5;
