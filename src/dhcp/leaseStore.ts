import type { Lease } from '../model/lease.ts';

/** Where leases last. Calls reject with STATE_UNAVAILABLE. */
export type LeaseStore = {
  load(): Promise<readonly Lease[]>;
  /** Settles once every lease of the call is on disk, in their order; rejects where none is. */
  commit(leases: readonly Lease[]): Promise<void>;
};
