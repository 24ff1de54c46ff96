import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import { BROADCAST_FLAG, type DhcpPacket } from './packet.ts';
import { relayOf } from './relay.ts';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/** Where a reply goes. `frame` is for a client that has no address yet and cannot answer ARP. */
export type Destination =
  | { readonly kind: 'datagram'; readonly ip: Ipv4; readonly port: number }
  | { readonly kind: 'frame'; readonly ip: Ipv4; readonly mac: Mac; readonly port: number };

/** Where the reply to `request` goes (RFC 2131 section 4.1; RFC 8357 for the relay's port). `fromPort` is the request's. */
export function destinationOf(request: DhcpPacket, yiaddr: Ipv4, isNak: boolean, fromPort: number): Destination {
  const relay = relayOf(request);
  if (relay) return { kind: 'datagram', ip: request.giaddr, port: relay.ownPort ? fromPort : SERVER_PORT };
  if (isNak) return BROADCAST;
  if (request.ciaddr !== UNSPECIFIED) return { kind: 'datagram', ip: request.ciaddr, port: CLIENT_PORT };
  if (request.flags & BROADCAST_FLAG || yiaddr === UNSPECIFIED) return BROADCAST;
  return { kind: 'frame', ip: yiaddr, mac: request.chaddr, port: CLIENT_PORT };
}

const BROADCAST: Destination = { kind: 'datagram', ip: LIMITED_BROADCAST, port: CLIENT_PORT };
