import { type ErrorCode, troubleOf } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Refusal } from '../model/refusal.ts';
import { Tally } from '../timeline/tally.ts';
import type { LeaseBook } from './book.ts';
import { readAt, type SteadyClock, shifted } from './clock.ts';
import { LeaseJournal, type LeaseOutcome } from './journal.ts';
import type { LeaseStore } from './leaseStore.ts';
import type { DhcpSite } from './site.ts';

export type RecordsOptions = {
  readonly store: LeaseStore;
  readonly book: LeaseBook;
  readonly clock: SteadyClock;
  /** Must not throw. */
  readonly emit: EventSink;
  readonly faulted: FaultSink;
  /** Called when the wall clock was set: the times of all leases by it are others. Must not throw. */
  readonly stepped?: () => void;
  /** Called when the leases on disk have come to be known. Must not throw. */
  readonly loaded: () => void;
};

/** How long an answer about a node's own address waits for the disk. */
export const PATIENCE_MS = 250;
/** What could not be read or written is tried again after so long. */
const RETRY_MS = 5000;
/** How long the start waits for the leases on disk before nodes with addresses of their own are served without. */
const LOAD_MS = 2000;
/** How long the end waits for leases that are on their way to disk. */
const CLOSE_MS = 3000;
/** How often the wall clock is looked at where no request comes. */
const LOOK_MS = 10_000;
/** Records that are written anew at once, so that new leases need not wait long behind them. */
const MENDED_AT_ONCE = 1000;

/**
 * The lease book and its records on disk. The address of a pool is a client's once its lease is on disk; what a node has already
 * is safe without a record, and waits for the disk no longer than it must. What the disk did not take of the
 * latter, and leases whose times changed with the wall clock or whose network has another name, are written as soon as it can.
 */
export class LeaseRecords {
  readonly #options: RecordsOptions;
  readonly #journal: LeaseJournal;
  readonly #trouble: Tally;
  #code: ErrorCode = 'SERVER_FAILED';
  #isLoaded = false;
  #closed = false;
  /** Whether the disk refused what it was last given, or takes longer for it than a client can wait. */
  #failing = false;
  #isSlow = false;
  /** Addresses whose lease is not on disk as it is in the book. */
  readonly #unsaved = new Set<Ipv4>();
  /** How many leases of an address are on their way to disk. */
  readonly #onTheWay = new Map<Ipv4, number>();
  /** What the wall clock was ahead when the group that is being written was given to the store. */
  #writtenAhead = 0;
  #isMending = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #looking: NodeJS.Timeout;

  constructor(options: RecordsOptions) {
    const { store, clock, faulted, emit } = options;
    this.#options = options;
    const commit = (leases: readonly Lease[]): Promise<readonly Lease[]> => {
      this.#writtenAhead = clock.offset;
      return store.commit(leases.map((lease) => shifted(lease, clock.offset)));
    };
    this.#journal = new LeaseJournal({ commit }, faulted);
    this.#trouble = new Tally((count, words) =>
      emit({ kind: 'server.trouble', code: this.#code, message: count > 1 ? `${words} (${count} times)` : words }),
    );
    this.#looking = setInterval(
      guarded(faulted, () => this.now()),
      LOOK_MS,
    ).unref();
  }

  /** Whether the leases on disk are known: before that no address of a pool may be given away. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The time on the book's clock. A wall clock that was set since is noticed here. */
  now(): number {
    const { clock, book, emit } = this.#options;
    const steppedMs = clock.step();
    const now = clock.now();
    if (steppedMs !== 0) {
      for (const { ip, expires } of book.leases()) if (expires > now) this.#unsaved.add(ip);
      emit({ kind: 'server.clock', steppedMs });
      this.#options.stepped?.();
      this.#mend();
    }
    return now;
  }

  /** Reads the leases on disk. Resolves when they are known, or when waiting for them would keep nodes waiting. Never rejects. */
  async start(): Promise<void> {
    const tried = Promise.withResolvers<void>();
    void this.#load(tried.resolve);
    await atMost(LOAD_MS, tried.promise);
  }

