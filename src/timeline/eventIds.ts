/** Ids of one millisecond: more events than that in it take those of the next. */
const IDS_PER_MS = 1000;
/** Later than this an id would be no safe integer: such a clock is wrong. */
const LATEST_MS = 8_000_000_000_000;

/**
 * Numbers events: each id is greater than all before it, those of earlier runs of the server included. An id begins with the time, so
 * that events can be numbered before the state can be read; where the clock was set back, ids go on from the last one.
 */
export class EventIds {
  #last: number = Number.MIN_SAFE_INTEGER;

  /** Takes in the last id of the events that are kept. */
  startAfter(id: number): void {
    this.#last = Math.max(this.#last, id);
  }

  /** The id of the next event; `now` is in milliseconds since the epoch. */
  next(now: number): number {
    this.#last = Math.max(this.#last + 1, first(now));
    return this.#last;
  }

  /** Whether an event may have had this id: no later event has a lower one. */
  mayBePast(id: number, now: number): boolean {
    return id <= Math.max(this.#last, first(now));
  }
}

function first(now: number): number {
  return Math.min(now, LATEST_MS) * IDS_PER_MS;
}
