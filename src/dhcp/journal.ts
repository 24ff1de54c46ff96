import type { Lease, LeaseStore } from './lease.ts';

/** What waits for a lease to be on disk: `saved` or `lost` is called once; neither may throw. */
type Waiting = { readonly lease: Lease; readonly saved: () => void; readonly lost: (error: unknown) => void };

/** More than this waiting for the disk are refused: their clients ask again, and memory stays bounded. */
const MOST_WAITING = 8192;

/**
 * Leases on their way to disk, in groups: while one group is written, the next collects. Under load a group is large
 * and one flush of the disk serves many clients.
 */
export class LeaseJournal {
  readonly #store: LeaseStore;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(store: LeaseStore) {
    this.#store = store;
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
      const failure = await this.#write(group);
      if (!failure) for (const { saved } of group) saved();
      else for (const { lost } of group.reverse()) lost(failure.error);
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
