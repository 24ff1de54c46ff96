import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Failure } from '../failure.ts';
import { failureOf } from './failure.ts';
import type { Answer, Notice, Request } from './messages.ts';

/** What a thread does with its database. All of it may throw. */
export type Work<Opened, Asked, Given> = {
  /** The file that failures name. */
  readonly file: string;
  open(): Opened;
  answer(opened: Opened, asked: Asked): Given;
  close(opened: Opened): void;
  /** Work without a waiting caller, a few milliseconds of it; milliseconds until there is more, if there is. */
  tidy(opened: Opened): number | undefined;
  /** Whether the database must be opened anew after this failure. */
  needsReopening(error: unknown): boolean;
};

/** What is asked meanwhile goes before work without a waiting caller; milliseconds. */
const TIDY_AFTER_MS = 20;

/**
 * Answers what is asked of a database, one message after the other. The database is opened by the first message, and anew by the next
 * one after opening failed or the file could not be trusted any more.
 */
export function answerRequests<Opened, Asked, Given>(work: Work<Opened, Asked, Given>): void {
  let current: Opened | undefined;
  let tidying: NodeJS.Timeout | undefined;

  const close = (): void => {
    const closing = current;
    current = undefined;
    try {
      if (closing !== undefined) work.close(closing);
    } catch {
      // A database that cannot be closed in order is let go as it is: what was committed is on disk.
    }
  };

  const failed = (error: unknown): Failure => {
    if (work.needsReopening(error)) close();
    return failureOf(error, work.file);
  };

  const tidy = (): void => {
    tidying = undefined;
    try {
      const more = current === undefined ? undefined : work.tidy(current);
      if (more !== undefined) tidyIn(more);
    } catch (error) {
      // Whoever asks next hears of it, if it lasts.
      failed(error);
    }
  };
  const tidyIn = (ms: number): void => {
    tidying ??= setTimeout(tidy, ms);
  };

  const answer = ({ id, asked }: Request<Asked>): Answer<Given> => {
    try {
      current ??= work.open();
      return { id, given: work.answer(current, asked) };
    } catch (error) {
      return { id, failure: failed(error) };
    }
  };

  const answerTo = (port: MessagePort, request: Request<Asked>): void => {
    port.postMessage(answer(request));
    tidyIn(TIDY_AFTER_MS);
  };

  parentPort?.on('message', (request: Request<Asked> | { readonly port: MessagePort } | 'close') => {
    if (request === 'close') {
      clearTimeout(tidying);
      close();
      for (const port of lent) port.close();
      parentPort?.close();
    } else if ('port' in request) {
      const { port } = request;
      lent.add(port);
      port.on('message', (asked: Request<Asked>) => answerTo(port, asked));
      port.on('close', () => lent.delete(port));
      port.unref();
    } else if (parentPort) answerTo(parentPort, request);
  });
}

/** Ports of other threads that ask. */
const lent = new Set<MessagePort>();

/** Reports something without a request. */
export function notify(notice: Notice): void {
  for (const port of [parentPort, ...lent]) port?.postMessage({ notice });
}
