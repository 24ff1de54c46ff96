import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { Result, Statement, ThreadOptions } from './database.ts';
import { DatabaseFile } from './databaseFile.ts';
import { migrate, requireCurrent } from './migrations.ts';
import { moveEvents } from './moveEvents.ts';
import { lockAsSoleWriter } from './soleWriter.ts';
import { answerRequests } from './threadLoop.ts';

/** The thread that owns `reveille.db`, so that waiting for the disk never holds up the event loop. */
const { folder, readOnly } = workerData as ThreadOptions;
const file = join(folder, 'reveille.db');

type Opened = { readonly database: DatabaseFile; release(): void };

function open(): Opened {
  const lock = readOnly ? undefined : lockAsSoleWriter(join(folder, 'reveille.lock'));
  const release = () => lock?.release();
  let database: DatabaseFile | undefined;
  try {
    database = new DatabaseFile(file, readOnly);
    if (readOnly) requireCurrent(database.db);
    else {
      // WAL lets others read meanwhile; FULL has each commit wait for the disk.
      database.db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 16777216');
      migrate(database.db);
      moveEvents(database, folder);
    }
    return { database, release };
  } catch (error) {
    database?.close();
    release();
    throw error;
  }
}

answerRequests<Opened, readonly Statement[], Result[]>({
  file,
  open,
  answer: ({ database }, statements) => database.transact(statements),
  close({ database, release }) {
    try {
      database.close();
    } finally {
      release();
    }
  },
});
