import { type Ipv4, inRange, inSubnet, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Network, Pool, SiteClass } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { OPTION } from '../model/options.ts';
import { isOpen } from '../model/pools.ts';
import type { LeaseEnd, Refusal } from '../model/refusal.ts';
import type { AdmissionView, Newcomer } from './admission.ts';
import type { BookView } from './book.ts';
import { classesOf } from './classes.ts';
import type { Client } from './client.ts';
import { givenLease, type Layers } from './given.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, isBootp, MESSAGE } from './packet.ts';
import { relayOf } from './relay.ts';
import type { DhcpSite } from './site.ts';
import { switchPortOf } from './switchPort.ts';
import { heldAddress, mayEndLeaseOf, type ServedNetwork, type Wire, wireOf } from './wire.ts';

/** What a request is decided from. `site` has the servers' addresses filled in; `now` is milliseconds since the epoch. */
export type Situation = {
  readonly site: DhcpSite;
  readonly book: BookView;
  readonly admission: AdmissionView;
  /** Whether the book has the leases of the state: until then no machine is given an address that another may have. */
  readonly hasRecords: boolean;
  /** The interface on which the request arrived, and the address that its datagram came from. */
  readonly interface: string;
  readonly from: Ipv4;
  /** An address that a machine other than this one has answered for, as this request was being answered. */
  readonly answered?: Ipv4;
  readonly now: number;
};

/** What to do about one request. */
export type Decision =
  /** `probe` says that the address is newly given and should be tried first. */
  | (Layers & {
      readonly kind: 'offer';
      readonly ip: Ipv4;
      readonly seconds: number;
      readonly probe: boolean;
      /** The node's own address, for which the lease of another machine still runs. */
      readonly heldBy?: Lease;
      readonly stranger?: Stranger;
    })
  /** `needsRecord`: only the record says that the address is the client's. */
  | (Layers & {
      readonly kind: 'ack';
      readonly lease: Lease;
      readonly seconds: number;
      readonly needsRecord: boolean;
      readonly stranger?: Stranger;
    })
  /** A client of BOOTP's time: it has the address for good, and there is no lease. */
  | (Layers & { readonly kind: 'bootp'; readonly ip: Ipv4 })
  /** An INFORM: options, and no lease. `ip` is the address that the client has; 0.0.0.0 if neither it nor its relay says one. */
  | (Layers & { readonly kind: 'inform'; readonly ip: Ipv4 })
  /** `lease` is what the client loses by it, as it is to be recorded. */
  | { readonly kind: 'nak'; readonly network: ServedNetwork; readonly refusal: Refusal; readonly lease?: Lease }
  /** A DECLINE or RELEASE: the lease changes and nobody is answered. */
  | {
      readonly kind: 'change';
      readonly event: 'dhcp.decline' | 'dhcp.release';
      readonly lease: Lease;
      readonly end: LeaseEnd;
    }
  /** The client took another server's offer. */
  | {
      readonly kind: 'other-server';
      readonly network: ServedNetwork;
      readonly server: Ipv4;
      /** All networks of the client's wire: what it was offered in them it does not take. */
      readonly wire: readonly ServedNetwork[];
    }
  | { readonly kind: 'silence'; readonly refusal: Refusal };

/** A machine that the site does not list; `isNew`: it had no address in this network. */
export type Stranger = Newcomer & { readonly isNew: boolean };

/** Firmware and loaders need their address for a minute; a longer lease would keep the pool from others. */
export const BOOT_LEASE_SECONDS = 120;
/** A client identifier that is one option long is kept with the lease; no real one is longer. */
const LONGEST_CLIENT_ID = 255;
/** How long a declined address is set aside. */
export const DECLINED_MS = 600_000;

/** Decides about one request of a client. Pure. */
export function decide(request: DhcpPacket, client: Client, situation: Situation): Decision {
  const { site } = situation;
  const { networks: wire, reach } = wireOf(request, site, situation.interface, situation.from);
  if (wire.length === 0) return silence(whyUnserved(request, situation.interface));
  const node = site.nodeByMac.get(request.chaddr);
  const home = node?.ip === undefined ? wire.filter(({ name }) => name === node?.network) : [];
  const asking: Asking = {
    request,
    client,
    situation,
    wire,
    reach,
    open: home.length > 0 ? home : wire,
    node,
    classes: classesOf(request, client, site),
  };
  const type = read(request.options, OPTION.messageType);
  if (!situation.hasRecords && mayTouchRecords(type) && !mayStandAlone(asking, type))
    return silence({ code: 'leases-unknown' });
  switch (type) {
    case MESSAGE.discover:
      return discover(asking);
    case MESSAGE.request:
      return chooseRequest(asking);
    case MESSAGE.decline:
      return decline(asking);
    case MESSAGE.release:
      return release(asking);
    case MESSAGE.inform:
      return inform(asking);
    default:
      if (isBootp(request)) return bootp(asking);
      return silence({ code: 'message-unanswered' });
  }
}

