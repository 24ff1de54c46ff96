import type { FaultSink } from '../faults.ts';
import type { Event, EventSink } from '../model/event.ts';
import { boundedEvent } from './boundedEvent.ts';
import type { EventIds } from './eventIds.ts';

/** Is called with every event, in order. What it throws goes to the bus's `faulted`; the bus and the servers go on. */
export type Listener = (event: Event) => void;

export type BusOptions = {
  /** Says which node an event concerns, since servers that see only an address do not know. */
  readonly identify: (event: Event) => Event;
  readonly faulted: FaultSink;
  readonly ids: EventIds;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
};

/** Listeners may cause events, and those further ones; deeper than this it is a loop of events about failing listeners. */
const DEEPEST = 4;

/**
 * Servers emit happenings here, and listeners are called with them as events. It stamps each happening with the time and an id, has
 * `identify` fill in its node, and cuts what is too long.
 */
export class EventBus {
  readonly #options: BusOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<Listener>();
  #depth = 0;
  #emitted = 0;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** How many events there were. */
  get emitted(): number {
    return this.#emitted;
  }

  /** Never throws. */
  readonly emit: EventSink = (happening, seen) => {
    if (this.#depth >= DEEPEST) return;
    this.#depth++;
    this.#emitted++;
    const at = seen ?? this.#now();
    const event = boundedEvent(this.#identified({ ...happening, at, id: this.#options.ids.next(at) } as Event));
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.faulted(error);
      }
    }
    this.#depth--;
  };

  /** Returns the way to stop listening. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #identified(event: Event): Event {
    try {
      return this.#options.identify(event);
    } catch (error) {
      this.#options.faulted(error);
      return event;
    }
  }
}
