import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseFile } from './databaseFile.ts';

/** A file system in memory, and what there is where that is missing. */
const PLACES = ['/dev/shm', tmpdir()];
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Opens a copy of a database that cannot be opened in its place, on a disk that is full or may only be read, with all that was
 * committed to it. The copy is in memory and for this user alone; it is removed before this returns. Throws what copying or SQLite
 * throws.
 */
export function openCopy(file: string): DatabaseFile {
  if (statSync(file).size > MOST_BYTES) throw new Error(`${file} is too large to be copied to memory`);
  const failures: unknown[] = [];
  for (const place of PLACES) {
    try {
      return copyTo(place, file);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

function copyTo(place: string, file: string): DatabaseFile {
  const folder = mkdtempSync(join(place, 'reveille-state-'));
  try {
    const copy = join(folder, 'reveille.db');
    copyFileSync(file, copy);
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
    const database = new DatabaseFile(copy, false);
    // What is open stays readable when its name is gone; reading opens all of it.
    database.db.exec('pragma journal_mode = wal; select count(*) from sqlite_master');
    return database;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