/** Whether the answer depends on who has which address. */
function mayTouchRecords(type: number | undefined): boolean {
  return type !== undefined && type !== MESSAGE.inform;
}

/**
 * Whether it can be answered from the site alone: a node has an address of its own, or renews one of a pool, which it then has and
 * nobody else can have been given.
 */
function mayStandAlone(asking: Asking, type: number | undefined): boolean {
  if (type !== MESSAGE.discover && type !== MESSAGE.request) return false;
  if (ownPlace(asking)) return true;
  return type === MESSAGE.request && asking.node !== undefined && isRenewal(asking.request);
}

function isRenewal({ ciaddr, options }: DhcpPacket): boolean {
  return ciaddr !== UNSPECIFIED && !options.has(OPTION.serverId.code);
}

type Asking = {
  readonly request: DhcpPacket;
  readonly client: Client;
  readonly situation: Situation;
  /** The networks that the client's wire carries. */
  readonly wire: readonly ServedNetwork[];
  readonly reach: Wire['reach'];
  /** Those whose pools it may draw from: of a node that belongs to one of them, that one. */
  readonly open: readonly ServedNetwork[];
  readonly node: SiteNode | undefined;
  readonly classes: readonly SiteClass[];
};

function discover(asking: Asking): Decision {
  const place = placeFor(asking, read(asking.request.options, OPTION.requestedAddress));
  if ('code' in place) return silence(place);
  const { network, ip, reserved, heldBy } = place;
  const layers = layersAt(asking, network, ip, reserved);
  const { book, now } = asking.situation;
  const lease = book.leaseOf(network.name, asking.request.chaddr);
  const known =
    (lease?.ip === ip && lease.state === 'bound' && lease.expires > now) ||
    book.offerAt(ip)?.mac === asking.request.chaddr;
  return {
    kind: 'offer',
    ...layers,
    ip,
    seconds: leaseSeconds(asking, layers, reserved),
    probe: heldBy !== undefined || (!reserved && !known),
    ...(heldBy && { heldBy }),
    ...strangerIn(network, asking),
  };
}

type ChosenPlace = {
  readonly network: ServedNetwork;
  readonly ip: Ipv4;
  readonly reserved: boolean;
  /** The lease of another machine that runs for the address. */
  readonly heldBy?: Lease;
};

/** Where the client belongs: at its node's own address, else in the first pool that is open to it and has room. */
function placeFor(asking: Asking, wanted: Ipv4 | undefined): ChosenPlace | Refusal {
  const own = ownPlace(asking) ?? placeToTry(asking);
  if (own) return own;
  const { request, situation, open: networks, node } = asking;
  const { book, now } = situation;
  // The network in which it has an address already comes first, so that a client does not wander between networks.
  const order = networks.length === 1 ? networks : [...networks].sort((a, b) => had(b) - had(a));
  let open = false;
  let kept = false;
  for (const network of order) {
    const all = openPools(network, asking);
    if (all.length === 0) continue;
    open = true;
    const isNew = isNewIn(network, asking);
    const refusal = isNew ? situation.admission.whyNot(newcomer(asking), now) : undefined;
    if (refusal !== undefined) return refusal;
    const pools = isNew ? all.filter((pool) => book.hasRoomForStrangers(pool)) : all;
    kept ||= pools.length < all.length;
    const ip = book.propose(network, pools, request.chaddr, wanted, now);
    if (ip !== undefined) return { network, ip, reserved: false };
  }
  if (kept) return { code: 'pools-kept-for-nodes' };
  return { code: open ? 'pools-used-up' : 'pools-closed', ...(node && { node: node.name }) };

  function had(network: Network): number {
    return book.leaseOf(network.name, request.chaddr) ? 1 : 0;
  }
}

/**
 * The address that the site keeps for the node, where nobody else may be using it. What a machine was given from a pool it has until it
 * asks again, or until nobody answers for it; till then the node is served like one without an address of its own. What a machine
 * was given because the site kept it for that machine counts as long as the site does.
 */
function ownPlace(asking: Asking): ChosenPlace | undefined {
  const place = reservedPlace(asking);
  if (!place?.heldBy) return place;
  const { network, ip, heldBy } = place;
  if (canTry(asking) || !wasReserved(heldBy, network)) return undefined;
  return { network, ip, reserved: true };
}

