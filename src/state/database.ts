import { Worker } from 'node:worker_threads';
import { wordsOf } from '../errors.ts';
import type { MainThreadOptions } from './databaseThread.ts';
import { type Failure, StateTaken, unavailable } from './failure.ts';
import type { Notice } from './notice.ts';

export type SqlValue = null | number | bigint | string | Uint8Array;

/** One SQL statement, run once for each row of parameters. */
export type Statement = { readonly sql: string; readonly rows: readonly (readonly SqlValue[])[] };

/** What a statement gave: the rows of its last run, and how many rows all its runs changed. */
export type Result = { readonly rows: readonly Record<string, unknown>[]; readonly changes: number };

/** What crosses to the thread that owns a database, and back. */
export type Request<Asked> = { readonly id: number; readonly asked: Asked };
/** What comes back; a notice answers nothing. */
export type Answer<Given> =
  | { readonly id: number; readonly given: Given }
  | { readonly id: number; readonly failure: Failure };
export type ThreadOptions = { readonly folder: string; readonly readOnly: boolean };

/** Statements of SQL for a database. */
export type Database = {
  /** Runs statements in one transaction; settles when they are on disk. Rejects with STATE_UNAVAILABLE: then none counts. */
  run(statements: readonly Statement[]): Promise<readonly Result[]>;
  /** Waits for what was asked before. */
  close(): Promise<void>;
};

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

/** Starts a thread of this folder by its module. */
export function threadOf(module: string): StartThread {
  // Node's own flags are for the main thread: some of them end a thread that inherits them.
  return (options) =>
    new Worker(new URL(module, import.meta.url), { workerData: options, name: 'state', execArgv: [] });
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
  #thread: Worker | undefined;
  #hangs = false;
  #answered = false;
  #watch: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closed = false;

  constructor(options: ThreadOptions, { start, onNotice = () => {}, patienceMs = PATIENCE_MS }: DatabaseThreadOptions) {
    this.#options = options;
    this.#start = start;
    this.#onNotice = onNotice;
    this.#patienceMs = patienceMs;
  }

  /** Rejects with STATE_UNAVAILABLE. */
  async ask(asked: Asked): Promise<Given> {
    const { folder } = this.#options;
    if (this.#closed) throw unavailable({ message: `${folder} has been closed`, hint: '' });
    if (this.#hangs) throw unavailable(hanging(folder));
    const { promise, resolve, reject } = Promise.withResolvers<Given>();
    const id = ++this.#lastId;
    try {
      const to = this.#threadFor();
      // Only an answer that somebody waits for keeps the process alive.
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
    // What cannot be read as a message answers nothing: whoever waits for it is released when patience ends.
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

function hanging(folder: string): Failure {
  return {
    message: `the thread that keeps ${folder} does not answer: the disk hangs, or is very slow`,
    hint: 'look at the kernel’s log (dmesg)',
  };
}

export type DatabaseOptions = ThreadOptions & {
  /** How long a lease may live that was lost with its record, milliseconds. */
  readonly longestLeaseMs?: number;
  /** Goes on where the disk fails, full or broken, and heals with it: calls reject meanwhile. */
  readonly patient?: boolean;
  readonly onNotice?: (notice: Notice) => void;
};

const DAY_MS = 86_400_000;

/**
 * Opens the database of a state folder, making it if there is none. Rejects with STATE_UNAVAILABLE; `patient`, only where another
 * program has the state or a newer one wrote it.
 */
export async function openDatabase(
  { folder, readOnly, longestLeaseMs = DAY_MS, patient = false, onNotice }: DatabaseOptions,
  start: StartThread = threadOf('./databaseThread.ts'),
): Promise<Database> {
  const options: MainThreadOptions = { folder, readOnly, longestLeaseMs, serves: patient };
  const thread = new DatabaseThread<readonly Statement[], readonly Result[]>(options, {
    start,
    ...(onNotice && { onNotice }),
  });
  try {
    await thread.ask([]);
  } catch (error) {
    if (!patient || error instanceof StateTaken) {
      await thread.close();
      throw error;
    }
  }
  return { run: (statements) => thread.ask(statements), close: () => thread.close() };
}
