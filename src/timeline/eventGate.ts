import { type FaultSink, guarded } from '../faults.ts';
import type { Bus, Listener } from './bus.ts';
import { EventBudget } from './eventBudget.ts';

/** Stands between the bus and whatever writes events down: the event log, standard output, syslog and journald. */
export type EventGate = {
  /** Hears the events that the budget admits. Returns the way to stop listening. */
  subscribe(listener: Listener): () => void;
  close(): void;
};

const TELL_EVERY_MS = 1000;

/** A gate behind `bus`. Events that the budget does not admit are counted, and reported as `events.limited`. */
export function openEventGate(bus: Bus, faulted: FaultSink): EventGate {
  const budget = new EventBudget(performance.now());
  const listeners = new Set<Listener>();
  const stop = bus.subscribe((event) => {
    if (!budget.admit(event, performance.now())) return;
    for (const listener of listeners) guarded(faulted, listener)(event);
  });
  const tell = (): void => {
    for (const happening of budget.takeLimited(performance.now())) bus.emit(happening);
  };
  const timer = setInterval(guarded(faulted, tell), TELL_EVERY_MS).unref();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearInterval(timer);
      stop();
    },
  };
}
