import type { BootAnswer } from '../boot/client.ts';
import type { Happening } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { LeaseEnd, Refusal } from '../model/refusal.ts';
import { bootReasonWords } from '../words/boot.ts';
import { leaseEnded, refused } from '../words/dhcp.ts';
import type { BookView } from './book.ts';
import type { Exchange } from './exchange.ts';
import { machineOf } from './machine.ts';
import { MESSAGE } from './packet.ts';
import { isPrivileged } from './privileged.ts';
import type { View } from './view.ts';

/** What the events of an exchange say: pure, from what was read and what was decided. */

const REQUESTS: { readonly [type: number]: 'dhcp.discover' | 'dhcp.request' | 'dhcp.inform' } = {
  [MESSAGE.discover]: 'dhcp.discover',
  [MESSAGE.request]: 'dhcp.request',
  [MESSAGE.inform]: 'dhcp.inform',
};

/** That the request came, and that it came through a network to which its node does not belong. */
export function receivedEvents(exchange: Exchange, { book }: Pick<View, 'book'>): readonly Happening[] {
  const kind = REQUESTS[exchange.type ?? 0];
  const events: Happening[] = [];
  const [here] = exchange.wire.networks;
  const expected = exchange.node?.network;
  if (exchange.isElsewhere && here && expected !== undefined) {
    const { client, via } = exchange;
    events.push({ kind: 'dhcp.wrong-network', mac: client.mac, network: here.name, expected, via });
  }
  if (kind) events.push(receivedEvent(kind, exchange, book));
  return events;
}

function receivedEvent(
  kind: 'dhcp.discover' | 'dhcp.request' | 'dhcp.inform',
  exchange: Exchange,
  book: BookView,
): Happening {
  const { chosen, node } = exchange;
  const requested = exchange.requested ?? (exchange.held || undefined);
  return {
    kind,
    ...whoOf(exchange),
    ...(requested === undefined ? {} : { requested }),
    ...(chosen === undefined ? {} : { chosen }),
    ...(node ? {} : strangerOf(exchange)),
    ...unprivileged(exchange, book),
  };
}

/** That an address, or options alone, were given. */
export function grantedEvent(
  exchange: Exchange,
  { book }: Pick<View, 'book'>,
  kind: 'offer' | 'ack' | 'bootp' | 'inform',
  ip: Ipv4,
  network: string,
  boot: BootAnswer,
): Happening {
  const { client } = exchange;
  return {
    kind: kind === 'offer' ? 'dhcp.offer' : 'dhcp.ack',
    ...whoOf(exchange),
    ip,
    network,
    ...(kind === 'bootp' ? { bootp: true as const, ...unprivileged(exchange, book) } : {}),
    ...(kind === 'inform' ? { informs: true as const } : {}),
    ...(boot.kind === 'boot' && client.asksToBoot ? { bootFile: boot.bootFile } : {}),
    ...(boot.kind === 'none' && client.stage !== 'os' ? { reason: bootReasonWords(boot.reason) } : {}),
  };
}

export function nakEvent(exchange: Exchange, network: string, refusal: Refusal): Happening {
  const requested = exchange.requested ?? (exchange.request.ciaddr || undefined);
  return {
    kind: 'dhcp.nak',
    ...whoOf(exchange),
    ...(requested === undefined ? {} : { requested }),
    network,
    ...refused(refusal),
  };
}

/** That a client declined its address or gave it back. A RELEASE seldom says a name: the lease has it. */
export function lostEvent(exchange: Exchange, lease: Lease, end: LeaseEnd): Happening {
  const { ip, network, hostname } = lease;
  return {
    kind: end === 'declined' ? 'dhcp.decline' : 'dhcp.release',
    ...(hostname === undefined ? {} : { hostname }),
    ...whoOf(exchange),
    ip,
    network,
    ...leaseEnded(end),
  };
}

export function otherServerEvent({ client: { mac } }: Exchange, network: string, server: Ipv4): Happening {
  return { kind: 'dhcp.other-server', mac, server, network };
}

export function refusedEvent({ mac, via }: { readonly mac: Mac; readonly via: string }, refusal: Refusal): Happening {
  return { kind: 'dhcp.refused', mac, via, ...refused(refusal) };
}

/** What every event of an exchange says of its client. */
function whoOf({ client: { mac, stage }, via, hostname, isElsewhere }: Exchange) {
  return {
    mac,
    stage,
    via,
    ...(hostname === undefined ? {} : { hostname }),
    ...(isElsewhere ? { wrongNetwork: true as const } : {}),
  };
}

/** What is noted of a machine that the site does not list. */
function strangerOf({ request, client, classes }: Exchange) {
  const names = classes.map(({ name }) => name);
  return { machine: machineOf(request, client), ...(names.length === 0 ? {} : { classes: names }) };
}

function unprivileged(exchange: Exchange, book: BookView): { readonly unprivileged?: true } {
  const { nodeByIp, nodeByMac } = exchange.site;
  const isOfNode = (ip: Ipv4): boolean => {
    const holder = book.leaseAt(ip)?.mac;
    return nodeByIp.has(ip) || (holder !== undefined && nodeByMac.has(holder));
  };
  return isPrivileged(exchange, isOfNode) ? {} : { unprivileged: true };
}
