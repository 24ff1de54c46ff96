import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SqlValue } from '../database.ts';
import { KEYS_LOST, LEASES_HELD } from '../marks.ts';
import { DatabaseFile } from './databaseFile.ts';
import { isDamaged } from './failure.ts';
import type { Notice } from './messages.ts';
import { migrate } from './migrations.ts';
import { keepPrivate } from './privateFile.ts';
import { openCopy } from './readableCopy.ts';
import { type SalvagedTable, salvage } from './salvage.ts';

export type RebuildFrom = {
  readonly folder: string;
  /** A connection to the damaged file, where its name is gone. */
  readonly open: DatabaseFile | undefined;
  readonly longestLeaseMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/** What would be made anew, with other keys, where it is missing. */
const KEYS = ['identities', 'certificates'];
/** Damaged files that stay. */
const MOST_DAMAGED = 5;
const REBUILT = 'reveille.db.rebuilt-';
const DAMAGED = 'reveille.db.damaged-';

/**
 * Makes a new database of what a damaged one still says, and puts it in its place; the damaged one stays beside it. Where leases are
 * missing, none counts as known until the longest of them has run out. Where keys of nodes are missing, none are made anew as long as
 * the damaged file is there. Throws where the new file cannot be written; then all is as it was.
 */
export function rebuild({ folder, open, longestLeaseMs, now }: RebuildFrom): Notice {
  const path = join(folder, 'reveille.db');
  const beside = `${path}.new`;
  const stamp = stampOf(now);
  const damaged = `${DAMAGED}${stamp}`;
  const source = open ?? copyOf(path);
  let incomplete: string[];
  try {
    for (const end of ['', '-journal']) rmSync(`${beside}${end}`, { force: true });
    keepPrivate(beside);
    const fresh = new DatabaseFile(beside, false);
    try {
      fresh.db.exec('pragma journal_mode = delete; pragma synchronous = full');
      migrate(fresh.db);
      fresh.db.exec('drop table events');
      incomplete = fresh.inTransaction(() => fill(fresh, source));
      if (incomplete.includes('leases')) holdLeases(fresh, now + longestLeaseMs);
      if (KEYS.some((table) => incomplete.includes(table))) note(fresh, KEYS_LOST, damaged);
    } finally {
      fresh.close();
    }
  } finally {
    if (source !== open) source?.close();
  }
  // From here on the new file counts, whatever happens.
  renameSync(beside, join(folder, `${REBUILT}${stamp}`));
  adoptRebuilt(folder);
  return { trouble: { code: 'STATE_REBUILT', file: path, incomplete, damaged }, leasesLost: true };
}

function copyOf(path: string): DatabaseFile | undefined {
  try {
    return openCopy(path);
  } catch (error) {
    // Nothing can be read of what is no database; what cannot be copied may be sound.
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

/** Copies all tables; gives those of which not all could be read. */
function fill(fresh: DatabaseFile, source: DatabaseFile | undefined): string[] {
  const tables = fresh.db
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name <> 'meta'")
    .all()
    .map(({ name }) => String(name));
  if (!source) return tables;
  const marks = salvage(source, 'meta', ['key', 'value'], 1).rows.values();
  for (const [key, value] of marks) if (key === LEASES_HELD || key === KEYS_LOST) note(fresh, key, String(value));
  return tables.filter((table) => {
    const info = fresh.db.prepare(`pragma table_info(${table})`).all();
    const keyed = info.filter(({ pk }) => pk !== 0).sort((a, b) => Number(a.pk) - Number(b.pk));
    const known = columnsOf(source, table);
    const all = [...keyed, ...info.filter(({ pk }) => pk === 0)].map(({ name }) => String(name));
    // A file of an earlier release lacks columns, which have defaults; where it cannot be read which, all are tried.
    const columns = known.size === 0 ? all : all.filter((column) => known.has(column));
    const found: SalvagedTable = salvage(source, table, columns, keyed.length);
    const insert = fresh.db.prepare(
      `insert or ignore into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
    );
    let refused = 0;
    for (const row of found.rows.values()) {
      try {
        insert.run(...(row as SqlValue[]));
      } catch {
        // A value of another type than its column has: the damage went through it.
        refused++;
      }
    }
    return !found.whole || refused > 0;
  });
}

function columnsOf({ db }: DatabaseFile, table: string): ReadonlySet<string> {
  try {
    return new Set(
      db
        .prepare(`pragma table_info(${table})`)
        .all()
        .map(({ name }) => String(name)),
    );
  } catch {
    return new Set();
  }
}

/** Puts a rebuilt file in the place of a damaged one, if there is one to put, also one that was left on the way there; whether there was. */
export function adoptRebuilt(folder: string): boolean {
  const names = readdirSync(folder);
  const rebuilt = names
    .filter((name) => name.startsWith(REBUILT) && name.endsWith('Z'))
    .sort()
    .at(-1);
  if (rebuilt === undefined) return false;
  const path = join(folder, 'reveille.db');
  const damaged = join(folder, `${DAMAGED}${rebuilt.slice(REBUILT.length)}`);
  for (const end of ['-wal', '-shm', '-journal']) {
    if (existsSync(`${path}${end}`)) renameSync(`${path}${end}`, `${damaged}${end}`);
  }
  if (existsSync(path) && !existsSync(damaged)) linkSync(path, damaged);
  renameSync(join(folder, rebuilt), path);
  syncFolder(folder);
  const old = names.filter((name) => name.startsWith(DAMAGED) && name.endsWith('Z')).sort();
  // The oldest may be the one whose keys are missing.
  for (const one of old.slice(1, 1 + Math.max(0, old.length + 1 - MOST_DAMAGED))) {
    for (const name of names) if (name.startsWith(one)) rmSync(join(folder, name), { force: true });
  }
  return true;
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Has no lease count as known until then, milliseconds since the epoch. */
export function holdLeases(file: DatabaseFile, until: number): void {
  note(file, LEASES_HELD, String(until));
}

/**
 * Keeps in mind that what was committed last is gone with the log of the database: its leases, and perhaps keys of nodes. What is left
 * of the log is kept, as a damaged file is.
 */
export function noteLostLog(folder: string, file: DatabaseFile, log: Uint8Array, until: number): void {
  const name = `${DAMAGED}${stampOf(Date.now())}`;
  writeFileSync(join(folder, name), log, { mode: 0o600, flush: true });
  file.inTransaction(() => {
    holdLeases(file, until);
    note(file, KEYS_LOST, name);
  });
}

/** A time as part of a file's name. */
function stampOf(now: number): string {
  return new Date(now).toISOString().replace(/[:.]/g, '');
}

function note({ db }: DatabaseFile, key: string, value: string): void {
  db.prepare('insert or replace into meta (key, value) values (?, ?)').run(key, value);
}
