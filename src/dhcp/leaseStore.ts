import type { Lease } from '../model/lease.ts';

/** Where leases last. Calls reject with STATE_UNAVAILABLE. */
export type LeaseStore = {
  load(): Promise<readonly Lease[]>;
  /**
   * Records leases, in their order; settles once they are on disk, rejects where none is. A lease is not recorded where another server has
   * lent its address meanwhile: those leases of others are given back, as they stand. Meanwhile: since this store last read or
   * wrote the address. An address that the site keeps for the machine (`reserved`), one that the machine has already, and one whose
   * lease has ended are not disputed.
   */
  commit(leases: readonly Lease[]): Promise<readonly Lease[]>;
};
