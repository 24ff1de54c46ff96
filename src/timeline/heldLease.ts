import { formatIpv4, type Ipv4, inRange } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network, Pool } from '../model/network.ts';
import { networkIndex } from '../model/networkIndex.ts';

/** An address that a machine has now, as `status --json` shows it; `expires` in milliseconds since the epoch. */
export type HeldLease = {
  readonly ip: string;
  readonly network: string;
  /** The range of the pool that lends it (`10.0.0.200-10.0.0.220`); `null` for an address that the site keeps for the machine. */
  readonly pool: string | null;
  readonly expires: number;
};

/** The networks whose pools lend. */
type NetworksOf = { readonly networks: ReadonlyMap<string, Network> };

/** The addresses that machines have at `now`, by MAC. Pure. */
export function heldLeases(
  leases: Iterable<Lease>,
  site: NetworksOf,
  now: number,
): ReadonlyMap<Mac, readonly HeldLease[]> {
  const held = new Map<Mac, HeldLease[]>();
  for (const { ip, mac, network, state, expires, reserved = false } of leases) {
    if (state !== 'bound' || expires <= now) continue;
    const lease = { ip: formatIpv4(ip), network, pool: reserved ? null : (poolOf(site, ip) ?? null), expires };
    const others = held.get(mac);
    if (others) others.push(lease);
    else held.set(mac, [lease]);
  }
  return held;
}

/** The range of the pool that an address is lent from: `10.0.0.200-10.0.0.220`. */
export function poolOf({ networks }: NetworksOf, ip: Ipv4): string | undefined {
  const pool = networkIndex(networks)
    .at(ip)
    ?.pools.find(({ range }) => inRange(range, ip));
  return pool && rangeText(pool);
}

function rangeText({ range: { first, last } }: Pool): string {
  return first === last ? formatIpv4(first) : `${formatIpv4(first)}-${formatIpv4(last)}`;
}
