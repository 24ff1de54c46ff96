import type { EventSink } from '../model/event.ts';
import type { Seen } from './messages.ts';

/** This many may be on their way. Beyond them events are dropped and counted: a busy receiver must not make memory grow. */
const MOST_UNDERWAY = 50_000;

/**
 * Events on their way to another thread: those of one turn of the event loop go in one message. The receiver counts what it has taken in
 * a memory that both share.
 */
export class EventBatches {
  readonly #send: (events: readonly Seen[]) => void;
  readonly #taken: Int32Array;
  readonly #most: number;
  #batch: Seen[] = [];
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
    else if (this.#batch.push({ happening, at }) === 1) setImmediate(() => this.flush());
  };

  /** Sends what has come so far. */
  flush(): void {
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
