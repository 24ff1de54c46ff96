import { type FaultSink, guarded } from '../faults.ts';
import { GroupCommit } from '../groupCommit.ts';
import type { Event } from '../model/event.ts';
import type { EventStore } from '../timeline/eventStore.ts';
import { Tally } from '../timeline/tally.ts';

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

/** Where events wait for the disk, to be saved in batches. Neither appending nor a broken disk ever holds a server up. */
export class EventLog {
  readonly #capacity: number;
  readonly #capacityOfText: number;
  readonly #faulted: FaultSink;
  readonly #dropped: Tally;
  readonly #commit: GroupCommit<readonly Event[]>;
  #waiting: Event[] = [];
  /** About how much text waits. */
  #text = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #saved = 0;
  #droppedInAll = 0;

  constructor(store: Pick<EventStore, 'save'>, options: EventLogOptions = {}) {
    const { onDropped = () => {}, capacity = 4096, capacityOfText = 8 * 1024 * 1024, faulted = () => {} } = options;
    this.#capacity = capacity;
    this.#capacityOfText = capacityOfText;
    this.#faulted = faulted;
    this.#dropped = new Tally((count) => onDropped(count));
    this.#commit = new GroupCommit({
      take: () => this.#takeBatch(),
      write: (batch) => store.save(batch),
      written: (batch) => {
        this.#saved += batch.length;
      },
      lost: (batch) => {
        this.#waiting = [...batch, ...this.#waiting];
        this.#text += sum(batch);
        this.#makeRoom();
        this.#wakeIn(RETRY_MS);
        return false;
      },
    });
  }

  /** Events since the start that were saved, and that were given up; those that wait now. */
  gauges(): { readonly saved: number; readonly dropped: number; readonly waiting: number } {
    return { saved: this.#saved, dropped: this.#droppedInAll, waiting: this.#waiting.length };
  }

  /** Takes an event to be saved within about 200 ms. Never throws and never waits. */
  append(event: Event): void {
    if (this.#closed) return;
    this.#waiting.push(event);
    this.#text += textOf(event);
    this.#makeRoom();
    this.#wakeIn(GATHER_MS);
  }

  /** Settles when all that was appended is saved, or once saving has failed. Never rejects. */
  async flush(): Promise<void> {
    await this.#commit.run();
  }

  /** Saves what it can, and takes no more. Does not close the store. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#commit.run();
    this.#dropped.close();
  }

  #wakeIn(ms: number): void {
    if (this.#timer || this.#closed) return;
    const wake = (): void => {
      this.#timer = undefined;
      void this.#commit.run();
    };
    this.#timer = setTimeout(guarded(this.#faulted, wake), ms).unref();
  }

  #takeBatch(): readonly Event[] | undefined {
    let length = 0;
    let size = 0;
    for (const event of this.#waiting) {
      size += textOf(event);
      if (length > 0 && (length >= BATCH || size > BATCH_TEXT)) break;
      length++;
    }
    const batch = this.#waiting.slice(0, length);
    this.#waiting = this.#waiting.slice(length);
    this.#text -= sum(batch);
    return length > 0 ? batch : undefined;
  }

  /** Gives up an eighth more than must go, so that a full log is not sorted through for each event. */
  #makeRoom(): void {
    const capacity = this.#capacity;
    while (this.#waiting.length > 0 && (this.#waiting.length > capacity || this.#text > this.#capacityOfText)) {
      const before = this.#waiting.length;
      const excess = Math.max(before - capacity, 0);
      this.#waiting = withoutOldest(this.#waiting, excess + Math.ceil(Math.min(before, capacity) / 8));
      this.#text = sum(this.#waiting);
      this.#droppedInAll += before - this.#waiting.length;
      this.#dropped.note('', before - this.#waiting.length);
    }
  }
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
