import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { DhcpSite } from './site.ts';

/** Leases by their address, and by machine in a network. */
export type LeasesByKey = {
  leaseAt(ip: Ipv4): Lease | undefined;
  leaseOf(network: string, mac: Mac): Lease | undefined;
};

type Around = Pick<DhcpSite, 'networks'> & {
  readonly nodeByMac: ReadonlyMap<Mac, { readonly network?: string }>;
};

/**
 * The address that a machine holds at `now` in `network`, if any. Without a network: the only one that it holds in any; for a MAC
 * that holds addresses in two networks it is not known which machine is meant.
 */
export function addressOf(
  mac: Mac,
  network: string | undefined,
  { leases, site, now }: { readonly leases: LeasesByKey; readonly site: Around; readonly now: number },
): Ipv4 | undefined {
  const held: Ipv4[] = [];
  for (const name of network === undefined ? site.networks.keys() : [network]) {
    const lease = site.networks.has(name) ? leases.leaseOf(name, mac) : undefined;
    if (lease?.state === 'bound' && lease.expires > now) held.push(lease.ip);
  }
  return held.length === 1 ? held[0] : undefined;
}

/** Who holds an address at `now`, if anybody. A node's MAC address on a wire that the node does not belong to counts as no holder. */
export function holderOf(
  ip: Ipv4,
  { leases, site, now }: { readonly leases: LeasesByKey; readonly site: Around; readonly now: number },
): Mac | undefined {
  const lease = leases.leaseAt(ip);
  if (lease?.state !== 'bound' || lease.expires <= now) return undefined;
  const own = site.nodeByMac.get(lease.mac)?.network;
  return own === undefined || shareWire(own, lease.network, site) ? lease.mac : undefined;
}

function shareWire(one: string, other: string, { networks }: Around): boolean {
  const through = networks.get(one)?.interface;
  return one === other || (through !== undefined && networks.get(other)?.interface === through);
}

/** What became of the lease of an address; without `lease` there is none any more. Times are those of the wall clock. */
export type LeaseChange = { readonly ip: Ipv4; readonly lease?: Lease };

/** The leases as another thread of the program knows them: a moment behind the book. */
export class LeaseCopy implements LeasesByKey {
  readonly #byIp = new Map<Ipv4, Lease>();
  readonly #byClient = new Map<string, Lease>();

  take(changes: readonly LeaseChange[]): void {
    for (const { ip, lease } of changes) {
      const before = this.#byIp.get(ip);
      if (before && this.#byClient.get(keyOf(before.network, before.mac)) === before)
        this.#byClient.delete(keyOf(before.network, before.mac));
      if (lease) this.#byIp.set(ip, lease);
      else this.#byIp.delete(ip);
    }
    for (const { lease } of changes) {
      if (!lease || lease.state === 'declined') continue;
      const key = keyOf(lease.network, lease.mac);
      const other = this.#byClient.get(key);
      if (!other || other.start <= lease.start) this.#byClient.set(key, lease);
    }
  }

  leaseAt(ip: Ipv4): Lease | undefined {
    return this.#byIp.get(ip);
  }

  leaseOf(network: string, mac: Mac): Lease | undefined {
    return this.#byClient.get(keyOf(network, mac));
  }

  leases(): readonly Lease[] {
    return [...this.#byIp.values()];
  }
}

const keyOf = (network: string, mac: Mac): string => `${network} ${mac}`;
