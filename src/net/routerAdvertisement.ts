import { type FaultSink, guarded } from '../faults.ts';
import { type Mac, parseMac, writeMac } from '../model/mac.ts';
import { checksum } from './frame.ts';
import { seeInterfaces } from './interfaces.ts';
import { closeDescriptor, ETH_P_IPV6, linkAddress, receive, sendTo, watchReadable } from './libc.ts';
import { hearLinkNews } from './linkNews.ts';
import { openListening } from './raw.ts';

const IPV6_HEADER = 40;
const ICMPV6 = 58;
const SOLICITATION = 133;
const ADVERTISEMENT = 134;
/** Without options: type, code, checksum, and twelve bytes of router parameters. */
const ADVERTISEMENT_LENGTH = 16;
const ALL_NODES = parseMac('33:33:00:00:00:01') as Mac;
const PACKETS_PER_TURN = 64;

/**
 * Answers router solicitations on one interface with an advertisement that offers nothing: no router, no prefix, no DHCPv6. A
 * machine that waits for IPv6 then knows at once that there is none. Throws INTERFACE_MISSING or PRIVILEGE_MISSING (CAP_NET_RAW).
 */
export function advertiseNoRouter(interfaceName: string, faulted: FaultSink): { close(): void } {
  const { fd, index, mac } = openListening(interfaceName, ETH_P_IPV6);
  const answer = routerAdvertisement(mac);
  const everybody = linkAddress(index, ETH_P_IPV6, ALL_NODES);
  const packet = new Uint8Array(2048);
  const read = (): void => {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      const length = receive(fd, packet);
      if (length < 0) return;
      if (isRouterSolicitation(packet, length)) sendTo(fd, answer, answer.length, everybody);
    }
  };
  const watch = watchReadable(fd, guarded(faulted, read));
  return {
    close() {
      watch.stop();
      closeDescriptor(fd);
    },
  };
}

/**
 * The same on each of these interfaces while it exists; an interface that is deleted and made again is served again. Throws
 * PRIVILEGE_MISSING or SystemCallError.
 */
export function advertiseNoRouters(interfaceNames: readonly string[], faulted: FaultSink): { close(): void } {
  const open = new Map<string, { readonly index: number | undefined; close(): void }>();
  const follow = (): void => {
    const { numbers } = seeInterfaces();
    for (const name of interfaceNames) {
      const index = numbers.get(name);
      if (open.get(name)?.index === index) continue;
      open.get(name)?.close();
      open.delete(name);
      if (index !== undefined) open.set(name, { index, close: advertiseNoRouter(name, faulted).close });
    }
  };
  follow();
  const news = hearLinkNews(follow, faulted);
  return {
    close() {
      news.close();
      for (const one of open.values()) one.close();
      open.clear();
    },
  };
}

/** Whether an IPv6 packet is a router solicitation (RFC 4861 section 4.1): next header ICMPv6, hop limit 255, type and code. */
export function isRouterSolicitation(packet: Uint8Array, length: number): boolean {
  return (
    length >= IPV6_HEADER + 8 &&
    (packet[0] ?? 0) >>> 4 === 6 &&
    packet[6] === ICMPV6 &&
    packet[7] === 255 &&
    packet[IPV6_HEADER] === SOLICITATION &&
    packet[IPV6_HEADER + 1] === 0
  );
}

/**
 * An IPv6 packet to all nodes with a router advertisement (RFC 4861 section 4.2) of the link-local address that belongs
 * to `mac`. Router lifetime 0: no default router. Flags M and O clear: no DHCPv6. No options: no prefix.
 */
export function routerAdvertisement(mac: Mac): Uint8Array {
  const packet = new Uint8Array(IPV6_HEADER + ADVERTISEMENT_LENGTH);
  packet.set([0x60, 0, 0, 0, 0, ADVERTISEMENT_LENGTH, ICMPV6, 255]);
  packet.set(linkLocal(mac), 8);
  packet.set([0xff, 0x02], 24);
  packet[39] = 1;
  packet[IPV6_HEADER] = ADVERTISEMENT;
  // The pseudo header (RFC 8200 section 8.1) is both addresses, the length and the next header.
  const sum = checksum(packet, 8, packet.length, ADVERTISEMENT_LENGTH + ICMPV6);
  packet.set([sum >>> 8, sum & 0xff], IPV6_HEADER + 2);
  return packet;
}

/** fe80::/64 with the interface identifier made from the Ethernet address (RFC 4291 appendix A). */
function linkLocal(mac: Mac): Uint8Array {
  const address = new Uint8Array(16);
  address.set([0xfe, 0x80]);
  writeMac(mac, address, 10);
  address.copyWithin(8, 10, 13);
  address[8] = (address[8] ?? 0) ^ 0x02;
  address.set([0xff, 0xfe], 11);
  return address;
}
