import { chmodSync, closeSync, openSync, statSync } from 'node:fs';

const OWNER_ALONE = 0o600;

/**
 * Makes a file, if there is none, and has its owner alone read it and what SQLite puts beside it: SQLite gives those files the mode of
 * the database, and those that are there already keep theirs. Throws what opening throws.
 */
export function keepPrivate(file: string): void {
  closeSync(openSync(file, 'a', OWNER_ALONE));
  for (const one of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]) {
    const mode = statSync(one, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) === 0) continue;
    try {
      chmodSync(one, mode & 0o700);
    } catch {
      // What another user owns cannot be helped here.
    }
  }
}