/** The node's own address where the lease of another machine runs for it, and it can be seen whether that machine is there. */
function placeToTry(asking: Asking): ChosenPlace | undefined {
  const place = reservedPlace(asking);
  return place && canTry(asking) && asking.situation.answered !== place.ip ? place : undefined;
}

/** The node's own address, if it is on this wire. An address that the node has been offered is nobody else's any more. */
function reservedPlace({ wire, node, request, situation }: Asking): ChosenPlace | undefined {
  const ip = node?.ip;
  const network = ip === undefined ? undefined : wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (ip === undefined || !network) return undefined;
  const { book, now } = situation;
  const lease = book.leaseAt(ip);
  const isOthers = lease?.state === 'bound' && lease.expires > now && !node?.macs.includes(lease.mac);
  const offer = book.offerAt(ip);
  const isOffered = offer?.mac === request.chaddr && offer.until > now;
  return { network, ip, reserved: true, ...(lease && isOthers && !isOffered ? { heldBy: lease } : {}) };
}

/** An earlier release did not record it: what no pool lends was kept. */
function wasReserved({ ip, reserved }: Lease, { pools }: Network): boolean {
  return reserved ?? !pools.some(({ range }) => inRange(range, ip));
}

function canTry({ request, situation }: Asking): boolean {
  return canProbe(situation.site, request);
}

/** Whether it can be seen if anybody has an address on the client's wire. ARP does not pass a relay. */
export function canProbe({ dhcp }: DhcpSite, { giaddr }: DhcpPacket): boolean {
  return dhcp.probe === 'icmp' || (dhcp.probe === 'arp' && giaddr === UNSPECIFIED);
}

/** Whether it is a machine that the site does not list, and has no address in this network. */
function isNewIn({ name }: Network, { node, request, situation }: Asking): boolean {
  if (node) return false;
  const { book, now } = situation;
  const lease = book.leaseOf(name, request.chaddr);
  if (lease?.state === 'bound' && lease.expires > now) return false;
  return (book.offerOf(name, request.chaddr)?.until ?? 0) <= now;
}

/** What limits for machines that the site does not list ask of one. */
function newcomer({ request, wire }: Asking): Newcomer {
  return { port: switchPortOf(request), wire };
}

function strangerIn(network: Network, asking: Asking): { readonly stranger?: Stranger } {
  return asking.node ? {} : { stranger: { ...newcomer(asking), isNew: isNewIn(network, asking) } };
}

function openPools(network: Network, asking: Asking): readonly Pool[] {
  return network.pools.filter((pool) => isOpen(pool, asking));
}

/** What the client is given from, with an address of this network. */
function layersAt({ node, classes }: Asking, network: ServedNetwork, ip: Ipv4, reserved: boolean): Layers {
  const pool = reserved ? undefined : network.pools.find(({ range }) => inRange(range, ip));
  return { network, pool, classes, node };
}

/** A REQUEST is one of four, told apart by which fields it fills (RFC 2131 section 4.3.2, table 4). */
function chooseRequest(asking: Asking): Decision {
  const { request } = asking;
  const server = read(request.options, OPTION.serverId);
  const requested = read(request.options, OPTION.requestedAddress);
  if (server !== undefined) return selecting(asking, server, requested ?? request.ciaddr);
  if (request.ciaddr !== UNSPECIFIED) return keeping(asking, request.ciaddr, 'renew');
  if (requested !== undefined) return keeping(asking, requested, 'init-reboot');
  return silence({ code: 'address-missing' });
}

function selecting(asking: Asking, server: Ipv4, ip: Ipv4): Decision {
  const { request, situation, wire } = asking;
  const override = relayOf(request)?.serverOverride;
  const ours =
    server === override || [...situation.site.networks.values()].some((network) => network.server === server);
  const network = wire.find((candidate) => inSubnet(candidate.subnet, ip)) ?? wire[0];
  if (!network) return silence(whyUnserved(request, situation.interface));
  if (!ours) return { kind: 'other-server', network, server, wire };
  const refusal = whyNot(asking, ip);
  return refusal === undefined ? grantOrWait(asking, network, ip) : nak(asking, network, ip, refusal);
}

/**
 * A client that says it has an address: after a restart (INIT-REBOOT), or to renew or rebind it. It keeps what our record
 * or the site gives it; what contradicts them is refused. Where we know nothing of it, the lease may be another server's,
 * and a server stays silent, unless the address is of no network here. One that we know may move to a free address. A client that renews an address of an open pool
 * that nobody holds keeps it too: then our record was lost, and nobody disputes the address.
 */
