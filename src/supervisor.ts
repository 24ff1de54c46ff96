import { AsyncLocalStorage } from 'node:async_hooks';
import { type FaultSink, guarded } from './faults.ts';
import type { EventSink } from './model/event.ts';

/** What runs and can be stopped. */
export type Running = { close(): Promise<void> };

/** One service: `running` is the current instance; absent while it is being restarted. */
export type Service<T extends Running> = {
  readonly running: T | undefined;
  close(): Promise<void>;
};

export type SupervisorOptions = {
  readonly emit: EventSink;
  /** Ends the process at once, for the service manager to restart: going on would risk the leases. */
  readonly end: () => void;
};

/** How many kinds of faults of a service are reported with their stack; further kinds are only counted. */
const MOST_KINDS = 100;
/** A fault that repeats is reported at most once in this time. */
const REPORT_EVERY_MS = 60_000;
/** A service is restarted at most once in this time; one that fails sooner goes on as it is until then. */
const RESTART_EVERY_MS = 30_000;
/** A service that does not start is tried again after this time. */
const RETRY_MS = 1000;
/** How long a faulty service may take to stop before its successor starts beside it. */
const STOP_MS = 5000;

type Kind = { count: number; reportedAt: number };

/**
 * Isolates services: an exception that no code expected affects the service in which it happened, and no other. Each service runs
 * in an asynchronous context of its own, which attributes exceptions in its timers and callbacks to it. An exception that an edge
 * contains (`sinkOf`) is counted and reported; one that reaches the event loop also restarts the service.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #context = new AsyncLocalStorage<Watched>();
  readonly #kinds = new Map<string, Kind>();
  readonly #onUncaught = (error: unknown): void => this.#uncaught(error);
  #faults = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    process.on('uncaughtException', this.#onUncaught);
    process.on('unhandledRejection', this.#onUncaught);
  }

  /** How many exceptions occurred since the start. */
  get faults(): number {
    return this.#faults;
  }

  /** Takes the exceptions that a service contains itself. */
  sinkOf(service: string): FaultSink {
    return (error) => this.#report(service, error);
  }

  /** Starts a service that can be restarted. Rejects if its first start rejects. */
  async run<T extends Running>(name: string, start: (faulted: FaultSink) => Promise<T>): Promise<Service<T>> {
    const faulted = this.sinkOf(name);
    let running: T | undefined;
    let closed = false;
    let restarting: Promise<void> | undefined;
    let restartedAt = Number.NEGATIVE_INFINITY;
    let later: NodeJS.Timeout | undefined;

    let starting = false;
    const begin = async (): Promise<T> => {
      starting = true;
      try {
        return await this.#context.run(watched, () => start(faulted));
      } finally {
        starting = false;
      }
    };

    const restart = async (): Promise<void> => {
      const before = running;
      running = undefined;
      if (before) await stopped(before, faulted);
      while (!closed) {
        try {
          running = await begin();
          this.#options.emit({ kind: 'server.restarted', service: name });
          return;
        } catch (error) {
          faulted(error);
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    };

    const restartNow = (): void => {
      later = undefined;
      if (closed || restarting || !running) return;
      restartedAt = performance.now();
      restarting = restart().finally(() => {
        restarting = undefined;
      });
    };

    const watched: Watched = {
      name,
      onUncaught: () => {
        // Failures while it stops no longer matter; a service that fails while it starts may be broken from then on.
        if (closed || later || !(running || starting)) return;
        const ms = starting ? RESTART_EVERY_MS : restartedAt + RESTART_EVERY_MS - performance.now();
        // Outside the service's context: a fault of this code is not the service's.
        this.#context.exit(() => {
          if (ms <= 0) restartNow();
          else later = setTimeout(guarded(faulted, restartNow), ms).unref();
        });
      },
    };

    running = await begin();
    return {
      get running() {
        return running;
      },
      async close() {
        closed = true;
        clearTimeout(later);
        await restarting;
        await running?.close();
        running = undefined;
      },
    };
  }

  /** The same for a part that must not go on after an exception: the process ends then. */
  vital<T>(name: string, work: () => T): T {
    return this.#context.run({ name, onUncaught: this.#options.end }, work);
  }

  /** Runs work, and what follows from it, as a part of the server that is not restarted: exceptions in it are reported. */
  part<T>(name: string, work: () => T): T {
    return this.#context.run({ name, onUncaught: () => {} }, work);
  }

  /** Removes the process' own handlers. */
  close(): void {
    process.off('uncaughtException', this.#onUncaught);
    process.off('unhandledRejection', this.#onUncaught);
  }

  #uncaught(error: unknown): void {
    const watched = this.#context.getStore();
    this.#report(watched?.name ?? 'server', error);
    watched?.onUncaught();
  }

  #report(service: string, error: unknown): void {
    this.#faults++;
    const { message, stack } = described(error);
    const place = stack?.split('\n').find((line) => line.startsWith('    at ')) ?? '';
    const key = `${service} ${message.slice(0, 200)} ${place}`;
    const known = this.#kinds.get(key);
    const now = performance.now();
    const kind = known ?? { count: 0, reportedAt: Number.NEGATIVE_INFINITY };
    kind.count++;
    if (!known && this.#kinds.size >= MOST_KINDS) return;
    this.#kinds.set(key, kind);
    if (now - kind.reportedAt < REPORT_EVERY_MS) return;
    kind.reportedAt = now;
    this.#options.emit({
      kind: 'server.fault',
      service,
      message,
      count: kind.count,
      ...(known || stack === undefined ? {} : { stack }),
    });
  }
}

type Watched = { readonly name: string; readonly onUncaught: () => void };

/** What was thrown, in words. Anything can be thrown, even a value that throws when it is read. */
function described(error: unknown): { readonly message: string; readonly stack: string | undefined } {
  try {
    if (!(error instanceof Error)) return { message: String(error), stack: undefined };
    const { message, stack } = error;
    return { message: String(message), stack: typeof stack === 'string' ? stack : undefined };
  } catch {
    return { message: 'something that cannot be shown was thrown', stack: undefined };
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
