import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, ReveilleError } from '../errors.ts';
import { inTurn } from '../inTurn.ts';
import { FEW_NEW_OBJECTS } from '../threadMemory.ts';
import { type Opened, openedPlace, parseRecord } from './openedRecord.ts';

/** What crosses to the thread that keeps reports, and back. */
export type OpenedJob = { readonly image: string; readonly list: Uint8Array; readonly now: number };
export type OpenedAnswer = {
  readonly failure?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string };
};

/** The record of an image's boots below the state folder, `opened/NAME`; undefined if no node has reported. */
export async function readOpened(state: string, image: string): Promise<Opened | undefined> {
  const text = await readFile(openedPlace(state, image), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ReveilleError('STATE_UNAVAILABLE', `what boots opened cannot be read: ${error.message}`, {
      cause: error,
    });
  });
  return parseRecord(text);
}

/** Keeps reports: lists of paths, compressed with gzip. */
export type OpenedRecords = AsyncDisposable & {
  /**
   * Puts a report into the record of an image. Rejects with REQUEST_INVALID for one that cannot be read, with SERVER_BUSY where many
   * wait already or there is no more room, with STATE_UNAVAILABLE where the disk refuses.
   */
  keep(image: string, list: Uint8Array): Promise<void>;
};

/** Reports that wait for those before them. */
const MOST_WAITING = 32;
/** The thread ends after so long without a report. */
const IDLE_MS = 10_000;
/** A list of 16 MiB takes some 100 MB while it is merged; a thread that needs more is ended. */
const THREAD_MB = 256;

/** Keeps reports one after the other, in a thread that runs while there are any: two that arrive at once are both taken in. */
export function openedRecords(state: string, now: () => number): OpenedRecords {
  const inOrder = inTurn();
  let waiting = 0;
  let thread: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;

  const stop = async (): Promise<void> => {
    const stopping = thread;
    thread = undefined;
    clearTimeout(idle);
    await stopping?.terminate();
  };

  const work = async (job: OpenedJob): Promise<void> => {
    clearTimeout(idle);
    thread ??= startThread(state, (ended) => {
      if (thread === ended) thread = undefined;
    });
    try {
      const { failure } = await ask(thread, job);
      if (failure) throw new ReveilleError(failure.code, failure.message, failure);
      idle = setTimeout(() => void stop(), IDLE_MS).unref();
    } catch (error) {
      if (error instanceof ReveilleError) idle = setTimeout(() => void stop(), IDLE_MS).unref();
      else await stop();
      throw error;
    }
  };

  return {
    async keep(image, list) {
      openedPlace(state, image);
      if (waiting >= MOST_WAITING) throw new ReveilleError('SERVER_BUSY', 'many nodes report at once what they opened');
      waiting++;
      try {
        await inOrder(() => work({ image, list, now: now() }));
      } finally {
        waiting--;
      }
    },
    [Symbol.asyncDispose]: stop,
  };
}

function startThread(state: string, onEnd: (thread: Worker) => void): Worker {
  const thread = new Worker(new URL('./openedThread.ts', import.meta.url), {
    workerData: { state },
    name: 'opened',
    execArgv: [],
    resourceLimits: { ...FEW_NEW_OBJECTS, maxOldGenerationSizeMb: THREAD_MB },
  });
  // Whoever waits for the thread hears of it too.
  thread.on('error', () => {}).once('exit', () => onEnd(thread));
  return thread;
}

/** Rejects if the thread dies. */
function ask(thread: Worker, job: OpenedJob): Promise<OpenedAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenedAnswer>();
  const ended = (code: number) => reject(new Error(`the thread that keeps what was opened ended with ${code}`));
  thread.once('message', resolve).once('error', reject).once('exit', ended);
  thread.ref();
  thread.postMessage(job);
  return promise.finally(() => {
    thread.off('message', resolve).off('error', reject).off('exit', ended);
    thread.unref();
  });
}
