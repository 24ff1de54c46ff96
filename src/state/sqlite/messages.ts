import type { Trouble } from '../../model/trouble.ts';
import type { EventValues, Result, Statement } from '../database.ts';
import type { Failure } from '../failure.ts';

// What crosses between the program's thread and the threads that own a database.

/** What a thread is asked, and what comes back. */
export type Request<Asked> = { readonly id: number; readonly asked: Asked };
export type Answer<Given> =
  | { readonly id: number; readonly given: Given }
  | { readonly id: number; readonly failure: Failure };

/**
 * What the thread of the state reports besides its answers, as an event `server.trouble`. `leasesLost`: the file's leases are not what
 * was last committed.
 */
export type Notice = { readonly trouble: Trouble; readonly leasesLost?: true };

/** What a thread is started with. */
export type ThreadOptions = { readonly folder: string; readonly readOnly: boolean };

/** `serves`: for long, so that a damaged file is rebuilt and a reserve is kept. */
export type MainThreadOptions = ThreadOptions & { readonly longestLeaseMs: number; readonly serves: boolean };

export type EventsThreadOptions = ThreadOptions & { readonly keep: EventsKept };

/** How much stays: the newest events of each subject, of those that are no node's, of all, and so many bytes with their indexes. */
export type EventsKept = {
  readonly perSubject: number;
  readonly strangers: number;
  readonly total: number;
  readonly bytes: number;
};

/** What statements gave; `undefined` where a claim among them was lost. */
export type Outcome = readonly Result[] | undefined;

/** What the thread of the events is asked: to save events, or to read some. */
export type EventsAsked = { readonly save: readonly EventValues[] } | { readonly read: readonly Statement[] };
