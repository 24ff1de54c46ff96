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

/**
 * Whether the lease that stands at an address keeps another from being recorded there; `known` is the lease that its store knows to
 * stand there.
 */
export function isDisputed(stands: Lease, { mac, start, reserved }: Lease, known: Lease | undefined): boolean {
  if (reserved || stands.mac === mac || stands.state === 'released' || stands.expires <= start) return false;
  return known?.mac !== stands.mac || known.state !== stands.state || known.expires !== stands.expires;
}
