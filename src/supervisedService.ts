import { type FaultSink, guarded } from './faults.ts';
import type { Gauges } from './model/gauges.ts';
import type { Running, Service } from './service.ts';

/** A service is started anew at most once in this time; one that fails sooner goes on as it is until then. */
const RESTART_EVERY_MS = 30_000;
/** A service that does not start is tried again after so long. */
const RETRY_MS = 1000;
/** How long a faulty service may take to stop before the next one starts beside it. */
const STOP_MS = 5000;

export type SupervisedOptions<T extends Running> = {
  readonly name: string;
  /** Starts it, in an asynchronous context of its own. */
  readonly start: () => Promise<T>;
  /** Takes in its exceptions, those of a start included. */
  readonly faulted: FaultSink;
  /** It was started anew. */
  readonly restarted: () => void;
  /** Runs work outside of the service's context: a mistake in the supervision is not the service's. */
  readonly outside: (work: () => void) => void;
};

/** A service that is started anew after an exception which reached the event loop. */
export class SupervisedService<T extends Running> implements Service<T> {
  readonly name: string;
  readonly #options: SupervisedOptions<T>;
  #running: T | undefined;
  #isStarting = false;
  #restarting: Promise<void> | undefined;
  #restartedAt = Number.NEGATIVE_INFINITY;
  #later: NodeJS.Timeout | undefined;
  #restarts = 0;
  #closed = false;

  constructor(options: SupervisedOptions<T>) {
    this.name = options.name;
    this.#options = options;
  }

  get running(): T | undefined {
    return this.#running;
  }

  /** The first start. Rejects as that does. */
  async start(): Promise<void> {
    this.#running = await this.#begin();
  }

  async reload(): Promise<void> {
    await this.#running?.reload?.();
  }

  gauges(): Gauges {
    return { ...this.#running?.gauges?.(), restarts: this.#restarts };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#later);
    await this.#restarting;
    await this.#running?.close();
    this.#running = undefined;
  }

  /** An exception of the service reached the event loop. */
  uncaught(): void {
    // What fails while it stops is of no use any more; what fails as it starts may be broken from then on.
    if (this.#closed || this.#later || !(this.#running || this.#isStarting)) return;
    const ms = this.#isStarting ? RESTART_EVERY_MS : this.#restartedAt + RESTART_EVERY_MS - performance.now();
    this.#options.outside(() => {
      if (ms <= 0) this.#restartNow();
      else
        this.#later = setTimeout(
          guarded(this.#options.faulted, () => this.#restartNow()),
          ms,
        ).unref();
    });
  }

  async #begin(): Promise<T> {
    this.#isStarting = true;
    try {
      return await this.#options.start();
    } finally {
      this.#isStarting = false;
    }
  }

  #restartNow(): void {
    this.#later = undefined;
    if (this.#closed || this.#restarting || !this.#running) return;
    this.#restartedAt = performance.now();
    this.#restarting = this.#restart().finally(() => {
      this.#restarting = undefined;
    });
  }

  async #restart(): Promise<void> {
    const { faulted, restarted } = this.#options;
    const before = this.#running;
    this.#running = undefined;
    if (before) await stopped(before, faulted);
    while (!this.#closed) {
      try {
        this.#running = await this.#begin();
        this.#restarts++;
        restarted();
        return;
      } catch (error) {
        faulted(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

/** Settles when a service has stopped, or does not stop in time. */
async function stopped(service: Running, faulted: FaultSink): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(guarded(faulted, resolve), STOP_MS);
  });
  await Promise.race([service.close().catch(faulted), late]);
  clearTimeout(timer);
}
