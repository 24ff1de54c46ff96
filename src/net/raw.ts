import { type Endpoint, UDP_HEADERS, writeUdpPacket } from './frame.ts';
import { interfaceMissing } from './interfaces.ts';
import {
  AF_PACKET,
  closeDescriptor,
  ETH_P_IP,
  interfaceIndex,
  lastError,
  linkAddress,
  makeSocket,
  SOCK_DGRAM,
  SystemCallError,
  sendTo,
  setLinkDestination,
} from './libc.ts';
import type { Mac } from './mac.ts';
import { privilegeMissing } from './privilege.ts';

/** Sends UDP to machines that do not have their address yet, so that no ARP could find them. */
export type RawSender = {
  /** Sends one datagram to an Ethernet address. Never throws: what the kernel does not take is dropped and counted. */
  send(to: Endpoint & { readonly mac: Mac }, from: Endpoint, payload: Uint8Array): void;
  /** How many datagrams were dropped since opening. */
  readonly dropped: number;
  close(): void;
};

/** Larger than any frame of Ethernet, jumbo frames included. */
const LARGEST_PACKET = 9216;

/** Opens a sender on one interface. Throws INTERFACE_MISSING or PRIVILEGE_MISSING (CAP_NET_RAW). */
export function openRawSender(interfaceName: string): RawSender {
  // Protocol 0: this socket sends only, and the kernel need not copy packets to it.
  const fd = openPacketSocket(interfaceName, 0);
  const packet = new Uint8Array(LARGEST_PACKET);
  let destination = linkAddress(interfaceIndex(interfaceName), ETH_P_IP);
  let dropped = 0;
  let closed = false;

  /** An interface that was taken down and made anew has another index. */
  const isRenumbered = (): boolean => {
    const error = lastError();
    if (error !== 'ENXIO' && error !== 'ENODEV') return false;
    const index = interfaceIndex(interfaceName);
    if (index === 0) return false;
    destination = linkAddress(index, ETH_P_IP);
    return true;
  };

  return {
    send(to, from, payload) {
      if (closed || UDP_HEADERS + payload.length > LARGEST_PACKET) {
        dropped++;
        return;
      }
      const length = writeUdpPacket(packet, from, to, payload);
      setLinkDestination(destination, to.mac);
      if (sendTo(fd, packet, length, destination)) return;
      if (isRenumbered()) {
        setLinkDestination(destination, to.mac);
        if (sendTo(fd, packet, length, destination)) return;
      }
      dropped++;
    },
    get dropped() {
      return dropped;
    },
    close() {
      if (!closed) closeDescriptor(fd);
      closed = true;
    },
  };
}

/**
 * A packet socket for frames of `etherType` without their Ethernet header (0: to send only). The caller binds and
 * closes it. Throws INTERFACE_MISSING or PRIVILEGE_MISSING.
 */
export function openPacketSocket(interfaceName: string, etherType: number): number {
  if (interfaceIndex(interfaceName) === 0) throw interfaceMissing(interfaceName);
  try {
    return makeSocket(AF_PACKET, SOCK_DGRAM, ((etherType & 0xff) << 8) | (etherType >>> 8));
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== 'EPERM') throw error;
    throw privilegeMissing('CAP_NET_RAW', `raw packets may not be sent on ${interfaceName}`, error);
  }
}