  /** Reads until it succeeds; `tried` is called after the first attempt. */
  async #load(tried: () => void): Promise<void> {
    const { store, book, faulted, loaded } = this.#options;
    while (!this.#closed) {
      try {
        const leases = await store.load();
        if (this.#closed) return;
        const { clock } = this.#options;
        const wall = this.now() + clock.offset;
        this.#rewrite(book.load(leases.map((lease) => shifted(readAt(lease, wall), -clock.offset))));
        this.#isLoaded = true;
        guarded(faulted, loaded)();
        return;
      } catch (error) {
        guarded(faulted, () => this.#failed('the leases of the state are not known', error))();
      } finally {
        tried();
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }

  /** Has the book take over a site. Records of leases that belong to another network than before are written anew. */
  configure(site: DhcpSite): void {
    this.#rewrite(this.#options.book.configure(site));
  }

  #rewrite(addresses: readonly Ipv4[]): void {
    if (addresses.length === 0) return;
    for (const ip of addresses) this.#unsaved.add(ip);
    this.#mend();
  }

  /** Takes a lease of a pool; `saved` is called when it is on disk, else `refused`, and the book is as it was. */
  save(lease: Lease, saved: () => void, refused: (refusal: Refusal) => void): void {
    const undo = this.#options.book.put(lease);
    const taken = (by: Lease): void => {
      undo();
      this.#adopt(by, lease);
      refused({ code: 'address-taken' });
    };
    const lost = (): void => {
      undo();
      refused({ code: 'lease-unsaved' });
    };
    if (this.#write(lease, { saved, taken, lost })) return;
    undo();
    refused({ code: 'leases-waiting' });
  }

  /**
   * Takes a lease that is safe without a record; `then` is called when it is on disk, or without that when waiting any longer is of no use.
   * It is not called where another server has lent the address meanwhile.
   */
  keep(lease: Lease, then: () => void): void {
    this.#options.book.put(lease);
    let timer: NodeJS.Timeout | undefined;
    let isDone = false;
    const done = (): void => {
      clearTimeout(timer);
      if (isDone) return;
      isDone = true;
      then();
    };
    const unsaved = (): void => {
      this.#leaveUnsaved(lease.ip);
      done();
    };
    const taken = (by: Lease): void => {
      clearTimeout(timer);
      isDone = true;
      this.#adopt(by, lease);
    };
    if (this.#isStuck() || !this.#write(lease, { saved: done, taken, lost: unsaved })) unsaved();
    else {
      const late = (): void => {
        this.#isSlow = true;
        done();
      };
      timer = setTimeout(guarded(this.#options.faulted, late), PATIENCE_MS);
    }
  }

  /** Whether a lease given to the disk now would wait longer than a client may. */
  #isStuck(): boolean {
    const { since } = this.#journal;
    return this.#failing || this.#isSlow || (since !== undefined && performance.now() - since > PATIENCE_MS);
  }

  /** Takes over another server's lease of the address of `lease`, with its times by the book's clock. */
  #adopt(by: Lease, { ip, network }: Lease): void {
    const { clock, book } = this.#options;
    const wall = clock.now() + clock.offset;
    this.#unsaved.delete(ip);
    book.put({ ...shifted(readAt(by, wall), -clock.offset), network });
  }

  /** `false` if too many wait already, and then none is called. */
  #write(lease: Lease, { saved, taken, lost }: LeaseOutcome): boolean {
    const { ip } = lease;
    const queued = this.#journal.add(lease, {
      saved: () => {
        this.#arrived(ip);
        this.#failing = false;
        this.#isSlow = false;
        if (this.#writtenAhead !== this.#options.clock.offset) this.#unsaved.add(ip);
        else if (this.#options.book.leaseAt(ip) === lease) this.#unsaved.delete(ip);
        this.#mend();
        saved();
      },
      taken: (by) => {
        this.#arrived(ip);
        this.#failing = false;
        this.#isSlow = false;
        taken(by);
        this.#mend();
      },
      lost: (error) => {
        this.#arrived(ip);
        // Once for a group: the first of it comes upon a disk that was well.
        if (!this.#failing) this.#failed('leases could not be saved', error);
        this.#failing = true;
        this.#isSlow = false;
        this.#retryLater();
        lost(error);
      },
    });
    if (queued) this.#onTheWay.set(ip, (this.#onTheWay.get(ip) ?? 0) + 1);
    return queued;
  }

  #arrived(ip: Ipv4): void {
    const left = (this.#onTheWay.get(ip) ?? 1) - 1;
    if (left > 0) this.#onTheWay.set(ip, left);
    else this.#onTheWay.delete(ip);
  }

  #leaveUnsaved(ip: Ipv4): void {
    this.#unsaved.add(ip);
    this.#retryLater();
  }

  #failed(what: string, error: unknown): void {
    const { code, message } = troubleOf(error);
    this.#code = code;
    this.#trouble.note(`${what}: ${message}`);
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retry ??= setTimeout(
      guarded(this.#options.faulted, () => {
        this.#retry = undefined;
        this.#mend(true);
        if (this.#unsaved.size > 0) this.#retryLater();
      }),
      RETRY_MS,
    ).unref();
  }

  /** Writes what is not on disk, some at a time. `anew`: although the disk refused what it was last given. */
  #mend(anew = false): void {
    if (this.#unsaved.size === 0 || this.#isMending || this.#closed || (this.#failing && !anew)) return;
    const leases: Lease[] = [];
    for (const ip of this.#unsaved) {
      if (leases.length === MENDED_AT_ONCE) break;
      if (this.#onTheWay.has(ip)) continue;
      const lease = this.#options.book.leaseAt(ip);
      if (lease) leases.push(lease);
      else this.#unsaved.delete(ip);
    }
    let left = leases.length;
    const settled = (): void => {
      this.#isMending = --left > 0;
      if (!this.#isMending) this.#mend();
    };
    for (const lease of leases) {
      const taken = (by: Lease): void => {
        this.#adopt(by, lease);
        settled();
      };
      if (!this.#write(lease, { saved: settled, taken, lost: settled })) left--;
    }
    this.#isMending = left > 0;
    if (leases.length > 0 && left === 0) this.#retryLater();
  }

  /** Settles when what is on its way is on disk, or the disk does not take it. Nothing may be saved afterwards. */
  async close(): Promise<void> {
    this.now();
    this.#mend(true);
    await atMost(CLOSE_MS, this.#journal.drain());
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#looking);
    this.#trouble.close();
  }
}

/** Settles with the work, after `ms` milliseconds at the latest. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
