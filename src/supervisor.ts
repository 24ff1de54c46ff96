import { AsyncLocalStorage } from 'node:async_hooks';
import type { FaultSink } from './faults.ts';
import type { EventSink } from './model/event.ts';
import type { Gauges, GaugesOf, Measured } from './model/gauges.ts';
import type { Running, Service } from './service.ts';
import { SupervisedService } from './supervisedService.ts';

export type SupervisorOptions = {
  readonly emit: EventSink;
  /** Ends the process at once, for the service manager to restart: going on would risk the leases. */
  readonly end: () => void;
};

/** How many kinds of faults of a service are reported with their stack; further kinds are only counted. */
const MOST_KINDS = 100;
/** A fault that repeats is reported at most once in this time. */
const REPORT_EVERY_MS = 60_000;
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
  readonly #services: Service[] = [];
  readonly #measured = new Map<string, () => Gauges>();
  readonly #faultsOf = new Map<string, number>();
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

  /**
   * Starts a service that can be restarted. `start` gets the sink for the exceptions that the service contains, and one for what ends it:
   * a service whose thread ended is started anew. Rejects if its first start rejects.
   */
  async run<T extends Running>(
    name: string,
    start: (faulted: FaultSink, broken: FaultSink) => Promise<T>,
  ): Promise<Service<T>> {
    const faulted = this.sinkOf(name);
    const broken: FaultSink = (error) => {
      faulted(error);
      service.uncaught();
    };
    const service = new SupervisedService<T>({
      name,
      start: () => this.#context.run({ name, onUncaught: () => service.uncaught() }, () => start(faulted, broken)),
      faulted,
      restarted: () => this.#options.emit({ kind: 'server.restarted', service: name }),
      outside: (work) => this.#context.exit(work),
    });
    await service.start();
    this.#services.push(service);
    return service;
  }

  /** The services that were started, in that order. */
  get services(): readonly Service[] {
    return this.#services;
  }

  /** Has the numbers of a part of the server, which is not restarted, among all gauges. */
  measure<Name extends Measured>(name: Name, gauges: () => GaugesOf<Name>): void {
    this.#measured.set(name, gauges);
  }

  /**
   * The numbers of every service and part now, by its name; `MEASURES` says what each is. Parts in which exceptions occurred have at least
   * `faults`.
   */
  allGauges(): ReadonlyMap<string, Gauges> {
    const readers = new Map([
      ...this.#measured,
      ...this.#services.map((one) => [one.name, () => one.gauges()] as const),
    ]);
    const read = [...readers].map(([name, gauges]) => [name, this.#read(name, gauges)] as const);
    const all = new Map<string, Gauges>(read);
    for (const name of [...readers.keys(), ...this.#faultsOf.keys()])
      all.set(name, { ...all.get(name), faults: this.#faultsOf.get(name) ?? 0 });
    return all;
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

  #read(name: string, gauges: () => Gauges): Gauges {
    try {
      return gauges();
    } catch (error) {
      this.#report(name, error);
      return {};
    }
  }

  #report(service: string, error: unknown): void {
    this.#faults++;
    this.#faultsOf.set(service, (this.#faultsOf.get(service) ?? 0) + 1);
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
