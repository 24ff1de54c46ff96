import { ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4, inSubnet, UNSPECIFIED } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import { networkIndex } from '../model/networkIndex.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';

/** A node that asks, by the MAC address that it gives and the address that its connection comes from. */
export type Caller = { readonly node: SiteNode; readonly mac: Mac; readonly ip: Ipv4 };

/** What is known of a request's sender: both ends of its connection, and the MAC address in the query. */
export type Claim = { readonly mac: Mac; readonly ip: Ipv4; readonly localIp: Ipv4 };

export type CallerFrom = {
  readonly site: () => Site;
  /**
   * The address that the DHCP server has leased to `mac` in `network`, for nodes without an address of their own; without a
   * network, the only one in any.
   */
  readonly addressOf: (mac: Mac, network: string | undefined) => Ipv4 | undefined;
  /** The addresses that an interface of this machine has now. Must not throw. */
  readonly addressesOn: (name: string) => readonly Ipv4[];
};

/**
 * The node that a request comes from. A node with an address of its own is that address alone; another one is the address that it
 * leases in its own network. Either has to reach this server through the interface of its network. A network that only relays reach
 * has no interface: its nodes come through whichever leads to the relay, and the kernel's routes decide where answers to their
 * addresses go. Throws NODE_UNKNOWN or IDENTITY_REFUSED.
 */
export function callerOf({ mac, ip, localIp }: Claim, { site, addressOf, addressesOn }: CallerFrom): Caller {
  const { nodeByMac, networks } = site();
  const node = nodeByMac.get(mac);
  if (node === undefined) throw new ReveilleError('NODE_UNKNOWN', `the site lists no node with the MAC address ${mac}`);
  const own = node.ip ?? addressOf(mac, node.network);
  const who = `${formatIpv4(ip)} asks in the name of ${node.name} (${mac})`;
  if (ip === UNSPECIFIED || ip !== own)
    throw new ReveilleError('IDENTITY_REFUSED', `${who}, whose address it does not have`);
  const network = networks.get(node.network ?? '') ?? networkIndex(networks).at(ip);
  if (network?.interface !== undefined && !leadsTo(network, network.interface, localIp, addressesOn))
    throw new ReveilleError('IDENTITY_REFUSED', `${who} through ${formatIpv4(localIp)}, which is not on its network`);
  return { node, mac, ip };
}

function leadsTo(network: Network, name: string, localIp: Ipv4, addressesOn: CallerFrom['addressesOn']): boolean {
  if (inSubnet(network.subnet, localIp) || localIp === network.server) return true;
  return addressesOn(name).includes(localIp);
}
