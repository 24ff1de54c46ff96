import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Result, Statement } from '../database.ts';
import { full } from './failure.ts';
import type { Outcome } from './messages.ts';

/** Less than this is too little for the index beside the log (`-shm`) of the two databases, bytes. */
const INDEX_ROOM = 256 * 1024;
const PAGE = 4096;

/**
 * SQLite makes room for its index by writing one byte of each page, and maps it then. Where blocks of the disk are smaller than a
 * page, that leaves holes; on a full disk the kernel answers the first touch of one with SIGBUS, which ends the process.
 */
export function requireRoomForIndex(folder: string, look: (folder: string) => Disk = statfsSync): void {
  const { bsize, bavail } = look(folder);
  if (bsize < PAGE && bavail * bsize < INDEX_ROOM) throw full(new Error(`less than ${INDEX_ROOM} bytes are free`));
}

type Disk = { readonly bsize: number; readonly bavail: number };

/** How long a statement waits for another program that has the file locked, milliseconds. */
const BUSY_MS = 2000;

/** A claim has changed no row. */
class ClaimLost extends Error {}

/** A SQLite database as its thread uses it: statements prepared once, transactions that are whole or nothing. */
export class DatabaseFile {
  readonly db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  /** Throws what SQLite throws, and that the disk is full where opening there would end the process. */
  constructor(path: string, readOnly: boolean) {
    requireRoomForIndex(dirname(path));
    this.db = new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    // What SQLite sorts aside needs no descriptor and no room on the disk.
    this.db.exec('pragma temp_store = memory');
  }

  /** Runs statements in one transaction. Throws what SQLite throws; then, or where a claim is lost, none of them counts. */
  transact(statements: readonly Statement[]): Outcome {
    const [first] = statements;
    if (first === undefined) return [];
    try {
      if (statements.length === 1 && first.rows.length === 1) return [this.execute(first)];
      return this.inTransaction(() => statements.map((statement) => this.execute(statement)));
    } catch (error) {
      if (error instanceof ClaimLost) return undefined;
      throw error;
    }
  }

  inTransaction<T>(work: () => T): T {
    this.db.exec('begin immediate');
    try {
      const result = work();
      this.db.exec('commit');
      return result;
    } catch (error) {
      // On a full disk SQLite has rolled back by itself.
      if (this.db.isTransaction) this.db.exec('rollback');
      throw error;
    }
  }

  /** Runs one statement for each of its rows. */
  execute({ sql, rows, claims }: Statement): Result {
    const statement = this.prepare(sql);
    if (statement.columns().length > 0) return { rows: rows.flatMap((values) => statement.all(...values)), changes: 0 };
    let changes = 0;
    for (const values of rows) {
      const changed = Number(statement.run(...values).changes);
      if (claims && changed === 0) throw new ClaimLost();
      changes += changed;
    }
    return { rows: [], changes };
  }

  prepare(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.db.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  /** A number that a pragma gives: `pragma page_count`. */
  pragma(name: string): number {
    const row = this.prepare(`pragma ${name}`).get();
    return Number(Object.values(row ?? {})[0] ?? 0);
  }

  close(): void {
    this.db.close();
  }
}
