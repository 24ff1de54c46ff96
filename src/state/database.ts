import { Worker } from 'node:worker_threads';
import { type Failure, unavailable } from './failure.ts';

export type SqlValue = null | number | bigint | string | Uint8Array;

/** One SQL statement, run once for each row of parameters. */
export type Statement = { readonly sql: string; readonly rows: readonly (readonly SqlValue[])[] };

/** What a statement gave: the rows of its last run, and how many rows all its runs changed. */
export type Result = { readonly rows: readonly Record<string, unknown>[]; readonly changes: number };

/** What crosses to the thread that owns the database, and back. */
export type Request = { readonly id: number; readonly statements: readonly Statement[] };
export type Answer =
  | { readonly id: number; readonly results: readonly Result[] }
  | { readonly id: number; readonly failure: Failure };
export type ThreadOptions = { readonly folder: string; readonly readOnly: boolean };

/** A SQLite database in a thread of its own. */
export type Database = {
  /** Runs statements in one transaction; settles when they are on disk. Rejects with STATE_UNAVAILABLE: then none counts. */
  run(statements: readonly Statement[]): Promise<readonly Result[]>;
  /** Waits for what was asked before. */
  close(): Promise<void>;
};

type Waiting = { resolve(results: readonly Result[]): void; reject(error: Error): void };

const startThread = (options: ThreadOptions): Worker =>
  // Node's own flags are for the main thread: some of them end a thread that inherits them.
  new Worker(new URL('./databaseThread.ts', import.meta.url), { workerData: options, name: 'state', execArgv: [] });

/**
 * Opens the database of a state folder, making it if there is none. Rejects with STATE_UNAVAILABLE. If its thread dies,
 * what was asked of it is rejected, and the next call starts another.
 */
export async function openDatabase(options: ThreadOptions, start: typeof startThread = startThread): Promise<Database> {
  const waiting = new Map<number, Waiting>();
  let thread: Worker | undefined;
  let lastId = 0;
  let closed = false;

  const settled = (id: number): Waiting | undefined => {
    const asker = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) thread?.unref();
    return asker;
  };

  const threadFor = (): Worker => {
    if (thread) return thread;
    const started = start(options);
    let reason: unknown;
    started.on('message', (answer: Answer) => {
      const asker = settled(answer.id);
      if ('results' in answer) asker?.resolve(answer.results);
      else asker?.reject(unavailable(answer.failure));
    });
    started.on('error', (error) => {
      reason = error;
    });
    started.on('exit', () => {
      if (thread === started) thread = undefined;
      const ended = unavailable({ message: `the thread that keeps ${options.folder} has ended`, hint: '' }, reason);
      for (const id of [...waiting.keys()]) settled(id)?.reject(ended);
    });
    thread = started;
    return started;
  };

  const run = (statements: readonly Statement[]): Promise<readonly Result[]> => {
    if (closed) return Promise.reject(unavailable({ message: `${options.folder} has been closed`, hint: '' }));
    const { promise, resolve, reject } = Promise.withResolvers<readonly Result[]>();
    const id = ++lastId;
    const request: Request = { id, statements };
    const to = threadFor();
    // Only an answer that somebody waits for keeps the process alive.
    if (waiting.size === 0) to.ref();
    waiting.set(id, { resolve, reject });
    to.postMessage(request);
    return promise;
  };

  const close = async (): Promise<void> => {
    closed = true;
    const closing = thread;
    if (!closing) return;
    const ended = new Promise((resolve) => closing.once('exit', resolve));
    closing.ref();
    closing.postMessage('close');
    await ended;
  };

  try {
    await run([]);
  } catch (error) {
    await close();
    throw error;
  }
  return { run, close };
}