function keeping(asking: Asking, ip: Ipv4, how: 'renew' | 'init-reboot'): Decision {
  const { request, situation, wire, node } = asking;
  const [first] = wire;
  const network = wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (!network)
    return first
      ? nak(asking, first, ip, { code: 'address-off-wire' })
      : silence(whyUnserved(request, situation.interface));
  // Its own address is taken from no node that has it.
  const hasOwn = how === 'renew' && reservedPlace(asking)?.ip === ip;
  const refusal = hasOwn ? undefined : whyNot(asking, ip);
  const { book } = situation;
  const isRecorded = book.leaseAt(ip)?.mac === request.chaddr;
  if (asking.reach === 'routed') {
    // Whoever is on any wire may claim to be behind a router: an address is renewed from itself, and none is given away.
    if (situation.from !== ip) return silence({ code: 'renewal-source-differs' });
    if (refusal === undefined && !isRecorded && node?.ip !== ip) return silence({ code: 'routed-lease-unrecorded' });
  }
  if (refusal === undefined) {
    const isOurClient = isRecorded || node?.ip === ip || book.leaseOf(network.name, request.chaddr) !== undefined;
    if (how === 'renew' || isOurClient) return grantOrWait(asking, network, ip);
    return silence({ code: 'lease-unrecorded' });
  }
  const isOurs = network.pools.some(({ range }) => inRange(range, ip)) || situation.site.nodeByIp.has(ip);
  if (isRecorded || isOurs || ownPlace(asking) || book.leaseOf(network.name, request.chaddr)) {
    return nak(asking, network, ip, refusal);
  }
  return silence({ code: 'address-foreign' });
}

/** A refusal ends the lease that the client may hold of this very address, if it is one of this wire. */
function nak(asking: Asking, network: ServedNetwork, ip: Ipv4, refusal: Refusal): Decision {
  const { request, situation } = asking;
  const lease = situation.book.leaseAt(ip);
  const isLost = lease?.state === 'bound' && lease.mac === request.chaddr && isFromHome(asking, lease.network);
  return {
    kind: 'nak',
    network,
    refusal,
    ...(isLost ? { lease: { ...lease, state: 'released', expires: situation.now } } : {}),
  };
}

/** Why the client may not have `ip`; `undefined` if it may. */
function whyNot(asking: Asking, ip: Ipv4): Refusal | undefined {
  const { request, situation, wire, node } = asking;
  const own = ownPlace(asking);
  if (node && own) return own.ip === ip ? undefined : { code: 'node-has-address', node: node.name };
  const network = wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (!network) return { code: 'address-off-wire' };
  if (node?.network !== undefined && !asking.open.includes(network))
    return { code: 'node-of-other-network', node: node.name, network: node.network };
  if (!openPools(network, asking).some(({ range }) => inRange(range, ip))) return { code: 'address-pool-closed' };
  return situation.book.isFree(ip, request.chaddr, situation.now) ? undefined : { code: 'address-taken' };
}

/** A machine that the site does not list, and that takes an address without an offer, waits like one that asks for an offer. */
function grantOrWait(asking: Asking, network: ServedNetwork, ip: Ipv4): Decision {
  if (!isNewIn(network, asking)) return grant(asking, ip);
  const { book, admission, now } = asking.situation;
  const pool = network.pools.find(({ range }) => inRange(range, ip));
  const refusal = admission.whyNot(newcomer(asking), now);
  if (refusal !== undefined) return silence(refusal);
  if (pool && !book.hasRoomForStrangers(pool)) return silence({ code: 'pool-kept-for-nodes' });
  return grant(asking, ip);
}

function grant(asking: Asking, ip: Ipv4): Decision {
  const { request, situation, wire, node } = asking;
  const { book, now } = situation;
  const network = wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (!network) return silence(whyUnserved(request, situation.interface));
  const reserved = node?.ip === ip;
  const layers = layersAt(asking, network, ip, reserved);
  const seconds = leaseSeconds(asking, layers, reserved);
  const clientId = request.options.get(OPTION.clientId.code);
  const hostname = read(request.options, OPTION.hostname);
  const lease: Lease = {
    ip,
    mac: request.chaddr,
    network: network.name,
    state: 'bound',
    start: now,
    expires: now + seconds * 1000,
    reserved,
    ...(clientId === undefined || clientId.length > LONGEST_CLIENT_ID ? {} : { clientId: Uint8Array.from(clientId) }),
    ...(hostname ? { hostname: printable(hostname) } : {}),
  };
  const before = book.leaseAt(ip);
  const isHeld = before?.state === 'bound' && before.mac === request.chaddr && before.expires > now;
  // What a node has already must not be taken from it by a disk that is full.
  const needsRecord = !reserved && !(node && (isHeld || isRenewal(request)));
  return { kind: 'ack', ...layers, lease, seconds, needsRecord, ...strangerIn(network, asking) };
}

