import { join } from 'node:path';
import type { DatabaseFile } from './databaseFile.ts';
import { EVENTS_KEPT, EventsFile } from './eventsFile.ts';
import { keepPrivate } from './privateFile.ts';

/** Of a state of an earlier release so much is taken over, the newest first: what takes a second or two. */
const MOST_MOVED_BYTES = 64 * 1024 * 1024;
/** What a row takes beside its text. */
const ROW_BYTES = 200;
/** A file with more free pages than this is rewritten, if what is left of it fits in memory. */
const FREE_PAGES = 1000;
const MOST_REWRITTEN_BYTES = 64 * 1024 * 1024;

/**
 * Moves the events of a state of an earlier release, which had them beside the leases, into a file of their own, and gives their room
 * back. Where that fails, on a full disk for instance, they stay as they are until the next time: leases do not wait for it.
 */
export function moveEvents(database: DatabaseFile, folder: string): void {
  const { db } = database;
  if (!has(db, 'events')) return;
  const empty = db.prepare('select 1 from events limit 1').get() === undefined;
  try {
    if (!empty) copy(database, join(folder, 'events.db'));
    db.exec('drop table events');
  } catch {
    return;
  }
  giveBack(database);
}

function has(db: DatabaseFile['db'], table: string): boolean {
  return db.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(table) !== undefined;
}

function copy(database: DatabaseFile, path: string): void {
  keepPrivate(path);
  new EventsFile(path).close();
  const { db } = database;
  db.prepare('attach ? as apart').run(path);
  try {
    database.inTransaction(() => {
      const last = Number(db.prepare('select max(id) as id from main.events').get()?.id);
      // Whoever was interrupted between copying and deleting has left this mark.
      const moved = db.prepare("select value from apart.meta where key = 'moved'").get()?.value;
      if (moved === String(last)) return;
      // They come before all that are there already.
      const first = db.prepare('select min(id) as id from apart.events').get()?.id ?? last + 1;
      const shift = Number(first) - 1 - last;
      db.prepare(
        `insert into apart.events (id, at, node, mac, subject, body)
         select id + ?, at, node, mac, subject, body from
           (select *, sum(octet_length(body) + ${ROW_BYTES}) over (order by id desc) as so_far from main.events order by id desc limit ?)
         where so_far <= ?`,
      ).run(shift, EVENTS_KEPT.total, MOST_MOVED_BYTES);
      db.prepare("insert or replace into apart.meta (key, value) values ('moved', ?)").run(String(last));
    });
  } finally {
    db.exec('detach apart');
  }
}

function giveBack(database: DatabaseFile): void {
  const free = database.pragma('freelist_count');
  const left = (database.pragma('page_count') - free) * database.pragma('page_size');
  if (free < FREE_PAGES || left > MOST_REWRITTEN_BYTES) return;
  try {
    database.db.exec('vacuum');
    database.db.exec('pragma wal_checkpoint(truncate)');
  } catch {
    // The file stays as long as it is; its free pages are used again.
  }
}
