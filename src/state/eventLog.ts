import { type FaultSink, guarded } from '../faults.ts';
import type { Event } from '../model/event.ts';
import type { EventStore } from '../timeline/eventStore.ts';
import { Tally } from '../timeline/tally.ts';

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
  /** Called at most once a minute with how many events were given up because the disk did not take them in time. */
  readonly onDropped?: (count: number) => void;
  /** Most events that wait for the disk. */
  readonly capacity?: number;
  /** Most text that waits with them, in UTF-16 code units. */
  readonly capacityOfText?: number;
  readonly faulted?: FaultSink;
};

const GATHER_MS = 200;
const RETRY_MS = 2000;
/** One transaction: a few milliseconds of the event loop, and of the disk. */
const BATCH = 500;
const BATCH_TEXT = 512 * 1024;

/** Opens a log that saves to `store` in batches. */
export function openEventLog(store: Pick<EventStore, 'save'>, options: EventLogOptions = {}): EventLog {
  const { onDropped = () => {}, capacity = 4096, capacityOfText = 8 * 1024 * 1024, faulted = () => {} } = options;
  const dropped = new Tally((count) => onDropped(count));
  let waiting: Event[] = [];
  let text = 0;
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<boolean> | undefined;
  let closed = false;

  const wakeIn = (ms: number): void => {
    if (timer || closed) return;
    timer = setTimeout(
      guarded(faulted, () => {
        timer = undefined;
        void save();
      }),
      ms,
    );
    timer.unref();
  };

  const takeBatch = (): Event[] => {
    let length = 0;
    let size = 0;
    for (const event of waiting) {
      size += textOf(event);
      if (length > 0 && (length >= BATCH || size > BATCH_TEXT)) break;
      length++;
    }
    const batch = waiting.slice(0, length);
    waiting = waiting.slice(length);
    return batch;
  };

  /** Saves batch by batch until none waits; false as soon as one fails, which then waits for the next time. */
  const saveAll = async (): Promise<boolean> => {
    while (waiting.length > 0) {
      const batch = takeBatch();
      try {
        await store.save(batch);
        text -= sum(batch);
      } catch {
        waiting = batch.concat(waiting);
        makeRoom();
        return false;
      }
    }
    return true;
  };

  const save = (): Promise<boolean> => {
    saving ??= saveAll().then((saved) => {
      saving = undefined;
      if (!saved) wakeIn(RETRY_MS);
      return saved;
    });
    return saving;
  };

  /** Gives up an eighth more than must go, so that a full log is not sorted through for each event. */
  const makeRoom = (): void => {
    while (waiting.length > 0 && (waiting.length > capacity || text > capacityOfText)) {
      const before = waiting.length;
      waiting = withoutOldest(waiting, Math.max(before - capacity, 0) + Math.ceil(Math.min(before, capacity) / 8));
      text = sum(waiting);
      dropped.note('', before - waiting.length);
    }
  };

  return {
    append(event) {
      if (closed) return;
      waiting.push(event);
      text += textOf(event);
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
      dropped.close();
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

const sum = (events: readonly Event[]): number => events.reduce((so, event) => so + textOf(event), 0);

/** About how long an event is. */
function textOf(event: Event): number {
  let length = 100;
  for (const value of Object.values(event)) if (typeof value === 'string') length += value.length;
  return length;
}
