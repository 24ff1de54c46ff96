import type { AdmissionLimits } from './admission.ts';

/** Clients that were not heard yet, at once. Each holds a socket and a file for at most 10 s. */
const MOST_UNHEARD = 512;
/** A transfer's socket and file. */
const DESCRIPTORS_EACH = 2;
/** Files of transfers that have ended are closed a moment later, and a look-up may open a folder. */
const RESERVED = 16;

export type TransferLimits = Pick<AdmissionLimits, 'maxTransfers' | 'maxTransfersPerClient'>;

/** The limits of the site within what the process can hold open; a sixth of it is for clients that were not heard yet. */
export function admissionLimits<T extends TransferLimits>(of: T, descriptors = Number.POSITIVE_INFINITY) {
  const transfers = Math.max(2, Math.floor((descriptors - Math.min(RESERVED, descriptors / 4)) / DESCRIPTORS_EACH));
  const maxUnheard = Math.max(1, Math.min(MOST_UNHEARD, of.maxTransfers, Math.floor(transfers / 3)));
  const maxTransfers = Math.max(1, Math.min(of.maxTransfers, transfers - maxUnheard));
  return { ...of, maxTransfers, maxUnheard };
}
