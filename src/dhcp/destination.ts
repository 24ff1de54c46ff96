import { type Ipv4, LIMITED_BROADCAST, UNSPECIFIED } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Exchange } from './exchange.ts';
import { BROADCAST_FLAG } from './packet.ts';
import { isOnWire } from './wire.ts';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/**
 * Where a reply goes. `frame`: to an Ethernet address on this wire, which asks nothing of ARP: the client may have no address yet,
 * or claim one that no machine has. `datagram`: through the kernel's routing, to a relay or a client behind a router.
 */
export type Destination =
  | { readonly kind: 'datagram'; readonly ip: Ipv4; readonly port: number }
  | { readonly kind: 'frame'; readonly ip: Ipv4; readonly mac: Mac; readonly port: number };

/** Where a reply goes that gives `yiaddr` (RFC 2131 section 4.1; RFC 8357 for the relay's port). */
export function destinationOf(exchange: Exchange, yiaddr: Ipv4, isNak: boolean): Destination {
  const { request, relay, sender, held } = exchange;
  if (relay) return { kind: 'datagram', ip: request.giaddr, port: relay.ownPort ? sender.port : SERVER_PORT };
  if (isNak) return BROADCAST;
  const { chaddr } = request;
  if (held !== UNSPECIFIED) {
    return isOnWire(exchange.site, exchange.interface, held)
      ? { kind: 'frame', ip: held, mac: chaddr, port: CLIENT_PORT }
      : { kind: 'datagram', ip: held, port: CLIENT_PORT };
  }
  if (request.flags & BROADCAST_FLAG || yiaddr === UNSPECIFIED) return BROADCAST;
  return { kind: 'frame', ip: yiaddr, mac: chaddr, port: CLIENT_PORT };
}

const EVERYBODY = parseMac('ff:ff:ff:ff:ff:ff') as Mac;
const BROADCAST: Destination = { kind: 'frame', ip: LIMITED_BROADCAST, mac: EVERYBODY, port: CLIENT_PORT };
