import { formatIpv4, type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteClass } from '../model/network.ts';
import type { WireNode } from '../model/node.ts';
import { OPTION } from '../model/options.ts';
import type { Refusal } from '../model/refusal.ts';
import { classesOf } from './classes.ts';
import { type Client, clientOf } from './client.ts';
import { hostnameOf } from './machine.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, decodePacket } from './packet.ts';
import { type Relay, relayOf } from './relay.ts';
import type { DhcpSite } from './site.ts';
import { type SwitchPort, switchPortOf } from './switchPort.ts';
import { heldAddress, type Located, type Wire, wireOf } from './wire.ts';

/** Where a datagram came from, as its headers have it: anyone on the wire can write anything there. */
export type Sender = { readonly ip: Ipv4; readonly port: number };

/** One request with all that it and the site say of its client, read once. */
export type Exchange = {
  readonly kind: 'exchange';
  /** The site as of which the request was read; its networks have their servers' addresses. */
  readonly site: DhcpSite;
  /** The interface that the request arrived on. */
  readonly interface: string;
  readonly sender: Sender;
  readonly request: DhcpPacket;
  /** Option 53. Absent in a request of BOOTP, and where the option's value is malformed. */
  readonly type: number | undefined;
  readonly client: Client;
  readonly relay: Relay | undefined;
  readonly wire: Wire;
  /** What the request came through: the relay's address, else the interface. */
  readonly via: string;
  readonly node: WireNode | undefined;
  /** Whether the MAC address is of a node whose network this wire does not carry: the machine was moved, or another has its address. */
  readonly isElsewhere: boolean;
  /** Those that the client belongs to, in the site's order. */
  readonly classes: readonly SiteClass[];
  /** Where the machine is plugged in, as a relay or switch says; only read of machines that the site does not list. */
  readonly switchPort: SwitchPort | undefined;
  /** The address that the client says it has; 0.0.0.0 if it says none. */
  readonly held: Ipv4;
  /** The address that the client asks for (option 50). */
  readonly requested: Ipv4 | undefined;
  /** The server whose offer the client takes (option 54). */
  readonly chosen: Ipv4 | undefined;
  /** The name that the machine gives itself. */
  readonly hostname: string | undefined;
};

/** Bytes that are no request, and a request through a relay that the site does not know: of that, nothing more is read. */
export type Unread =
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'reply' }
  | { readonly kind: 'unserved'; readonly mac: Mac; readonly via: string; readonly refusal: Refusal };

const REPLY: Unread = { kind: 'reply' };

/** Reads a datagram that arrived on the interface `name`. Never throws; no length in it is trusted. */
export function readExchange(bytes: Buffer, sender: Sender, name: string, site: DhcpSite): Exchange | Unread {
  const decoded = decodePacket(bytes);
  if (!decoded.ok) return { kind: 'malformed', reason: decoded.reason };
  if (decoded.packet.op !== 'request') return REPLY;
  const located = locate(decoded.packet, sender);
  const wire = wireOf(located, site, name);
  if (located.relay && wire.networks.length === 0) return unserved(located.request);
  return fill(located, wire, sender, name, site);
}

/** Anybody can make up such relays, a new one with each packet. */
function unserved({ chaddr: mac, giaddr }: DhcpPacket): Unread {
  return { kind: 'unserved', mac, via: formatIpv4(giaddr), refusal: { code: 'relay-unknown', relay: giaddr } };
}

/** What a request is by a site. */
export function exchangeOf(request: DhcpPacket, sender: Sender, name: string, site: DhcpSite): Exchange {
  const located = locate(request, sender);
  return fill(located, wireOf(located, site, name), sender, name, site);
}

function locate(request: DhcpPacket, sender: Sender): Located {
  const type = read(request.options, OPTION.messageType);
  return { request, type, relay: relayOf(request), held: heldAddress(request, type, sender.ip) };
}

function fill(located: Located, wire: Wire, sender: Sender, name: string, site: DhcpSite): Exchange {
  const { request, type, relay, held } = located;
  const { options, giaddr, chaddr } = request;
  const client = clientOf(request);
  const node = site.nodeByMac.get(chaddr);
  return {
    kind: 'exchange',
    site,
    interface: name,
    sender,
    request,
    type,
    client,
    relay,
    wire,
    via: giaddr === UNSPECIFIED ? name : formatIpv4(giaddr),
    node,
    isElsewhere: asksElsewhere(node, wire),
    classes: classesOf(request, client, site),
    switchPort: node ? undefined : switchPortOf(request),
    held,
    requested: read(options, OPTION.requestedAddress),
    chosen: read(options, OPTION.serverId),
    hostname: hostnameOf(request),
  };
}

function asksElsewhere(node: WireNode | undefined, { networks }: Wire): boolean {
  if (node?.network === undefined || networks.length === 0) return false;
  for (const { name } of networks) if (name === node.network) return false;
  return true;
}
