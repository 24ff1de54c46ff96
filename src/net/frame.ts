import type { Ipv4 } from '../model/ipv4.ts';

/** Length of an IPv4 header without options. */
export const IPV4_HEADER = 20;
/** Length of the IPv4 and UDP headers together. */
export const UDP_HEADERS = 28;

const UDP = 17;
const TTL = 64;
const DONT_FRAGMENT = 0x40;
const MORE_FRAGMENTS = 0x2000;

export type Endpoint = { readonly ip: Ipv4; readonly port: number };

/**
 * The Internet checksum (RFC 1071) of bytes `start` to `end`, in the form that a header holds. `sum` is the sum of other parts,
 * such as a pseudo header. Over a region that contains its own correct checksum the result is 0.
 */
export function checksum(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  let i = start;
  for (; i + 1 < end; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  if (i < end) sum += (bytes[i] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Writes an IPv4 header (RFC 791) at the start of `into` for a packet of `length` bytes, header included. */
export function writeIpv4Header(into: Uint8Array, protocol: number, from: Ipv4, to: Ipv4, length: number): void {
  into.fill(0, 0, IPV4_HEADER);
  into[0] = 0x45;
  put16(into, 2, length);
  // The identification stays zero: receivers ignore it when "don't fragment" is set (RFC 6864 section 4.1).
  into[6] = DONT_FRAGMENT;
  into[8] = TTL;
  into[9] = protocol;
  put32(into, 12, from);
  put32(into, 16, to);
  put16(into, 10, checksum(into, 0, IPV4_HEADER));
}

/**
 * Writes a whole IPv4 packet with a UDP datagram (RFC 768) into `into`, which has room for `UDP_HEADERS` bytes and the
 * payload. Returns the packet's length.
 */
export function writeUdpPacket(into: Uint8Array, from: Endpoint, to: Endpoint, payload: Uint8Array): number {
  const length = UDP_HEADERS + payload.length;
  writeIpv4Header(into, UDP, from.ip, to.ip, length);
  put16(into, 20, from.port);
  put16(into, 22, to.port);
  put16(into, 24, length - IPV4_HEADER);
  put16(into, 26, 0);
  into.set(payload, UDP_HEADERS);
  const pseudoHeader = halves(from.ip) + halves(to.ip) + UDP + (length - IPV4_HEADER);
  // A sum of zero is sent as all ones: zero means that there is no checksum.
  put16(into, 26, checksum(into, IPV4_HEADER, length, pseudoHeader) || 0xffff);
  return length;
}

/**
 * The fragments (RFC 791 section 3.2) in which an IPv4 packet of `length` bytes passes a link with an MTU of `mtu` bytes. The
 * packet's header has no options. Empty if the MTU leaves less than eight bytes beside a header.
 */
export function fragmentsOf(packet: Uint8Array, length: number, mtu: number, identification: number): Uint8Array[] {
  const fragments: Uint8Array[] = [];
  const step = (mtu - IPV4_HEADER) & ~7;
  if (step < 8) return fragments;
  for (let at = IPV4_HEADER; at < length; at += step) {
    const end = Math.min(at + step, length);
    const fragment = new Uint8Array(IPV4_HEADER + end - at);
    fragment.set(packet.subarray(0, IPV4_HEADER));
    fragment.set(packet.subarray(at, end), IPV4_HEADER);
    put16(fragment, 2, fragment.length);
    put16(fragment, 4, identification);
    put16(fragment, 6, ((at - IPV4_HEADER) >>> 3) | (end < length ? MORE_FRAGMENTS : 0));
    put16(fragment, 10, 0);
    put16(fragment, 10, checksum(fragment, 0, IPV4_HEADER));
    fragments.push(fragment);
  }
  return fragments;
}

function halves(ip: Ipv4): number {
  return (ip >>> 16) + (ip & 0xffff);
}

function put16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value & 0xff;
}

function put32(into: Uint8Array, at: number, value: number): void {
  put16(into, at, value >>> 16);
  put16(into, at + 2, value & 0xffff);
}
