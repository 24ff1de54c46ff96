import { type FaultSink, guarded } from '../faults.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { Lease } from '../model/lease.ts';
import type { LeaseStore } from './leaseStore.ts';

/** What waits for a lease to be on disk: `saved` or `lost` is called once. */
type Waiting = { readonly lease: Lease; readonly saved: () => void; readonly lost: (error: unknown) => void };

/** More than this waiting for the disk are refused: their clients ask again, and memory stays bounded. */
const MOST_WAITING = 8192;

/**
 * Leases on their way to disk, in groups: while one group is written, the next collects. Under load a group is large
 * and one flush of the disk serves many clients. What a callback throws goes to `faulted` and holds up nothing.
 */
export class LeaseJournal {
  readonly #commit: GroupCommit<readonly Waiting[]>;
  #waiting: Waiting[] = [];

  constructor(store: Pick<LeaseStore, 'commit'>, faulted: FaultSink) {
    this.#commit = new GroupCommit({
      take: () => this.#take(),
      write: (group) => store.commit(group.map(({ lease }) => lease)),
      written: (group) => {
        for (const { saved } of group) guarded(faulted, saved)();
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

  /** Takes a lease; `false` if too many wait already, and then neither callback is called. */
  add(lease: Lease, saved: () => void, lost: (error: unknown) => void): boolean {
    if (this.#waiting.length >= MOST_WAITING) return false;
    this.#waiting.push({ lease, saved, lost });
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
