import { parentPort, workerData } from 'node:worker_threads';
import { ReveilleError } from '../errors.ts';
import type { OpenedAnswer, OpenedJob } from './opened.ts';
import { recordOpened } from './openedRecord.ts';

// The thread that takes in what nodes opened: unpacking, merging and sorting would hold up whatever else the server does.

const { state } = workerData as { readonly state: string };
parentPort?.on('message', ({ image, list, now }: OpenedJob) => {
  parentPort?.postMessage(answerTo(() => recordOpened(state, image, list, now)));
});

function answerTo(work: () => void): OpenedAnswer {
  try {
    work();
    return {};
  } catch (error) {
    if (!(error instanceof ReveilleError)) return { failure: { code: 'SERVER_FAILED', message: String(error) } };
    const { code, message, hint } = error;
    return { failure: { code, message, ...(hint === undefined ? {} : { hint }) } };
  }
}
