import type { Event } from '../timeline/event.ts';
import type { EventsKept, Store } from './store.ts';

/** Where events wait for the disk. Neither appending nor a broken disk ever holds a server up. */
export type EventLog = {
  /** Takes an event to be saved within about 200 ms. Never throws and never waits. */
  append(event: Event): void;
  /** Settles when all that was appended is saved, or once saving has failed. Never rejects. */
  flush(): Promise<void>;
  /** Saves what it can, and takes no more. Does not close the store. */
  close(): Promise<void>;
};

export type EventLogOptions = {
  /** Told how many events were given up because the disk did not take them in time. */
  readonly onDropped?: (count: number) => void;
  /** Most events that wait for the disk. */
  readonly capacity?: number;
  readonly keep?: EventsKept;
};

const GATHER_MS = 200;
const RETRY_MS = 2000;
const BATCH = 1000;
const PRUNE_EVERY = 5000;

/** Opens a log that saves to `store` in batches and has it forget old events now and then. */
export function openEventLog(store: Store, options: EventLogOptions = {}): EventLog {
  const { onDropped = () => {}, capacity = 4096, keep = { perNode: 1000, total: 100_000 } } = options;
  let waiting: Event[] = [];
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<boolean> | undefined;
  let savedSincePrune = 0;
  let closed = false;

  const wakeIn = (ms: number): void => {
    if (timer || closed) return;
    timer = setTimeout(() => {
      timer = undefined;
      void save();
    }, ms);
    timer.unref();
  };

  /** Saves batch by batch until none waits; false as soon as one fails, which then waits for the next time. */
  const saveAll = async (): Promise<boolean> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      waiting = waiting.slice(batch.length);
      try {
        await store.saveEvents(batch);
      } catch {
        waiting = batch.concat(waiting);
        makeRoom();
        return false;
      }
      savedSincePrune += batch.length;
    }
    return true;
  };

  const prune = async (): Promise<void> => {
    if (savedSincePrune < PRUNE_EVERY) return;
    savedSincePrune = 0;
    // Failing to forget harms nothing: the next time does it.
    await store.pruneEvents(keep).catch(() => {});
  };

  const save = (): Promise<boolean> => {
    saving ??= saveAll().then((saved) => {
      saving = undefined;
      if (!saved) wakeIn(RETRY_MS);
      void prune();
      return saved;
    });
    return saving;
  };

  /** Gives up an eighth more than must go, so that a full log is not sorted through for each event. */
  const makeRoom = (): void => {
    if (waiting.length <= capacity) return;
    const before = waiting.length;
    waiting = withoutOldest(waiting, before - capacity + (capacity >>> 3));
    onDropped(before - waiting.length);
  };

  return {
    append(event) {
      if (closed) return;
      waiting.push(event);
      makeRoom();
      wakeIn(GATHER_MS);
    },
    async flush() {
      // The first may have begun before the last event came.
      if (await save()) await save();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      timer = undefined;
      if (await save()) await save();
    },
  };
}

/** `events` without the `count` oldest that are no node's; where there are not so many, without the oldest of all. */
export function withoutOldest(events: readonly Event[], count: number): Event[] {
  let left = count;
  const kept = events.filter((event) => {
    if (left === 0 || event.node !== undefined) return true;
    left--;
    return false;
  });
  return kept.slice(left);
}
