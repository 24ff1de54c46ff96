import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { Statement } from '../database.ts';
import { DatabaseFile } from './databaseFile.ts';
import { needsReopening } from './failure.ts';
import { MainFile } from './mainFile.ts';
import type { MainThreadOptions, Outcome } from './messages.ts';
import { requireCurrent } from './migrations.ts';
import { answerRequests, notify } from './threadLoop.ts';

/** The thread that owns `reveille.db`, so that waiting for the disk never holds up the event loop. */
const { folder, readOnly, longestLeaseMs, serves } = workerData as MainThreadOptions;
const file = join(folder, 'reveille.db');

if (readOnly) {
  answerRequests<DatabaseFile, readonly Statement[], Outcome>({
    file,
    open() {
      const database = new DatabaseFile(file, true);
      try {
        requireCurrent(database.db);
        return database;
      } catch (error) {
        database.close();
        throw error;
      }
    },
    answer: (database, statements) => database.transact(statements),
    tidy: () => undefined,
    needsReopening,
    close: (database) => database.close(),
  });
} else {
  answerRequests<MainFile, readonly Statement[], Outcome>({
    file,
    open: () => new MainFile({ folder, longestLeaseMs, serves, notify }),
    answer: (main, statements) => main.answer(statements),
    tidy: (main) => main.tidy(),
    // It sees to that itself, and keeps its lock.
    needsReopening: () => false,
    close: (main) => main.close(),
  });
}
