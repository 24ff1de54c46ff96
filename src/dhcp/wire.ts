import { type Ipv4, inRange, inSubnet, UNSPECIFIED } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import { NetworkIndex } from '../model/networkIndex.ts';
import { OPTION } from '../model/options.ts';
import { type DhcpPacket, MESSAGE } from './packet.ts';
import type { Relay } from './relay.ts';
import type { DhcpSite } from './site.ts';

/** A network that we can answer for: it has an address of ours. */
export type ServedNetwork = Network & { readonly server: Ipv4 };

/** The wire that a client is on: its networks, and how the request came from there. */
export type Wire = {
  readonly networks: readonly ServedNetwork[];
  /** `routed`: a client that has its address and speaks to us through a router, past its relay. */
  readonly reach: 'direct' | 'relayed' | 'routed';
};

/** What the wire of a request is known by: its option 53, what a relay says, and the address that its client says it has. */
export type Located = {
  readonly request: DhcpPacket;
  readonly type: number | undefined;
  readonly relay: Relay | undefined;
  readonly held: Ipv4;
};

/**
 * The wire of a request that arrived on the interface `name`: through a relay, the network that holds the relay's link and those
 * that share its interface; directly, the networks of the interface. A client that renews from behind a relay comes without it:
 * then it is the network of its address, if that has no interface of its own.
 */
export function wireOf(located: Located, site: DhcpSite, name: string): Wire {
  const served = servedBySite(site);
  const { relay, held } = located;
  if (relay) {
    const link = linkOf(located.request.giaddr, relay.link, served);
    return { networks: link ? sharing(link, served) : [], reach: 'relayed' };
  }
  const local = served.on(name);
  if (mayBeRouted(located) && !local.some((network) => inSubnet(network.subnet, held))) {
    const routed = served.at(held);
    if (routed && routed.interface === undefined) return { networks: [routed], reach: 'routed' };
  }
  return { networks: local, reach: 'direct' };
}

/**
 * The address that a client says it has; 0.0.0.0 if it says none. Some leave it out of an INFORM, and send that from it; what a relay
 * passes on comes from the relay's address. `type` is option 53, `from` the address of the datagram.
 */
export function heldAddress({ ciaddr, giaddr }: DhcpPacket, type: number | undefined, from: Ipv4): Ipv4 {
  const isUnsaid = ciaddr === UNSPECIFIED && type === MESSAGE.inform;
  return isUnsaid && giaddr === UNSPECIFIED ? from : ciaddr;
}

/** Whether it is a message that a client sends from its address to the server's (RFC 2131 section 4.4.4). */
function mayBeRouted({ request, type, held }: Located): boolean {
  if (held === UNSPECIFIED) return false;
  if (type === MESSAGE.request) return !request.options.has(OPTION.serverId.code);
  return type === MESSAGE.release || type === MESSAGE.inform;
}

/**
 * The network that a relay speaks for: the one that it selects or its own address lies in. Replies go to that address, which anybody
 * can make up: it has to be one of the site, in a subnet or listed under `relays` of the network.
 */
function linkOf(giaddr: Ipv4, selected: Ipv4, served: ServedNetworks): ServedNetwork | undefined {
  const around = served.at(giaddr);
  const link = selected === giaddr ? around : served.at(selected);
  const isListed = (network: ServedNetwork): boolean => network.relays.some((range) => inRange(range, giaddr));
  if (link) return around || isListed(link) ? link : undefined;
  return selected === giaddr ? served.ofRelay(giaddr) : undefined;
}

function sharing(link: ServedNetwork, served: ServedNetworks): readonly ServedNetwork[] {
  if (link.interface === undefined) return [link];
  return [link, ...served.on(link.interface).filter((network) => network !== link)];
}

/**
 * Whether what arrived on the interface `name` may end a lease of `network`: it comes from the wire of the lease. A request
 * may name any relay and any address, so the interface counts too: the network's own, or for one that only relays reach, the
 * one with the address that its clients and relays send to.
 */
export function mayEndLeaseOf(network: string, { networks, reach }: Wire, site: DhcpSite, name: string): boolean {
  const home = networks.find((one) => one.name === network);
  if (!home) return false;
  if (reach === 'direct') return true;
  if (home.interface !== undefined) return home.interface === name;
  const entries = servedBySite(site)
    .servedBy(home.server)
    .filter((one) => one.interface !== undefined);
  return entries.length === 0 || entries.some((entry) => entry.interface === name);
}

/** Whether an address lies in a network that the site has on the interface `name`: a frame reaches it. */
export function isOnWire(site: DhcpSite, name: string, ip: Ipv4): boolean {
  return servedBySite(site)
    .on(name)
    .some((network) => inSubnet(network.subnet, ip));
}

type ServedNetworks = NetworkIndex<ServedNetwork>;

const SERVED = new WeakMap<DhcpSite, ServedNetworks>();

function servedBySite(site: DhcpSite): ServedNetworks {
  let served = SERVED.get(site);
  if (!served) {
    const isServed = (network: Network): network is ServedNetwork => network.server !== undefined;
    served = new NetworkIndex(site.networks.values().filter(isServed));
    SERVED.set(site, served);
  }
  return served;
}
