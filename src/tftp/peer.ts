import type { Ipv4 } from '../model/ipv4.ts';

/** A client's end of a transfer: its address and its transfer identifier (RFC 1350 section 4), the port. */
export type Peer = { readonly ip: Ipv4; readonly port: number };

/** A peer as one number: two peers are the same if their keys are. */
export function peerKey({ ip, port }: Peer): number {
  return ip * 0x10000 + port;
}

/**
 * Where a datagram came from, or `undefined` where no answer can reach: port 0, this network's own zero address, multicast,
 * reserved and broadcast addresses (RFC 1122 section 3.2.1.3). Such a sender is forged.
 */
export function peerOf({ ip, port }: Peer): Peer | undefined {
  if (port === 0) return undefined;
  const network = ip >>> 24;
  return network === 0 || network >= FIRST_MULTICAST ? undefined : { ip, port };
}

const FIRST_MULTICAST = 224;
