import type { FaultSink } from '../faults.ts';
import type { Event, EventSink } from '../model/event.ts';
import { boundedEvent } from './boundedEvent.ts';

/** Hears every event, in order. What it throws goes to the bus's `faulted`; the bus and the servers go on. */
export type Listener = (event: Event) => void;

/** Where servers drop what they saw and whoever listens hears it. */
export type Bus = {
  readonly emit: EventSink;
  /** Returns the way to stop listening. */
  subscribe(listener: Listener): () => void;
};

export type BusOptions = {
  /** Says which node an event concerns, since servers that see only an address do not know. */
  readonly identify: (event: Event) => Event;
  readonly faulted: FaultSink;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
};

/** Listeners may cause events, those others; deeper than this it is a loop of events that tell of failing listeners. */
const DEEPEST = 4;

/** A bus that stamps each happening with the time, has `identify` fill in its node, and cuts what is too long. `emit` never throws. */
export function createBus({ identify, faulted, now = Date.now }: BusOptions): Bus {
  const listeners = new Set<Listener>();

  let depth = 0;

  const identified = (event: Event): Event => {
    try {
      return identify(event);
    } catch (error) {
      faulted(error);
      return event;
    }
  };

  return {
    emit(happening) {
      if (depth >= DEEPEST) return;
      depth++;
      const event = boundedEvent(identified({ ...happening, at: now() } as Event));
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          faulted(error);
        }
      }
      depth--;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
