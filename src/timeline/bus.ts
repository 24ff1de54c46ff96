import type { Event, EventSink, Happening } from './event.ts';

/** Hears every event, in order. What it throws is its own loss: the bus and the servers go on. */
export type Listener = (event: Event) => void;

/** Where servers drop what they saw and whoever wants to know listens. */
export type Bus = {
  readonly emit: EventSink;
  /** Returns the way to stop listening. */
  subscribe(listener: Listener): () => void;
};

/**
 * A bus that stamps each happening with the time and lets `identify` fill in which node it concerns, since servers that
 * see only an address do not know.
 */
export function createBus(identify: (event: Event) => Event, now: () => number = Date.now): Bus {
  const listeners = new Set<Listener>();
  return {
    emit(happening: Happening) {
      const event = identify({ ...happening, at: now() } as Event);
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          process.emitWarning(`a listener failed on ${event.kind}: ${error}`);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
