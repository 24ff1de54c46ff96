import { type FaultSink, guarded } from '../faults.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { Lease } from '../model/lease.ts';
import type { LeaseStore } from './leaseStore.ts';

/** What becomes of a lease on its way to disk: one of these is called, once. */
export type LeaseOutcome = {
  readonly saved: () => void;
  /** Another server has lent the address; `by` is its lease. */
  readonly taken: (by: Lease) => void;
  /** The disk has not taken it. */
  readonly lost: (error: unknown) => void;
};

type Waiting = LeaseOutcome & { readonly lease: Lease };

/** More than this waiting for the disk are refused: their clients ask again, and memory stays bounded. */
const MOST_WAITING = 8192;

/**
 * Leases on their way to disk, in groups: while one group is written, the next collects. Under load a group is large
 * and one flush of the disk serves many clients. What a callback throws goes to `faulted` and holds up nothing.
 */
export class LeaseJournal {
  readonly #commit: GroupCommit<readonly Waiting[], readonly Lease[]>;
  #waiting: Waiting[] = [];

  constructor(store: Pick<LeaseStore, 'commit'>, faulted: FaultSink) {
    this.#commit = new GroupCommit({
      take: () => this.#take(),
      write: (group) => store.commit(group.map(({ lease }) => lease)),
      written: (group, others) => {
        const byIp = new Map(others.map((other) => [other.ip, other]));
        for (const { lease, saved, taken } of group) {
          const other = byIp.get(lease.ip);
          if (!other || other.mac === lease.mac) guarded(faulted, saved)();
          else guarded(faulted, taken)(other);
        }
      },
      lost: (group, error) => {
        for (const { lost } of group.toReversed()) guarded(faulted, lost)(error);
        return true;
      },
    });
  }

  /** When the group began that is being written now, on the clock of `performance.now`. */
  get since(): number | undefined {
    return this.#commit.since;
  }

  /** Takes a lease; `false` if too many wait already, and then no callback is called. */
  add(lease: Lease, outcome: LeaseOutcome): boolean {
    if (this.#waiting.length >= MOST_WAITING) return false;
    this.#waiting.push({ lease, ...outcome });
    void this.#commit.run();
    return true;
  }

  /** Settles when nothing waits any more. */
  async drain(): Promise<void> {
    await this.#commit.run();
  }

  #take(): readonly Waiting[] | undefined {
    if (this.#waiting.length === 0) return undefined;
    const group = this.#waiting;
    this.#waiting = [];
    return group;
  }
}
