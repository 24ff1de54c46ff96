import type { Ipv4 } from './ipv4.ts';
import type { Mac } from './mac.ts';

/**
 * An address handed out, or set aside because a client declined it (`declined`, no owner then). Leases are keyed by
 * address: an address has at most one lease, and a MAC one in each network. `network` is the one that
 * holds the address, by the name that it had when the lease was recorded. Times are milliseconds since the epoch.
 */
export type Lease = {
  readonly ip: Ipv4;
  readonly mac: Mac;
  readonly network: string;
  readonly state: 'bound' | 'released' | 'declined';
  readonly start: number;
  readonly expires: number;
  readonly clientId?: Uint8Array;
  readonly hostname?: string;
  /** Whether the site kept the address for the machine when it was given; absent where an earlier release gave it. */
  readonly reserved?: boolean;
};
