import type { EventSink } from '../model/event.ts';
import type { Seen } from './messages.ts';

/** This many may be on their way. Beyond them events are dropped and counted: a busy receiver must not make memory grow. */
const MOST_UNDERWAY = 50_000;

/** How long events collect: under load a message to each turn of the event loop costs both threads more than the events in it. */
const COLLECT_MS = 5;

/**
 * Events on their way to another thread: those of a few milliseconds go in one message. The receiver counts what it has taken in a memory
 * that both share.
 */
export class EventBatches {
  readonly #send: (events: readonly Seen[]) => void;
  readonly #taken: Int32Array;
  readonly #most: number;
  #batch: Seen[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;
  #dropped = 0;

  constructor(taken: SharedArrayBuffer, send: (events: readonly Seen[]) => void, most = MOST_UNDERWAY) {
    this.#taken = new Int32Array(taken);
    this.#send = send;
    this.#most = most;
  }

  /** How many were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  readonly add: EventSink = (happening, at = Date.now()) => {
    // Both counts wrap at 32 bits; their difference does not.
    const underway = (this.#sent + this.#batch.length - Atomics.load(this.#taken, 0)) | 0;
    if (underway >= this.#most) this.#dropped++;
    else if (this.#batch.push({ happening, at }) === 1) this.#timer ??= setTimeout(() => this.flush(), COLLECT_MS);
  };

  /** Sends what has come so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.length === 0) return;
    const events = this.#batch;
    this.#batch = [];
    this.#sent = (this.#sent + events.length) | 0;
    this.#send(events);
  }
}

/** The memory in which a receiver counts. */
export function newTaken(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** Notes that so many events were taken in. */
export function noteTaken(taken: SharedArrayBuffer, count: number): void {
  Atomics.add(new Int32Array(taken), 0, count);
}
