import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Lock } from '../../lock.ts';
import type { Statement } from '../database.ts';
import { type Failure, StateTaken } from '../failure.ts';
import { DatabaseFile } from './databaseFile.ts';
import { FileHarmed, failureOf, full, type Harm, isDamaged, isFull, mayBeFull, needsReopening } from './failure.ts';
import type { Notice, Outcome } from './messages.ts';
import { migrate, requireCurrent } from './migrations.ts';
import { moveEvents } from './moveEvents.ts';
import { keepPrivate } from './privateFile.ts';
import { openCopy } from './readableCopy.ts';
import { adoptRebuilt, holdLeases, noteLostLog, rebuild } from './rebuild.ts';
import { Reserve, reserveOn, roomOf } from './reserve.ts';
import { lockAsSoleWriter } from './soleWriter.ts';
import { hasLostTransactions } from './writtenAhead.ts';

export type MainFileOptions = {
  readonly folder: string;
  /** The longest that an address may be lent, milliseconds: so long a lease may live that was lost with its record. */
  readonly longestLeaseMs: number;
  /** Whether a server has it, for long: it keeps a reserve, and rebuilds a damaged file. */
  readonly serves: boolean;
  readonly notify: (notice: Notice) => void;
};

/** A file that could not be opened is not tried again before this; milliseconds. */
const REOPEN_MS = 500;
/** Nor is a damaged file read through again before this. */
const MEND_MS = 2000;
/** What is looked at now and then: the reserve, and whether a disk that failed is well again. */
const LOOK_MS = 2000;
/** Between two steps of taking the reserve, so that leases need not wait. */
const STEP_MS = 50;
/** Free pages that the file keeps: leases that come on a full disk need none of it. */
const SPARE_BYTES = 4 * 1024 * 1024;
/** Less than SQLite takes for a database that it opens. */
const NO_ROOM = 256 * 1024;
const MB = 1024 * 1024;

/**
 * `reveille.db` in the hands of its only writer, through all that may become of the disk: a full disk is met with the reserve; what
 * cannot be opened to be written is read from a copy; a damaged file is rebuilt of what it still says. What fails is tried again by
 * each call, and heals as the disk does.
 */
export class MainFile {
  readonly #options: MainFileOptions;
  readonly #path: string;
  /** A file that is there as long as the database is open, and after a crash. */
  readonly #mark: string;
  readonly #reserve: Reserve;
  /** Whether this folder had a state when it was first looked at. */
  readonly #wasUsed: boolean;
  #lock: Lock | undefined;
  #lockInode = 0;
  #writer: DatabaseFile | undefined;
  /** The files as this program left them. */
  #left: Files | undefined;
  #copy: DatabaseFile | undefined;
  #failure: unknown;
  #triedAt = Number.NEGATIVE_INFINITY;
  #mendedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last write failed, and its failure was reported. */
  #isBroken = false;
  #withoutReserve = false;

  constructor(options: MainFileOptions) {
    const { folder } = options;
    this.#options = options;
    this.#path = join(folder, 'reveille.db');
    this.#mark = join(folder, 'reveille.open');
    this.#wasUsed = existsSync(join(folder, 'reveille.lock'));
    this.#reserve = new Reserve(folder);
  }

