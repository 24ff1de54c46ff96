import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../net/ipv4.ts';
import { type Mac, parseMac } from '../net/mac.ts';
import { BROADCAST_FLAG, type DhcpPacket } from './packet.ts';
import { relayOf } from './relay.ts';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/**
 * Where a reply goes. `frame`: to an Ethernet address on this wire, which asks nothing of ARP: the client may have no address yet,
 * or claim one that nobody has. `datagram`: through the kernel's routing, to a relay or a client behind a router.
 */
export type Destination =
  | { readonly kind: 'datagram'; readonly ip: Ipv4; readonly port: number }
  | { readonly kind: 'frame'; readonly ip: Ipv4; readonly mac: Mac; readonly port: number };

/** What decides, beside the request, where its reply goes. */
export type Way = {
  readonly yiaddr: Ipv4;
  readonly isNak: boolean;
  /** The UDP port that the request came from. */
  readonly fromPort: number;
  /** Whether an address lies in a subnet of the wire that the request came through. */
  readonly isLocal: (ip: Ipv4) => boolean;
};

/** Where the reply to `request` goes (RFC 2131 section 4.1; RFC 8357 for the relay's port). */
export function destinationOf(request: DhcpPacket, { yiaddr, isNak, fromPort, isLocal }: Way): Destination {
  const relay = relayOf(request);
  if (relay) return { kind: 'datagram', ip: request.giaddr, port: relay.ownPort ? fromPort : SERVER_PORT };
  if (isNak) return BROADCAST;
  const { ciaddr, chaddr } = request;
  if (ciaddr !== UNSPECIFIED) {
    return isLocal(ciaddr)
      ? { kind: 'frame', ip: ciaddr, mac: chaddr, port: CLIENT_PORT }
      : { kind: 'datagram', ip: ciaddr, port: CLIENT_PORT };
  }
  if (request.flags & BROADCAST_FLAG || yiaddr === UNSPECIFIED) return BROADCAST;
  return { kind: 'frame', ip: yiaddr, mac: chaddr, port: CLIENT_PORT };
}

const EVERYBODY = parseMac('ff:ff:ff:ff:ff:ff') as Mac;
const BROADCAST: Destination = { kind: 'frame', ip: LIMITED_BROADCAST, mac: EVERYBODY, port: CLIENT_PORT };
