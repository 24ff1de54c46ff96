// Keys of the table `meta`: what is known of records that were lost.

/** Until when leases do not count as known, milliseconds since the epoch. */
export const LEASES_HELD = 'leases-unknown-until';
/** The damaged file that may hold keys of nodes which are missing. */
export const KEYS_LOST = 'keys-lost';
