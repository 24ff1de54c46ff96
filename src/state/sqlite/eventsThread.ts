import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { DatabaseFile } from './databaseFile.ts';
import { EventsFile } from './eventsFile.ts';
import { isDamaged, needsReopening } from './failure.ts';
import type { EventsAsked, EventsThreadOptions, Outcome } from './messages.ts';
import { EVENT_MIGRATIONS, requireCurrent } from './migrations.ts';
import { keepPrivate } from './privateFile.ts';
import { answerRequests } from './threadLoop.ts';

/** The thread that owns `events.db`: whatever becomes of that file, leases go their own way. */
const { folder, readOnly, keep } = workerData as EventsThreadOptions;
const file = join(folder, 'events.db');

type Opened = Pick<EventsFile, 'save' | 'read' | 'tidy' | 'close'>;

/** Between two steps of forgetting. */
const STEP_MS = 20;

let damaged = false;

function openToWrite(): Opened {
  if (damaged) setAside();
  damaged = false;
  keepPrivate(file);
  return noticing(() => new EventsFile(file, keep));
}

/** A file that turns out to be damaged is set aside when it is opened next. */
function noticing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    damaged ||= isDamaged(error) && !readOnly;
    throw error;
  }
}

/** Events are a record of what was: a damaged file makes room for a new one, and is kept until the next one is damaged. */
function setAside(): void {
  for (const end of ['', '-wal', '-shm']) {
    try {
      renameSync(`${file}${end}`, `${file}${end}.damaged`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function openToRead(): Opened {
  const database = new DatabaseFile(file, true);
  try {
    requireCurrent(database.db, EVENT_MIGRATIONS);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    save: () => {},
    read: (statements) => database.transact(statements),
    tidy: () => false,
    close: () => database.close(),
  };
}

answerRequests<Opened, EventsAsked, Outcome>({
  file,
  open: readOnly ? openToRead : openToWrite,
  answer: (opened, asked) =>
    noticing(() => {
      if ('read' in asked) return opened.read(asked.read);
      opened.save(asked.save);
      return [];
    }),
  tidy: (opened) => (noticing(() => opened.tidy()) ? STEP_MS : undefined),
  needsReopening,
  close: (opened) => opened.close(),
});
