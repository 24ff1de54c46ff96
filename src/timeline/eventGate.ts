import { type FaultSink, guarded } from '../faults.ts';
import type { Event, EventSink } from './event.ts';
import { EventBudget } from './eventBudget.ts';

/** Stands before whatever writes events down: the event log, standard output, syslog and journald. */
export type EventGate = {
  /** Whether the event is to be written; one that is not is counted, and told of as `events.limited`. */
  admit(event: Event): boolean;
  close(): void;
};

const TELL_EVERY_MS = 1000;

/** A gate over the budget of events; `emit` takes what it tells. */
export function openEventGate(emit: EventSink, faulted: FaultSink): EventGate {
  const budget = new EventBudget(performance.now());
  const tell = (): void => {
    for (const happening of budget.takeLimited(performance.now())) emit(happening);
  };
  const timer = setInterval(guarded(faulted, tell), TELL_EVERY_MS).unref();
  return {
    admit: (event) => budget.admit(event, performance.now()),
    close: () => clearInterval(timer),
  };
}
