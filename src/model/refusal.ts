import type { Ipv4 } from './ipv4.ts';
import type { Mac } from './mac.ts';

/**
 * Why a DHCP request is answered with a NAK, or not at all: a stable code, and the values that belong to it. `src/words/dhcp.ts` puts
 * each into words.
 */
export type Refusal =
  /** No network of the site has this interface. */
  | { readonly code: 'interface-unserved'; readonly interface: string }
  /** The relay lies in no network of the site and is listed under none. */
  | { readonly code: 'relay-unknown'; readonly relay: Ipv4 }
  /** The leases of the state have not been read yet. */
  | { readonly code: 'leases-unknown' }
  /** The message type is none that a server answers. */
  | { readonly code: 'message-unanswered' }
  /** No pool on the wire is open to the client; `node`: its name, where the site lists it. */
  | { readonly code: 'pools-closed'; readonly node?: string }
  | { readonly code: 'pools-used-up'; readonly node?: string }
  /** What is left of the open pools, or of the one that has the requested address, is kept for nodes. */
  | { readonly code: 'pools-kept-for-nodes' }
  | { readonly code: 'pool-kept-for-nodes' }
  /** Machines that the site does not list have as many addresses at this switch port, or through this relay, as they may. */
  | { readonly code: 'switch-port-full'; readonly most: number }
  | { readonly code: 'relay-full'; readonly relay: string; readonly most: number }
  /** More machines that the site does not list ask for the first time than `rate` a second. */
  | { readonly code: 'strangers-limited'; readonly rate: number }
  /** A REQUEST that names no address. */
  | { readonly code: 'address-missing' }
  | { readonly code: 'address-off-wire' }
  | { readonly code: 'address-taken' }
  /** No pool with the requested address is open to the client. */
  | { readonly code: 'address-pool-closed' }
  /** The address is in none of our pools: another server may have given it. */
  | { readonly code: 'address-foreign' }
  /** The node has an address of its own, and asks for another. */
  | { readonly code: 'node-has-address'; readonly node: string }
  /** The node belongs to another network of the wire than the requested address. */
  | { readonly code: 'node-of-other-network'; readonly node: string; readonly network: string }
  /** An INIT-REBOOT for an address of which there is no record. */
  | { readonly code: 'lease-unrecorded' }
  | { readonly code: 'routed-lease-unrecorded' }
  /** A renewal through a router that comes from another address than the one that it renews. */
  | { readonly code: 'renewal-source-differs' }
  | { readonly code: 'decline-not-ours' }
  | { readonly code: 'decline-not-held' }
  /** A node declined the address that the site gives it. */
  | { readonly code: 'decline-own-address'; readonly node: string }
  | { readonly code: 'release-not-held' }
  | { readonly code: 'release-source-differs' }
  /** A RELEASE or DECLINE that comes from another wire than the lease is on. */
  | { readonly code: 'lease-on-other-wire' }
  | { readonly code: 'inform-without-address' }
  | { readonly code: 'inform-off-wire' }
  | { readonly code: 'bootp-without-own-address' }
  /** As many addresses are being probed as can be at once. */
  | { readonly code: 'probes-busy'; readonly probes: number }
  /** The site keeps the address for the client, but the machine that had it before answers a probe. */
  | { readonly code: 'own-address-in-use'; readonly ip: Ipv4; readonly holder: Mac }
  /** A machine answers a probe for a free address, which is then set aside. */
  | { readonly code: 'free-address-in-use'; readonly ip: Ipv4 }
  | { readonly code: 'lease-unsaved' }
  | { readonly code: 'leases-waiting' };

export type RefusalCode = Refusal['code'];

/** Why a lease ended before its time. */
export type LeaseEnd =
  /** Another machine uses the address: the client declined it. */
  'declined' | 'released' | 'released-by-operator';
