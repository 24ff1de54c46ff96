import { Worker } from 'node:worker_threads';
import { isErrorCode, type Place, ReveilleError } from '../errors.ts';
import { inTurn } from '../inTurn.ts';
import type { NewNode } from '../site/addNodes.ts';

/** An edit of site.yaml. `dryRun`: it is not written. */
export type SiteEditOrder =
  | { readonly kind: 'add'; readonly folder: string; readonly nodes: readonly NewNode[]; readonly dryRun: boolean }
  | { readonly kind: 'remove'; readonly folder: string; readonly name: string; readonly dryRun: boolean };

/** The nodes that were added or removed, and the lines of site.yaml that differ. */
export type SiteEdited = {
  readonly nodes: readonly {
    readonly name: string;
    readonly macs: readonly string[];
    readonly ip: string | null;
    readonly profiles: readonly string[];
  }[];
  readonly written: boolean;
  readonly diff: string;
};

/** The thread's message. */
export type EditMessage =
  | { readonly ok: true; readonly edited: SiteEdited }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly hint?: string | undefined;
      readonly place?: Place | undefined;
    };

/** Edits site.yaml, one edit after the other, in a thread: to load thousands of nodes takes a second, and no request may wait meanwhile. */
export function openSiteEdits(): (order: SiteEditOrder) => Promise<SiteEdited> {
  const inOrder = inTurn();
  return (order) => inOrder(() => edit(order));
}

function edit(order: SiteEditOrder): Promise<SiteEdited> {
  const { promise, resolve, reject } = Promise.withResolvers<SiteEdited>();
  const thread = new Worker(new URL('./siteEditThread.ts', import.meta.url), {
    workerData: order,
    name: 'site edit',
    execArgv: [],
  });
  thread.once('message', (message: EditMessage) => {
    if (message.ok) resolve(message.edited);
    else reject(errorIn(message));
  });
  thread.once('error', reject);
  thread.once('exit', (code) => reject(new Error(`the thread that edits the site ended with ${code}`)));
  return promise;
}

function errorIn({ code, message, hint, place }: Extract<EditMessage, { ok: false }>): Error {
  if (!isErrorCode(code)) return new Error(message);
  return new ReveilleError(code, message, { ...(hint === undefined ? {} : { hint }), ...(place && { place }) });
}
