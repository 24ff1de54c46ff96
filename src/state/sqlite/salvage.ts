import type { SqlValue } from '../database.ts';
import type { DatabaseFile } from './databaseFile.ts';

/** What could be read of a table; `whole` if that is all of it. */
export type SalvagedTable = { readonly rows: ReadonlyMap<string, readonly SqlValue[]>; readonly whole: boolean };

/**
 * Reads a table of a damaged database from both of its ends up to the damage. A table that reads without an error is whole if SQLite
 * finds nothing wrong with it either. Columns are those of `columns`, the first `key` of them name a row. Never throws.
 */
export function salvage(from: DatabaseFile, table: string, columns: readonly string[], key: number): SalvagedTable {
  const rows = new Map<string, readonly SqlValue[]>();
  const names = columns.slice(0, key);
  const read = (order: string): boolean => {
    try {
      const found = from.db.prepare(`select ${columns.join(', ')} from ${table} ${order}`).iterate();
      for (const row of found) {
        const values = columns.map((column) => row[column] as SqlValue);
        rows.set(JSON.stringify(values.slice(0, key).map(String)), values);
      }
      return true;
    } catch {
      return false;
    }
  };
  const whole = read('');
  if (!whole) read(`order by ${names.map((name) => `${name} desc`).join(', ')}`);
  return { rows, whole: whole && isSound(from, table) };
}

function isSound(from: DatabaseFile, table: string): boolean {
  try {
    const [first] = from.db.prepare(`pragma integrity_check('${table}')`).all();
    return Object.values(first ?? {})[0] === 'ok';
  } catch {
    return false;
  }
}