function decline(asking: Asking): Decision {
  const { request, situation } = asking;
  const ip = read(request.options, OPTION.requestedAddress);
  const network = ip === undefined ? undefined : asking.wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (ip === undefined || !network) return silence({ code: 'decline-not-ours' });
  if (!isFromHome(asking, network.name)) return silence({ code: 'lease-on-other-wire' });
  if (asking.node?.ip === ip) return silence({ code: 'decline-own-address', node: asking.node.name });
  const held = situation.book.leaseAt(ip)?.mac === request.chaddr || situation.book.offerAt(ip)?.mac === request.chaddr;
  if (!held) return silence({ code: 'decline-not-held' });
  return {
    kind: 'change',
    event: 'dhcp.decline',
    lease: declined(ip, request.chaddr, network.name, situation.now),
    end: 'declined',
  };
}

/** The record of an address that is in use by somebody who did not get it from us. */
export function declined(ip: Ipv4, mac: Lease['mac'], network: string, now: number): Lease {
  return { ip, mac, network, state: 'declined', start: now, expires: now + DECLINED_MS };
}

function release(asking: Asking): Decision {
  const { request, situation } = asking;
  const lease = situation.book.leaseAt(request.ciaddr);
  if (lease?.mac !== request.chaddr || lease.state !== 'bound') return silence({ code: 'release-not-held' });
  if (!isFromHome(asking, lease.network)) return silence({ code: 'lease-on-other-wire' });
  if (asking.reach !== 'relayed' && situation.from !== request.ciaddr)
    return silence({ code: 'release-source-differs' });
  return {
    kind: 'change',
    event: 'dhcp.release',
    lease: { ...lease, state: 'released', expires: situation.now },
    end: 'released',
  };
}

function isFromHome({ wire, reach, situation }: Asking, network: string): boolean {
  return mayEndLeaseOf(network, { networks: wire, reach }, situation.site, situation.interface);
}

function inform(asking: Asking): Decision {
  const { request, wire, node, reach, situation } = asking;
  const ip = heldAddress(request, situation.from);
  if (ip === UNSPECIFIED && reach !== 'relayed') return silence({ code: 'inform-without-address' });
  // Through a relay, the relay's network is the client's.
  const network = ip === UNSPECIFIED ? wire[0] : wire.find((candidate) => inSubnet(candidate.subnet, ip));
  if (!network) return silence({ code: 'inform-off-wire' });
  return { kind: 'inform', ...layersAt(asking, network, ip, node?.ip === ip), ip };
}

/** A client that knows no leases keeps its address for ever: it can only be given one that is its own. */
function bootp(asking: Asking): Decision {
  const kept = reservedPlace(asking);
  const own = kept && (!kept.heldBy || wasReserved(kept.heldBy, kept.network)) ? kept : undefined;
  if (!own) return silence({ code: 'bootp-without-own-address' });
  return { kind: 'bootp', ...layersAt(asking, own.network, own.ip, true), ip: own.ip };
}

/** The lease time that the site gives; short for a machine that is only booting. */
function leaseSeconds({ request, client }: Asking, layers: Layers, reserved: boolean): number {
  const seconds = givenLease(layers, read(request.options, OPTION.leaseTime));
  return reserved || client.stage === 'os' ? seconds : Math.min(seconds, BOOT_LEASE_SECONDS);
}

/** Whether a node's MAC address asks on a wire that its network is not on: the machine was moved, or another has its address. */
export function asksElsewhere(node: SiteNode | undefined, { networks }: Wire): boolean {
  return node?.network !== undefined && networks.length > 0 && !networks.some(({ name }) => name === node.network);
}

/** Why a request of no network of ours is not answered. */
export function whyUnserved({ giaddr }: DhcpPacket, through: string): Refusal {
  return giaddr === UNSPECIFIED
    ? { code: 'interface-unserved', interface: through }
    : { code: 'relay-unknown', relay: giaddr };
}

/** A client's own name is shown to people and goes into the database: one short line. */
function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '').slice(0, 63);
}

function silence(refusal: Refusal): Decision {
  return { kind: 'silence', refusal };
}
