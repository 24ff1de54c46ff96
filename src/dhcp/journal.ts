import { type FaultSink, guarded } from '../faults.ts';
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
  readonly #store: Pick<LeaseStore, 'commit'>;
  readonly #faulted: FaultSink;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #since: number | undefined;

  constructor(store: Pick<LeaseStore, 'commit'>, faulted: FaultSink) {
    this.#store = store;
    this.#faulted = faulted;
  }

  /** When the group began that is being written now, on the clock of `performance.now`. */
  get since(): number | undefined {
    return this.#since;
  }

  /** Takes a lease; `false` if too many wait already, and then neither callback is called. */
  add(lease: Lease, saved: () => void, lost: (error: unknown) => void): boolean {
    if (this.#waiting.length >= MOST_WAITING) return false;
    this.#waiting.push({ lease, saved, lost });
    this.#writing ??= this.#writeAll();
    return true;
  }

  /** Settles when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // The requests that arrived together go to disk together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      this.#since = performance.now();
      const failure = await this.#write(group);
      this.#since = undefined;
      if (!failure) for (const { saved } of group) guarded(this.#faulted, saved)();
      else for (const { lost } of group.reverse()) guarded(this.#faulted, lost)(failure.error);
    }
    this.#writing = undefined;
  }

  async #write(group: readonly Waiting[]): Promise<{ readonly error: unknown } | undefined> {
    try {
      await this.#store.commit(group.map(({ lease }) => lease));
      return undefined;
    } catch (error) {
      return { error };
    }
  }
}
