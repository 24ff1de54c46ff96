import { type Ipv4, inRange, inSubnet, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Network, Pool } from '../model/network.ts';
import { isOpen } from '../model/pools.ts';
import type { Refusal } from '../model/refusal.ts';
import type { Newcomer } from './admission.ts';
import type { Exchange } from './exchange.ts';
import type { Layers } from './given.ts';
import type { View } from './view.ts';
import type { ServedNetwork } from './wire.ts';

/** A request that has a network of ours to be answered for. */
export type Asking = {
  readonly exchange: Exchange;
  readonly view: View;
  /** The networks that the client's wire carries. */
  readonly wire: readonly [ServedNetwork, ...ServedNetwork[]];
  /** Those whose pools it may draw from: of a node that belongs to one of them, that one. */
  readonly open: readonly ServedNetwork[];
};

/** The address at which a client belongs. */
export type Place = {
  readonly network: ServedNetwork;
  readonly ip: Ipv4;
  /** Whether the site keeps the address for the client's node. */
  readonly reserved: boolean;
  /** The lease of another machine that runs for the address. */
  readonly heldBy?: Lease;
};

/** A machine that the site does not list; `isNew`: it had no address in this network. */
export type Stranger = Newcomer & { readonly isNew: boolean };

/** The network of a client's wire that an address lies in. */
export function networkAt(asking: Asking, ip: Ipv4): ServedNetwork | undefined {
  for (const network of asking.wire) if (inSubnet(network.subnet, ip)) return network;
  return undefined;
}

/** Where the client belongs: at its node's own address, else in the first pool that is open to it and has room. */
export function placeFor(asking: Asking): Place | Refusal {
  return ownPlace(asking) ?? placeToTry(asking) ?? placeInPools(asking);
}

function placeInPools(asking: Asking): Place | Refusal {
  const { exchange, view, open: networks } = asking;
  const { node, client, requested } = exchange;
  const { book, now } = view;
  // The network in which it has an address already comes first, so that a client does not wander between networks.
  const order = networks.length === 1 ? networks : [...networks].sort((a, b) => had(b) - had(a));
  let open = false;
  let kept = false;
  for (const network of order) {
    const all = openPools(network, exchange);
    if (all.length === 0) continue;
    open = true;
    const isNew = isNewIn(network, asking);
    const refusal = isNew ? view.admission.whyNot(newcomer(asking), now) : undefined;
    if (refusal !== undefined) return refusal;
    const pools = isNew ? all.filter((pool) => book.hasRoomForStrangers(pool)) : all;
    kept ||= pools.length < all.length;
    const ip = book.propose(network, pools, client.mac, requested, now);
    if (ip !== undefined) return { network, ip, reserved: false };
  }
  if (kept) return { code: 'pools-kept-for-nodes' };
  return { code: open ? 'pools-used-up' : 'pools-closed', ...(node && { node: node.name }) };

  function had(network: Network): number {
    return book.leaseOf(network.name, client.mac) ? 1 : 0;
  }
}

/**
 * The address that the site keeps for the node, where no other machine may be using it. A machine that was given it from a pool has it
 * until it asks again, or until no machine answers for it; until then the node is served like one without an address of its own. A lease
 * that a machine was given because the site kept the address for that machine counts as long as the site does.
 */
export function ownPlace(asking: Asking): Place | undefined {
  const place = reservedPlace(asking);
  if (!place?.heldBy) return place;
  const { network, ip, heldBy } = place;
  if (canProbe(asking.exchange) || !wasReserved(heldBy, network)) return undefined;
  return { network, ip, reserved: true };
}

/** The node's own address where the lease of another machine runs for it, and it can be seen whether that machine is there. */
function placeToTry(asking: Asking): Place | undefined {
  const place = reservedPlace(asking);
  return place && canProbe(asking.exchange) && asking.view.answered !== place.ip ? place : undefined;
}

/** The node's own address, if it is on this wire. An address that the node has been offered is no other machine's any more. */
export function reservedPlace(asking: Asking): Place | undefined {
  const { node, client } = asking.exchange;
  const ip = node?.ip;
  const network = ip === undefined ? undefined : networkAt(asking, ip);
  if (ip === undefined || !network) return undefined;
  const { book, now } = asking.view;
  const lease = book.leaseAt(ip);
  const isOthers = lease?.state === 'bound' && lease.expires > now && !node?.macs.includes(lease.mac);
  const offer = book.offerAt(ip);
  const isOffered = offer?.mac === client.mac && offer.until > now;
  return { network, ip, reserved: true, ...(lease && isOthers && !isOffered ? { heldBy: lease } : {}) };
}

/** Whether the site kept the address for the machine. An earlier release did not record it: what no pool lends was kept. */
export function wasReserved({ ip, reserved }: Lease, { pools }: Network): boolean {
  return reserved ?? !pools.some(({ range }) => inRange(range, ip));
}

/** Whether a probe can see a machine on the client's wire. ARP does not pass a relay. */
export function canProbe({ site: { dhcp }, request }: Exchange): boolean {
  return dhcp.probe === 'icmp' || (dhcp.probe === 'arp' && request.giaddr === UNSPECIFIED);
}

/** Whether it is a machine that the site does not list, and has no address in this network. */
export function isNewIn({ name }: Network, { exchange, view }: Asking): boolean {
  if (exchange.node) return false;
  const { book, now } = view;
  const { mac } = exchange.client;
  const lease = book.leaseOf(name, mac);
  if (lease?.state === 'bound' && lease.expires > now) return false;
  return (book.offerOf(name, mac)?.until ?? 0) <= now;
}

/** What limits for machines that the site does not list ask of one. */
export function newcomer({ exchange, wire }: Asking): Newcomer {
  return { port: exchange.switchPort, wire };
}

export function strangerIn(network: Network, asking: Asking): { readonly stranger?: Stranger } {
  return asking.exchange.node ? {} : { stranger: { ...newcomer(asking), isNew: isNewIn(network, asking) } };
}

function openPools(network: Network, exchange: Exchange): readonly Pool[] {
  return network.pools.filter((pool) => isOpen(pool, exchange));
}

/** What the client is given from, with an address of this network. */
export function layersAt(
  { exchange: { node, classes } }: Asking,
  network: ServedNetwork,
  ip: Ipv4,
  reserved: boolean,
): Layers {
  const pool = reserved ? undefined : network.pools.find(({ range }) => inRange(range, ip));
  return { network, pool, classes, node };
}

/** Why the client may not have `ip`; `undefined` if it may. */
export function whyNot(asking: Asking, ip: Ipv4): Refusal | undefined {
  const { exchange, view } = asking;
  const { node, client } = exchange;
  const own = ownPlace(asking);
  if (node && own) return own.ip === ip ? undefined : { code: 'node-has-address', node: node.name };
  const network = networkAt(asking, ip);
  if (!network) return { code: 'address-off-wire' };
  if (node?.network !== undefined && !asking.open.includes(network))
    return { code: 'node-of-other-network', node: node.name, network: node.network };
  if (!openPools(network, exchange).some(({ range }) => inRange(range, ip))) return { code: 'address-pool-closed' };
  return view.book.isFree(ip, client.mac, view.now) ? undefined : { code: 'address-taken' };
}