  /** Runs statements in one transaction. Throws what SQLite or the system throws, StateTaken where the state is another's. */
  answer(statements: readonly Statement[]): Outcome {
    // What asks nothing asks whether all is well.
    const writes = statements.length === 0 || statements.some(({ sql }) => !/^\s*select\b/i.test(sql));
    try {
      const results = this.#run(statements);
      if (writes) this.#well();
      return results;
    } catch (error) {
      if (error instanceof StateTaken || isRefused(error)) throw error;
      const after = this.#afterFailure(error, statements);
      if ('results' in after) {
        if (writes) this.#well();
        return after.results;
      }
      if (!this.#writer || writes) this.#broken(after.error);
      if (this.#copy && !writes) return this.#copy.transact(statements);
      throw after.error;
    }
  }

  /** Work without a waiting caller; milliseconds until there is more. */
  tidy(): number {
    if (this.#isBroken || (this.#writer && this.#harm() !== undefined)) this.#tryToWrite();
    return this.#takeReserve() ? STEP_MS : LOOK_MS;
  }

  close(): void {
    try {
      this.#closeWriter();
      this.#copy?.close();
    } finally {
      this.#copy = undefined;
      this.#lock?.release();
      this.#lock = undefined;
    }
  }

  #run(statements: readonly Statement[]): Outcome {
    const writer = this.#writer ?? this.#open();
    const how = this.#harm();
    if (how !== undefined) throw new FileHarmed(this.#path, how);
    try {
      return writer.transact(statements);
    } finally {
      this.#left = filesOf(this.#path);
    }
  }

  /** Does about a failure what can be done, and tries once more where that may help. */
  #afterFailure(
    error: unknown,
    statements: readonly Statement[],
  ): { readonly results: Outcome } | { readonly error: unknown } {
    let last = mayBeFull(error) && this.#hasNoRoom() ? full(error) : error;
    const again = (): { readonly results: Outcome } | undefined => {
      try {
        return { results: this.#run(statements) };
      } catch (next) {
        last = next;
        return undefined;
      }
    };
    if (isFull(last) && this.#reserve.giveUp()) {
      this.#withoutReserve = true;
      this.#options.notify({ trouble: { code: 'DISK_FULL' } });
      this.#triedAt = Number.NEGATIVE_INFINITY;
      if (needsReopening(error)) this.#closeWriter();
      const results = again();
      if (results) return results;
    }
    // What is put in the place of a harmed file may be damaged itself.
    for (let tries = 0; tries < 3 && (last instanceof FileHarmed || isDamaged(last)) && this.#mend(last); tries++) {
      const results = again();
      if (results) return results;
    }
    if (last instanceof FileHarmed) this.#closeHarmed();
    else if (needsReopening(error) || needsReopening(last)) this.#closeWriter();
    if (!this.#writer && !this.#copy) {
      try {
        this.#copy = openCopy(this.#path);
      } catch {
        // Then it cannot be read either.
      }
    }
    return { error: last };
  }

  #open(): DatabaseFile {
    if (performance.now() - this.#triedAt < REOPEN_MS) throw this.#failure;
    this.#triedAt = performance.now();
    try {
      const writer = this.#openWriter();
      this.#copy?.close();
      this.#copy = undefined;
      this.#triedAt = Number.NEGATIVE_INFINITY;
      return writer;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #openWriter(): DatabaseFile {
    const { folder, longestLeaseMs, notify } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    this.#takeLock();
    // A rebuilt file has no log.
    const lostLog = adoptRebuilt(folder) ? undefined : this.#lostLog();
    const isGone = (statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) === 0;
    keepPrivate(this.#path);
    const writer = new DatabaseFile(this.#path, false);
    try {
      // WAL lets others read meanwhile; FULL has each commit wait for the disk.
      writer.db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 16777216');
      migrate(writer.db);
      if (isGone && this.#wasUsed) {
        holdLeases(writer, Date.now() + longestLeaseMs);
        notify({ trouble: { code: 'STATE_GONE', file: this.#path }, leasesLost: true });
      }
      if (lostLog && !isGone) {
        noteLostLog(folder, writer, lostLog, Date.now() + longestLeaseMs);
        notify({ trouble: { code: 'STATE_LOST', file: this.#path }, leasesLost: true });
      }
      moveEvents(writer, folder);
      requireSound(writer);
      this.#spare(writer);
      closeSync(openSync(this.#mark, 'w', 0o600));
      this.#left = filesOf(this.#path);
      this.#writer = writer;
      return writer;
    } catch (error) {
      writer.close();
      throw error;
    }
  }

  /** Takes the lock, and anew where its file is gone: then another program may be serving from this folder. Throws StateTaken. */
  #takeLock(): void {
    const path = join(this.#options.folder, 'reveille.lock');
    if (this.#lock && statSync(path, { throwIfNoEntry: false })?.ino === this.#lockInode) return;
    const lock = lockAsSoleWriter(path);
    this.#lock?.release();
    this.#lock = lock;
    this.#lockInode = statSync(path).ino;
  }

  /** What is left of a log with which transactions were lost: it was removed after a crash, or harmed. */
  #lostLog(): Uint8Array | undefined {
    const log = `${this.#path}-wal`;
    if (!existsSync(log)) return existsSync(this.#mark) ? Buffer.from('It was removed.\n') : undefined;
    return hasLostTransactions(log) ? readFileSync(log) : undefined;
  }

  /** Makes free pages in the file, and as much of its log, while there is room. */
  #spare(writer: DatabaseFile): void {
    if (roomOf(this.#options.folder).free < 16 * SPARE_BYTES) return;
    const spare = writer.pragma('freelist_count') * writer.pragma('page_size');
    if (spare > SPARE_BYTES / 2) return;
    writer.inTransaction(() => {
      writer.db.exec(`create table spare (filling blob); insert into spare values (zeroblob(${SPARE_BYTES}))`);
      writer.db.exec('drop table spare');
    });
  }

  /** What became of the files since they were left, if anything did. */
  #harm(): Harm | undefined {
    if (!this.#options.serves || !this.#left) return undefined;
    const [file, log] = this.#left;
    const [fileNow, logNow] = filesOf(this.#path);
    if (!fileNow) return 'removed';
    if (fileNow.ino !== file?.ino) return fileNow.size === 0 ? 'removed' : 'replaced';
    if (fileNow.size < file.size) return 'cut off';
    return isSame(file, fileNow) && isSame(log, logNow) ? undefined : 'changed';
  }

  /** Brings a damaged or harmed file back; whether another attempt may help. */
  #mend(error: unknown): boolean {
    const { folder, longestLeaseMs, notify, serves } = this.#options;
    if (!this.#lock || !serves) return false;
    this.#takeLock();
    try {
      const how = error instanceof FileHarmed ? error.how : 'damaged';
      if (how === 'changed' || (how === 'replaced' && isSoundCopy(this.#path))) {
        // What the files say of leases is not what is known of them.
        this.#closeHarmed();
        notify({ trouble: { code: 'STATE_CHANGED', file: this.#path, how }, leasesLost: true });
        return true;
      }
      if (performance.now() - this.#mendedAt < MEND_MS) return false;
      this.#mendedAt = performance.now();
      // A file whose name is gone is still there for who has it open.
      const source = how === 'removed' || how === 'replaced' ? this.#writer : undefined;
      if (!source) this.#closeWriter();
      const outcome = rebuild({ folder, open: source, longestLeaseMs, now: Date.now() });
      this.#closeWriter();
      notify(outcome);
      this.#triedAt = Number.NEGATIVE_INFINITY;
      return true;
    } catch {
      // What is wrong with the file is reported, not what came of mending it.
      return false;
    }
  }

  /** SQLite leaves its log where the file is another by now, and would take it for the other's; so it would one that others made. */
  #closeHarmed(): void {
    const [file, log] = this.#left ?? [];
    try {
      this.#writer?.db.exec('pragma wal_checkpoint(truncate)');
    } catch {
      // Then what was written ahead is lost, and what is known of leases is written again.
    }
    this.#closeWriter();
    const [fileNow, logNow] = filesOf(this.#path);
    if (!logNow) return;
    if ((logNow.ino === log?.ino) !== (fileNow?.ino === file?.ino)) rmSync(`${this.#path}-wal`, { force: true });
  }

  #hasNoRoom(): boolean {
    try {
      return roomOf(this.#options.folder).free < NO_ROOM;
    } catch {
      return false;
    }
  }

  #closeWriter(): void {
    const closing = this.#writer;
    this.#writer = undefined;
    if (!closing) return;
    try {
      closing.close();
      // In order: SQLite has removed its log itself.
      rmSync(this.#mark, { force: true });
    } catch {
      // A database that cannot be closed in order is let go as it is: what was committed is on disk.
    }
  }

  #tryToWrite(): void {
    const note: Statement = {
      sql: "insert or replace into meta (key, value) values ('written', ?)",
      rows: [[String(Date.now())]],
    };
    try {
      this.answer([note]);
    } catch {
      // It is tried again.
    }
  }

  /** Takes a step of the reserve; whether there is more to take. */
  #takeReserve(): boolean {
    try {
      if (!this.#lock || !this.#options.serves) return false;
      const room = roomOf(this.#options.folder);
      const more = this.#reserve.take(room);
      if (this.#withoutReserve && this.#reserve.size >= reserveOn(room)) {
        this.#withoutReserve = false;
        this.#options.notify({ trouble: { code: 'DISK_HAS_ROOM' } });
      }
      return more;
    } catch {
      // Without it a full disk stops leases sooner, and nothing else is the worse for it.
      return false;
    }
  }

  #broken(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const { message, hint }: Failure = failureOf(error, this.#path);
    const trouble = { code: 'STATE_UNAVAILABLE', message, ...(hint !== '' && { hint }) } as const;
    this.#options.notify({ trouble });
  }

  #well(): void {
    if (!this.#isBroken) return;
    this.#isBroken = false;
    this.#options.notify({ trouble: { code: 'STATE_AVAILABLE', file: this.#path } });
  }
}

type File = { readonly ino: number; readonly size: number; readonly mtimeMs: number };
/** A database and the log that SQLite writes ahead of it. */
type Files = readonly [file: File | undefined, log: File | undefined];

function filesOf(path: string): Files {
  return [statSync(path, { throwIfNoEntry: false }), statSync(`${path}-wal`, { throwIfNoEntry: false })];
}

function isSame(left: File | undefined, now: File | undefined): boolean {
  return left?.ino === now?.ino && left?.size === now?.size && left?.mtimeMs === now?.mtimeMs;
}

/** Whether a file that another program put there can be gone on with. */
function isSoundCopy(path: string): boolean {
  try {
    const copy = openCopy(path);
    try {
      requireSound(copy);
      requireCurrent(copy.db);
      return true;
    } finally {
      copy.close();
    }
  } catch {
    return false;
  }
}

/** A statement that the database itself refuses says nothing about the disk: SQLITE_ERROR, _CONSTRAINT, _MISMATCH, _RANGE. */
function isRefused(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && [1, 19, 20, 25].includes(code & 0xff);
}

/** Larger files are trusted: reading them all would keep nodes waiting. */
const MOST_CHECKED = 64 * MB;

/** Reads all of the file once, so that damage is known before it costs a client its answer. */
function requireSound(writer: DatabaseFile): void {
  if (writer.pragma('page_count') * writer.pragma('page_size') > MOST_CHECKED) return;
  const [first] = writer.db.prepare('pragma quick_check(1)').all();
  const found = Object.values(first ?? {})[0];
  if (found !== 'ok') throw Object.assign(new Error(String(found)), { errcode: 11 });
}
