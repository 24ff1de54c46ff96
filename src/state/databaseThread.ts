import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Request, Result, SqlValue, Statement, ThreadOptions } from './database.ts';
import { failureOf, needsReopening } from './failure.ts';
import { migrate, requireCurrent } from './migrations.ts';
import { lockAsSoleWriter } from './soleWriter.ts';

/**
 * The thread that owns the database, so that waiting for the disk never holds up the event loop. One message is one
 * transaction: it is answered when it is on disk. The database is opened by the first message, and anew by the next one
 * after opening failed.
 */
const { folder, readOnly } = workerData as ThreadOptions;
const file = join(folder, 'reveille.db');

type Open = { readonly db: DatabaseSync; readonly prepared: Map<string, StatementSync>; close(): void };
let current: Open | undefined;

function open(): Open {
  const lock = readOnly ? undefined : lockAsSoleWriter(join(folder, 'reveille.lock'));
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly, timeout: 2000 });
    if (readOnly) requireCurrent(db);
    else {
      // WAL lets others read meanwhile; FULL has each commit wait for the disk.
      db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 16777216');
      migrate(db);
    }
  } catch (error) {
    db?.close();
    lock?.release();
    throw error;
  }
  const opened = db;
  const close = (): void => {
    opened.close();
    lock?.release();
  };
  return { db: opened, prepared: new Map(), close };
}

function inTransaction({ db, prepared }: Open, statements: readonly Statement[]): Result[] {
  const [first] = statements;
  if (first === undefined) return [];
  if (statements.length === 1 && first.rows.length === 1) return [execute(db, prepared, first)];
  db.exec('begin immediate');
  try {
    const results = statements.map((statement) => execute(db, prepared, statement));
    db.exec('commit');
    return results;
  } catch (error) {
    // On a full disk SQLite has rolled back by itself.
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
}

function execute(db: DatabaseSync, prepared: Map<string, StatementSync>, { sql, rows }: Statement): Result {
  let statement = prepared.get(sql);
  if (!statement) {
    statement = db.prepare(sql);
    prepared.set(sql, statement);
  }
  const returnsRows = statement.columns().length > 0;
  let result: Result = { rows: [], changes: 0 };
  for (const values of rows as SqlValue[][])
    result = returnsRows
      ? { rows: statement.all(...values), changes: 0 }
      : { rows: [], changes: result.changes + Number(statement.run(...values).changes) };
  return result;
}

function answer({ id, statements }: Request): Answer {
  try {
    current ??= open();
    return { id, results: inTransaction(current, statements) };
  } catch (error) {
    if (needsReopening(error)) close();
    return { id, failure: failureOf(error, file) };
  }
}

function close(): void {
  const closing = current;
  current = undefined;
  try {
    closing?.close();
  } catch {
    // A database that cannot be closed in order is let go as it is: what was committed is on disk.
  }
}

parentPort?.on('message', (request: Request | 'close') => {
  if (request === 'close') {
    close();
    parentPort?.close();
  } else parentPort?.postMessage(answer(request));
});
