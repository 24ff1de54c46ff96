import { type FaultSink, guarded } from '../faults.ts';
import type { EventBus, Listener } from './bus.ts';
import { EventBudget } from './eventBudget.ts';

const REPORT_EVERY_MS = 1000;

/**
 * Filters the events of the bus before they are written to the event log, standard output, syslog and journald. Events that the budget
 * does not admit are counted, and reported as `events.limited`.
 */
export class EventGate {
  readonly #bus: Pick<EventBus, 'emit' | 'subscribe'>;
  readonly #faulted: FaultSink;
  readonly #budget = new EventBudget(performance.now());
  readonly #listeners = new Set<Listener>();
  readonly #stop: () => void;
  readonly #timer: NodeJS.Timeout;
  #admitted = 0;
  #limited = 0;

  constructor(bus: Pick<EventBus, 'emit' | 'subscribe'>, faulted: FaultSink) {
    this.#bus = bus;
    this.#faulted = faulted;
    this.#stop = bus.subscribe((event) => this.#hear(event));
    this.#timer = setInterval(
      guarded(faulted, () => this.#report()),
      REPORT_EVERY_MS,
    ).unref();
  }

  /** Events since the start that the budget let pass, and those that it did not. */
  gauges(): { readonly admitted: number; readonly limited: number } {
    return { admitted: this.#admitted, limited: this.#limited };
  }

  /** Is called with the events that the budget admits. Returns the way to stop listening. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stop();
  }

  #hear(event: Parameters<Listener>[0]): void {
    if (!this.#budget.admit(event, performance.now())) {
      this.#limited++;
      return;
    }
    this.#admitted++;
    for (const listener of this.#listeners) guarded(this.#faulted, listener)(event);
  }

  #report(): void {
    for (const happening of this.#budget.takeLimited(performance.now())) this.#bus.emit(happening);
  }
}
