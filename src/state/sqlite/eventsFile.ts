import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ReveilleError } from '../../errors.ts';
import type { EventValues, SqlValue, Statement } from '../database.ts';
import { DatabaseFile } from './databaseFile.ts';
import type { EventsKept, Outcome } from './messages.ts';
import { EVENT_MIGRATIONS, migrate } from './migrations.ts';
import { Reserve, roomBeforeEvents, roomOf } from './reserve.ts';

const MB = 1024 * 1024;

/** With the log that SQLite writes ahead (MOST_AHEAD) the files stay below 256 MiB. */
export const EVENTS_KEPT: EventsKept = { perSubject: 1000, strangers: 20_000, total: 100_000, bytes: 200 * MB };

/** What is written ahead of the file; a reader that does not go on keeps it from being taken over. */
const MOST_AHEAD = 32 * MB;
/** So much may stay there while nothing happens. */
const SMALL_AHEAD = MB;
/** Rows that one step forgets beyond those that it saves: a few milliseconds of work. */
const FORGOTTEN_AT_ONCE = 200;
/** Free pages that stay in the file for the next events, and those that one step gives back to the file system. */
const FREE_PAGES = 256;
const PAGES_AT_ONCE = 256;

/**
 * The file of the events. Forgetting is part of saving, in steps of bounded work: no flood keeps it from happening, and the file is
 * given back to the file system as it shrinks.
 */
export class EventsFile {
  readonly #file: DatabaseFile;
  readonly #path: string;
  readonly #keep: EventsKept;
  /** Unknown at first and after a failure. */
  #counts: Counts | undefined;

  constructor(path: string, keep: EventsKept = EVENTS_KEPT) {
    this.#path = path;
    this.#keep = keep;
    this.#file = new DatabaseFile(path, false);
    try {
      // Before the first table: later it would take a rewrite of the file.
      this.#file.db.exec('pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = normal');
      this.#file.db.exec('pragma journal_size_limit = 8388608');
      migrate(this.#file.db, EVENT_MIGRATIONS);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** Saves events, all or none, and forgets as many as that makes too many. */
  save(rows: readonly EventValues[]): void {
    this.#requireRoom();
    const insert = this.#file.prepare(
      'insert into events (id, at, node, mac, subject, body) values (?, ?, ?, ?, ?, ?)',
    );
    this.#change((counts) => {
      for (const [id, at, node, mac, subject, body] of rows) {
        // An id that is not above all is of a clock that was set back while the state could not be read.
        counts.lastId = Math.max(id ?? 0, counts.lastId + 1);
        insert.run(counts.lastId, at, node, mac, subject, body);
        counts.add(subject, node === null, 1);
      }
      this.#forget(counts, rows.length + FORGOTTEN_AT_ONCE);
    });
    this.#giveBack();
  }

  read(statements: readonly Statement[]): Outcome {
    return this.#file.transact(statements);
  }

  /** A step of forgetting and giving back; whether there is more to do. */
  tidy(): boolean {
    const more = this.#change((counts) => this.#forget(counts, FORGOTTEN_AT_ONCE));
    if (this.#giveBack() || more) return true;
    // The file is cut when what is written ahead has been taken over.
    if (this.#ahead() > SMALL_AHEAD) this.#file.db.exec('pragma wal_checkpoint(truncate)');
    return false;
  }

  close(): void {
    this.#file.close();
  }

  #change<T>(work: (counts: Counts) => T): T {
    this.#counts ??= new Counts(this.#file, this.#keep.perSubject);
    const counts = this.#counts;
    this.#counts = undefined;
    const result = this.#file.inTransaction(() => work(counts));
    this.#counts = counts;
    return result;
  }

  /** Deletes up to `most` of what is too much; whether more is. */
  #forget(counts: Counts, most: number): boolean {
    const { strangers, total, bytes } = this.#keep;
    let left = most;
    const forget = (where: string, values: readonly SqlValue[], excess: number): void => {
      if (excess <= 0 || left <= 0) return;
      const gone = this.#file
        .prepare(
          `delete from events where id in (select id from events ${where} order by id limit ?) returning subject, node is null as stranger`,
        )
        .all(...values, Math.min(excess, left));
      for (const { subject, stranger } of gone) counts.add(String(subject), stranger === 1, -1);
      // Where there is nothing, the count is wrong: it must not make a loop.
      left -= gone.length === 0 ? left : gone.length;
    };
    for (const subject of [...counts.crowded]) forget('where subject = ?', [subject], counts.excessOf(subject));
    forget('where node is null', [], counts.strangers - strangers);
    forget('', [], counts.total - total);
    while (left > 0 && counts.total > 0 && this.#used() > bytes) forget('', [], Math.min(left, 20));
    return left <= 0;
  }

  #used(): number {
    return (this.#file.pragma('page_count') - this.#file.pragma('freelist_count')) * this.#file.pragma('page_size');
  }

  /** Gives some free pages back to the file system; whether there are more. */
  #giveBack(): boolean {
    const free = this.#file.pragma('freelist_count') - FREE_PAGES;
    if (free <= 0) return false;
    this.#file.db.exec(`pragma incremental_vacuum(${Math.min(free, PAGES_AT_ONCE)})`);
    return free > PAGES_AT_ONCE;
  }

  #requireRoom(): void {
    if (this.#ahead() > MOST_AHEAD) this.#file.db.exec('pragma wal_checkpoint(truncate)');
    if (this.#ahead() > MOST_AHEAD)
      throw new ReveilleError(
        'STATE_UNAVAILABLE',
        `${this.#path}-wal is full: another program reads and does not go on`,
      );
    const folder = dirname(this.#path);
    const room = roomOf(folder);
    if (room.free < roomBeforeEvents(room, new Reserve(folder).size))
      throw new ReveilleError(
        'STATE_UNAVAILABLE',
        `${this.#path} does not grow: what is left of the disk is for leases`,
        {
          hint: 'make room; the server goes on by itself',
        },
      );
  }

  #ahead(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }
}

/** How many events there are, so that no saving has to count them. */
class Counts {
  readonly #perSubject: number;
  readonly #subjects = new Map<string, number>();
  /** Subjects with too many. */
  readonly crowded = new Set<string>();
  total = 0;
  strangers = 0;
  lastId: number;

  constructor(file: DatabaseFile, perSubject: number) {
    this.#perSubject = perSubject;
    const rows = file
      .prepare('select subject, node is null as stranger, count(*) as n from events group by subject, node is null')
      .iterate();
    // The greatest that there has been: SQLite keeps it beyond the event itself.
    this.lastId = Number(file.prepare("select seq from sqlite_sequence where name = 'events'").get()?.seq ?? 0);
    for (const { subject, stranger, n } of rows) this.add(String(subject), stranger === 1, Number(n));
  }

  add(subject: string, stranger: boolean, change: number): void {
    const count = (this.#subjects.get(subject) ?? 0) + change;
    if (count > 0) this.#subjects.set(subject, count);
    else this.#subjects.delete(subject);
    if (count > this.#perSubject) this.crowded.add(subject);
    else this.crowded.delete(subject);
    this.total += change;
    if (stranger) this.strangers += change;
  }

  excessOf(subject: string): number {
    return (this.#subjects.get(subject) ?? 0) - this.#perSubject;
  }
}
