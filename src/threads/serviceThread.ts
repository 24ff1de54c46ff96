import { setTimeout as delay } from 'node:timers/promises';
import { type Transferable, Worker, type WorkerOptions } from 'node:worker_threads';
import type { FaultSink } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';
import { newTaken, noteTaken } from './eventBatches.ts';
import { type FromThread, type Shape, type ThreadData, type ToThread, unpackError, unpackEvents } from './messages.ts';

export type ServiceThreadOptions<S extends Shape> = {
  /** The name of the thread, as `top -H` shows it. */
  readonly name: string;
  /** The module that calls `serveInThread`. */
  readonly module: URL;
  readonly start: S['start'];
  /** What of `start` changes hands: message ports. */
  readonly transfer?: readonly Transferable[];
  readonly limits?: WorkerOptions['resourceLimits'];
  readonly events: EventSink;
  /** Takes in the exceptions that the thread contains. */
  readonly faulted: FaultSink;
  /** An exception reached the thread's event loop, or the thread ended. The service is closed then, and started anew. */
  readonly broken: FaultSink;
  readonly received?: (message: S['fromThread']) => void;
};

/** A thread that does not close by then is ended. */
const CLOSE_MS = 5000;

/** A service that runs in a thread of its own, seen from the thread that started it. */
export class ServiceThread<S extends Shape> {
  readonly #options: ServiceThreadOptions<S>;
  readonly #worker: Worker;
  readonly #taken = newTaken();
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #closed = Promise.withResolvers<void>();
  #asks = 0;
  #gauges: Gauges = {};
  #closing = false;

  /** Starts the thread; resolves once its service runs, rejects as its start does. */
  static async start<S extends Shape>(options: ServiceThreadOptions<S>): Promise<ServiceThread<S>> {
    const started = Promise.withResolvers<void>();
    const thread = new ServiceThread(options, started);
    await started.promise;
    return thread;
  }

  private constructor(options: ServiceThreadOptions<S>, started: PromiseWithResolvers<void>) {
    this.#options = options;
    const { name, module, start, transfer, limits } = options;
    const workerData: ThreadData<S> = { start, taken: this.#taken };
    this.#worker = new Worker(module, {
      name,
      workerData,
      // Not those of the process, which may read its program from standard input.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      ...(transfer === undefined ? {} : { transferList: [...transfer] }),
      ...(limits === undefined ? {} : { resourceLimits: limits }),
    });
    let failure: unknown;
    let runs = false;
    this.#worker.on('message', (message: FromThread<S>) => {
      if (message.kind === 'started') {
        runs = true;
        started.resolve();
      } else if (message.kind === 'refused') {
        this.#closing = true;
        started.reject(unpackError(message.error));
      } else this.#take(message);
    });
    this.#worker.on('error', (error) => {
      failure = error;
    });
    this.#worker.once('exit', (code) => {
      const why = failure ?? new Error(`the thread ${name} ended with ${code}`);
      this.#closed.resolve();
      for (const { reject } of this.#asked.values()) reject(why);
      this.#asked.clear();
      started.reject(why);
      if (runs && !this.#closing) options.broken(why);
    });
  }

  /** The numbers of the service, as of a moment ago. */
  get gauges(): Gauges {
    return this.#gauges;
  }

  send(message: S['toThread'], transfer: readonly Transferable[] = []): void {
    this.#post({ kind: 'message', message }, transfer);
  }

  /** Asks the service. Rejects as its answer does, or where the thread ends before it. */
  ask<Name extends keyof S['asks']>(
    name: Name,
    question: S['asks'][Name]['question'],
  ): Promise<S['asks'][Name]['answer']> {
    if (this.#closing) return Promise.reject(new Error(`the thread ${this.#options.name} is closed`));
    const answer = Promise.withResolvers<unknown>();
    const id = ++this.#asks;
    this.#asked.set(id, answer);
    this.#post({ kind: 'ask', id, name, question });
    return answer.promise as Promise<S['asks'][Name]['answer']>;
  }

  /** Closes the service, then ends the thread. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#post({ kind: 'close' });
    const late = new AbortController();
    await Promise.race([this.#closed.promise, delay(CLOSE_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    await this.#worker.terminate();
  }

  #post(message: ToThread<S>, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  #take(message: FromThread<S>): void {
    const { events, faulted, received } = this.#options;
    switch (message.kind) {
      case 'events': {
        const seen = unpackEvents(message.events);
        for (const { happening, at } of seen) events(happening, at);
        noteTaken(this.#taken, seen.length);
        break;
      }
      case 'message':
        received?.(message.message);
        break;
      case 'gauges':
        this.#gauges = message.gauges;
        break;
      case 'fault':
        faulted(unpackError(message.error));
        break;
      case 'broken':
        if (!this.#closing) this.#options.broken(unpackError(message.error));
        break;
      case 'answer':
        this.#settle(message.id)?.resolve(message.answer);
        break;
      case 'refusal':
        this.#settle(message.id)?.reject(unpackError(message.error));
        break;
      case 'closed':
        this.#closed.resolve();
        break;
    }
  }

  #settle(id: number): PromiseWithResolvers<unknown> | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }
}
