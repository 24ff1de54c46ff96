import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { wordsOf } from '../../errors.ts';
import { FEW_NEW_OBJECTS } from '../../threadMemory.ts';
import type { DatabaseGauges } from '../database.ts';
import { type Failure, unavailable } from '../failure.ts';
import type { Answer, Notice, Request, ThreadOptions } from './messages.ts';

export type StartThread = (options: ThreadOptions) => Worker;

export type DatabaseThreadOptions = {
  readonly start: StartThread;
  readonly onNotice?: (notice: Notice) => void;
  /** How long an answer is waited for, milliseconds. */
  readonly patienceMs?: number;
};

type Waiting<Given> = { readonly askedAt: number; resolve(given: Given): void; reject(error: Error): void };

/** An answer that has not come by then will not come: the disk hangs, or the thread does. Opening may have work to do first. */
const PATIENCE_MS = 20_000;
const PATIENCE_AT_FIRST_MS = 120_000;
const LOOK_EVERY_MS = 1000;
/** How long closing waits for a thread that does not end. */
const CLOSE_MS = 10_000;

/** Starts a thread of this folder by its module, with a name for `top -H`. */
export function threadOf(module: string, name = 'state'): StartThread {
  // Node's own flags are for the main thread: some of them end a thread that inherits them.
  return (options) =>
    new Worker(new URL(module, import.meta.url), {
      workerData: options,
      name,
      execArgv: [],
      resourceLimits: FEW_NEW_OBJECTS,
    });
}

/**
 * A thread that answers one question after the other. If it dies, what was asked of it is rejected, and the next question starts
 * another; if it hangs, what waits is rejected too, and all that comes until it has ended. Never throws.
 */
export class DatabaseThread<Asked, Given> {
  readonly #options: ThreadOptions;
  readonly #start: StartThread;
  readonly #onNotice: (notice: Notice) => void;
  readonly #patienceMs: number;
  readonly #waiting = new Map<number, Waiting<Given>>();
  readonly #borrowers = new Set<(port: MessagePort) => void>();
  #thread: Worker | undefined;
  #hangs = false;
  #answered = false;
  #watch: NodeJS.Timeout | undefined;
  #lastId = 0;
  #failed = 0;
  #closed = false;

  constructor(options: ThreadOptions, { start, onNotice = () => {}, patienceMs = PATIENCE_MS }: DatabaseThreadOptions) {
    this.#options = options;
    this.#start = start;
    this.#onNotice = onNotice;
    this.#patienceMs = patienceMs;
  }

  gauges(): DatabaseGauges {
    const [oldest] = this.#waiting.values();
    const oldestMs = oldest === undefined ? 0 : performance.now() - oldest.askedAt;
    return { asked: this.#lastId, failed: this.#failed, waiting: this.#waiting.size, oldestMs };
  }

  /** Rejects with STATE_UNAVAILABLE. */
  async ask(asked: Asked): Promise<Given> {
    try {
      return await this.#ask(asked);
    } catch (error) {
      this.#failed++;
      throw error;
    }
  }

  async #ask(asked: Asked): Promise<Given> {
    const { folder } = this.#options;
    if (this.#closed) throw unavailable({ message: `${folder} has been closed`, hint: '' });
    if (this.#hangs) throw unavailable(hanging(folder));
    const { promise, resolve, reject } = Promise.withResolvers<Given>();
    const id = ++this.#lastId;
    try {
      const to = this.#threadFor();
      // Only an awaited answer keeps the process alive.
      if (this.#waiting.size === 0) to.ref();
      this.#waiting.set(id, { askedAt: performance.now(), resolve, reject });
      to.postMessage({ id, asked } satisfies Request<Asked>);
    } catch (error) {
      this.#settled(id);
      throw unavailable({ message: `${folder} cannot be asked: ${wordsOf(error)}`, hint: '' }, error);
    }
    this.#watch ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return promise;
  }

  /**
   * Has `receive` get a port through which another thread asks (`PortDatabase`), and a new one each time that this thread starts: the one
   * before is closed then. Returns the way to end that.
   */
  lend(receive: (port: MessagePort) => void): () => void {
    this.#borrowers.add(receive);
    if (this.#thread) lendPort(this.#thread, receive);
    return () => void this.#borrowers.delete(receive);
  }

  /** Waits for what was asked before, and for the thread to end. */
  async close(): Promise<void> {
    this.#closed = true;
    const closing = this.#thread;
    if (!closing) return;
    const ended = Promise.withResolvers<void>();
    closing.once('exit', () => ended.resolve());
    const late = setTimeout(() => ended.resolve(), this.#hangs ? 0 : CLOSE_MS);
    closing.ref();
    closing.postMessage('close');
    await ended.promise;
    clearTimeout(late);
    this.#unwatch();
  }

  #threadFor(): Worker {
    if (this.#thread) return this.#thread;
    const started = this.#start(this.#options);
    let reason: unknown;
    started.on('message', (answer: Answer<Given> | { readonly notice: Notice }) => {
      if ('notice' in answer) return this.#onNotice(answer.notice);
      this.#answered = true;
      const asker = this.#settled(answer.id);
      if ('given' in answer) asker?.resolve(answer.given);
      else asker?.reject(unavailable(answer.failure));
    });
    // What cannot be read as a message answers nothing: its call ends by its time limit.
    started.on('messageerror', () => {});
    started.on('error', (error) => {
      reason = error;
    });
    started.on('exit', () => {
      if (this.#thread !== started) return;
      this.#thread = undefined;
      this.#hangs = false;
      this.#answered = false;
      this.#unwatch();
      this.#rejectAll({ message: `the thread that keeps ${this.#options.folder} has ended`, hint: '' }, reason);
    });
    this.#thread = started;
    for (const receive of this.#borrowers) lendPort(started, receive);
    return started;
  }

  #look(): void {
    const [oldest] = this.#waiting.values();
    if (!oldest || this.#hangs) return;
    const patience = this.#answered ? this.#patienceMs : Math.max(this.#patienceMs, PATIENCE_AT_FIRST_MS);
    if (performance.now() - oldest.askedAt < patience) return;
    this.#hangs = true;
    this.#rejectAll(hanging(this.#options.folder));
    // A thread that waits for the disk ends when the kernel lets it; its lock is held until then.
    void this.#thread?.terminate().catch(() => {});
  }

  #rejectAll(failure: Failure, cause?: unknown): void {
    for (const id of [...this.#waiting.keys()]) this.#settled(id)?.reject(unavailable(failure, cause));
  }

  #settled(id: number): Waiting<Given> | undefined {
    const asker = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#thread?.unref();
    return asker;
  }

  #unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}

function lendPort(thread: Worker, receive: (port: MessagePort) => void): void {
  const { port1, port2 } = new MessageChannel();
  thread.postMessage({ port: port1 }, [port1]);
  receive(port2);
}

/** Of a thread that does not answer. */
export function hanging(folder: string): Failure {
  return {
    message: `the thread that keeps ${folder} does not answer: the disk hangs, or is very slow`,
    hint: 'look at the kernel’s log (dmesg)',
  };
}
