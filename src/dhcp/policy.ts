import { type Ipv4, inRange, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { networkIndex } from '../model/networkIndex.ts';
import { OPTION } from '../model/options.ts';
import type { LeaseEnd, Refusal } from '../model/refusal.ts';
import type { Exchange } from './exchange.ts';
import { givenLease, type Layers } from './given.ts';
import { read } from './optionSet.ts';
import { isBootp, MESSAGE } from './packet.ts';
import {
  type Asking,
  isNewIn,
  layersAt,
  networkAt,
  newcomer,
  ownPlace,
  placeFor,
  reservedPlace,
  type Stranger,
  strangerIn,
  wasReserved,
  whyNot,
} from './place.ts';
import type { View } from './view.ts';
import { mayEndLeaseOf, type ServedNetwork } from './wire.ts';

/** What to do about one request: who is given which address. */
export type Decision =
  /** `untried`: the address is newly given, and should be probed first where that can be done. */
  | (Layers & {
      readonly kind: 'offer';
      readonly ip: Ipv4;
      readonly seconds: number;
      readonly untried: boolean;
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
  /** A DECLINE or RELEASE: the lease changes, and no reply is sent. */
  | { readonly kind: 'change'; readonly lease: Lease; readonly end: LeaseEnd }
  /** The client took another server's offer. */
  | {
      readonly kind: 'other-server';
      readonly network: ServedNetwork;
      readonly server: Ipv4;
      /** All networks of the client's wire: what it was offered in them it does not take. */
      readonly wire: readonly ServedNetwork[];
    }
  | { readonly kind: 'silence'; readonly refusal: Refusal };

/** Firmware and loaders need their address for a minute; a longer lease would keep the pool from others. */
export const BOOT_LEASE_SECONDS = 120;
/** A client identifier that is one option long is kept with the lease; no real one is longer. */
const LONGEST_CLIENT_ID = 255;
/** How long a declined address is set aside. */
export const DECLINED_MS = 600_000;

/** Decides about one request. Pure: what it reads it does not change. */
export function decide(exchange: Exchange, view: View): Decision {
  const { wire, node, type } = exchange;
  const [first, ...others] = wire.networks;
  if (!first) return silence(whyUnserved(exchange));
  const home = node?.ip === undefined ? wire.networks.filter(({ name }) => name === node?.network) : [];
  const asking: Asking = {
    exchange,
    view,
    wire: [first, ...others],
    open: home.length > 0 ? home : wire.networks,
  };
  if (!view.hasRecords && mayTouchRecords(type) && !mayStandAlone(asking)) return silence({ code: 'leases-unknown' });
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
      return isBootp(exchange.request) ? bootp(asking) : silence({ code: 'message-unanswered' });
  }
}

/** Why a request of no network of ours is not answered. */
function whyUnserved({ relay, request, interface: name }: Exchange): Refusal {
  return relay ? { code: 'relay-unknown', relay: request.giaddr } : { code: 'interface-unserved', interface: name };
}

/** Whether the answer depends on who has which address. */
function mayTouchRecords(type: number | undefined): boolean {
  return type !== undefined && type !== MESSAGE.inform;
}

/**
 * Whether it can be answered from the site alone: a node has an address of its own, or renews one of a pool, which it then has and
 * no other machine can have been given.
 */
function mayStandAlone(asking: Asking): boolean {
  const { type, node } = asking.exchange;
  if (type !== MESSAGE.discover && type !== MESSAGE.request) return false;
  if (ownPlace(asking)) return true;
  return type === MESSAGE.request && node !== undefined && isRenewal(asking.exchange);
}

function isRenewal({ request: { ciaddr, options } }: Exchange): boolean {
  return ciaddr !== UNSPECIFIED && !options.has(OPTION.serverId.code);
}

function discover(asking: Asking): Decision {
  const place = placeFor(asking);
  if ('code' in place) return silence(place);
  const { network, ip, reserved, heldBy } = place;
  const { mac } = asking.exchange.client;
  const { book, now } = asking.view;
  const layers = layersAt(asking, network, ip, reserved);
  const lease = book.leaseOf(network.name, mac);
  const known = (lease?.ip === ip && lease.state === 'bound' && lease.expires > now) || book.offerAt(ip)?.mac === mac;
  return {
    kind: 'offer',
    ...layers,
    ip,
    seconds: leaseSeconds(asking, layers, reserved),
    untried: heldBy !== undefined || (!reserved && !known),
    ...(heldBy && { heldBy }),
    ...strangerIn(network, asking),
  };
}

/** A REQUEST is one of four kinds, which differ in the fields that are filled (RFC 2131 section 4.3.2, table 4). */
function chooseRequest(asking: Asking): Decision {
  const { request, chosen, requested } = asking.exchange;
  if (chosen !== undefined) return selecting(asking, chosen, requested ?? request.ciaddr);
  if (request.ciaddr !== UNSPECIFIED) return keeping(asking, request.ciaddr, 'renew');
  if (requested !== undefined) return keeping(asking, requested, 'init-reboot');
  return silence({ code: 'address-missing' });
}

function selecting(asking: Asking, server: Ipv4, ip: Ipv4): Decision {
  const { exchange, wire } = asking;
  const network = networkAt(asking, ip) ?? wire[0];
  if (!isOurs(server, exchange)) return { kind: 'other-server', network, server, wire };
  const refusal = whyNot(asking, ip);
  return refusal === undefined ? grantOrWait(asking, network, ip) : nak(asking, network, ip, refusal);
}

/** Whether a server identifier is ours, or what a relay has us say in its place. */
function isOurs(server: Ipv4, { relay, site }: Exchange): boolean {
  return server === relay?.serverOverride || networkIndex(site.networks).servedBy(server).length > 0;
}

/**
 * A client that says it has an address: after a restart (INIT-REBOOT), or to renew or rebind it. It keeps what our record
 * or the site gives it; what contradicts them is refused. Where we have no record of it, the lease may be another server's,
 * and a server stays silent, unless the address is of no network here. One of which we have a record may move to a free address. A client
 * that renews a free address of an open pool keeps it too: then our record was lost, and no other machine has the address.
 */
function keeping(asking: Asking, ip: Ipv4, how: 'renew' | 'init-reboot'): Decision {
  const { exchange, view, wire } = asking;
  const { client, node, site, sender } = exchange;
  const network = networkAt(asking, ip);
  if (!network) return nak(asking, wire[0], ip, { code: 'address-off-wire' });
  // Its own address is taken from no node that has it.
  const hasOwn = how === 'renew' && reservedPlace(asking)?.ip === ip;
  const refusal = hasOwn ? undefined : whyNot(asking, ip);
  const isRecorded = view.book.leaseAt(ip)?.mac === client.mac;
  if (exchange.wire.reach === 'routed') {
    // Whoever is on any wire may claim to be behind a router: an address is renewed from itself, and none is given away.
    if (sender.ip !== ip) return silence({ code: 'renewal-source-differs' });
    if (refusal === undefined && !isRecorded && node?.ip !== ip) return silence({ code: 'routed-lease-unrecorded' });
  }
  if (refusal === undefined) {
    const isOurClient = isRecorded || node?.ip === ip || view.book.leaseOf(network.name, client.mac) !== undefined;
    if (how === 'renew' || isOurClient) return grantOrWait(asking, network, ip);
    return silence({ code: 'lease-unrecorded' });
  }
  const isOfOurs = network.pools.some(({ range }) => inRange(range, ip)) || site.nodeByIp.has(ip);
  if (isRecorded || isOfOurs || ownPlace(asking) || view.book.leaseOf(network.name, client.mac))
    return nak(asking, network, ip, refusal);
  return silence({ code: 'address-foreign' });
}

/** A refusal ends the lease that the client may hold of this very address, if it is one of this wire. */
function nak(asking: Asking, network: ServedNetwork, ip: Ipv4, refusal: Refusal): Decision {
  const { exchange, view } = asking;
  const lease = view.book.leaseAt(ip);
  const isLost = lease?.state === 'bound' && lease.mac === exchange.client.mac && isOnWireOf(exchange, lease.network);
  return {
    kind: 'nak',
    network,
    refusal,
    ...(isLost ? { lease: { ...lease, state: 'released', expires: view.now } } : {}),
  };
}

/** A machine that the site does not list, and that takes an address without an offer, waits like one that asks for an offer. */
function grantOrWait(asking: Asking, network: ServedNetwork, ip: Ipv4): Decision {
  if (!isNewIn(network, asking)) return grant(asking, network, ip);
  const { book, admission, now } = asking.view;
  const pool = network.pools.find(({ range }) => inRange(range, ip));
  const refusal = admission.whyNot(newcomer(asking), now);
  if (refusal !== undefined) return silence(refusal);
  if (pool && !book.hasRoomForStrangers(pool)) return silence({ code: 'pool-kept-for-nodes' });
  return grant(asking, network, ip);
}

function grant(asking: Asking, network: ServedNetwork, ip: Ipv4): Decision {
  const { exchange, view } = asking;
  const { request, node } = exchange;
  const { book, now } = view;
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
  const needsRecord = !reserved && !(node && (isHeld || isRenewal(exchange)));
  return { kind: 'ack', ...layers, lease, seconds, needsRecord, ...strangerIn(network, asking) };
}

function decline(asking: Asking): Decision {
  const { exchange, view } = asking;
  const { client, node, requested: ip } = exchange;
  const network = ip === undefined ? undefined : networkAt(asking, ip);
  if (ip === undefined || !network) return silence({ code: 'decline-not-ours' });
  if (!isOnWireOf(exchange, network.name)) return silence({ code: 'lease-on-other-wire' });
  if (node?.ip === ip) return silence({ code: 'decline-own-address', node: node.name });
  const held = view.book.leaseAt(ip)?.mac === client.mac || view.book.offerAt(ip)?.mac === client.mac;
  if (!held) return silence({ code: 'decline-not-held' });
  return { kind: 'change', lease: declined(ip, client.mac, network.name, view.now), end: 'declined' };
}

/** The record of an address that is in use by somebody who did not get it from us. */
export function declined(ip: Ipv4, mac: Lease['mac'], network: string, now: number): Lease {
  return { ip, mac, network, state: 'declined', start: now, expires: now + DECLINED_MS };
}

function release({ exchange, view }: Asking): Decision {
  const { request, wire, sender } = exchange;
  const lease = view.book.leaseAt(request.ciaddr);
  if (lease?.mac !== request.chaddr || lease.state !== 'bound') return silence({ code: 'release-not-held' });
  if (!isOnWireOf(exchange, lease.network)) return silence({ code: 'lease-on-other-wire' });
  if (wire.reach !== 'relayed' && sender.ip !== request.ciaddr) return silence({ code: 'release-source-differs' });
  return { kind: 'change', lease: { ...lease, state: 'released', expires: view.now }, end: 'released' };
}

function isOnWireOf({ wire, site, interface: name }: Exchange, network: string): boolean {
  return mayEndLeaseOf(network, wire, site, name);
}

function inform(asking: Asking): Decision {
  const { wire, exchange } = asking;
  const { held: ip, node } = exchange;
  if (ip === UNSPECIFIED && exchange.wire.reach !== 'relayed') return silence({ code: 'inform-without-address' });
  // Through a relay, the relay's network is the client's.
  const network = ip === UNSPECIFIED ? wire[0] : networkAt(asking, ip);
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
function leaseSeconds({ exchange: { request, client } }: Asking, layers: Layers, reserved: boolean): number {
  const seconds = givenLease(layers, read(request.options, OPTION.leaseTime));
  return reserved || client.stage === 'os' ? seconds : Math.min(seconds, BOOT_LEASE_SECONDS);
}

/** A client's own name is shown to people and goes into the database: one short line. */
function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '').slice(0, 63);
}

function silence(refusal: Refusal): Decision {
  return { kind: 'silence', refusal };
}
