import type { Mac } from '../model/mac.ts';
import { type Endpoint, UDP_HEADERS, writeUdpPacket } from './frame.ts';
import { interfaceMissing } from './interfaces.ts';
import {
  AF_PACKET,
  bindSocket,
  closeDescriptor,
  ETH_P_IP,
  interfaceIndex,
  interfaceMtu,
  linkAddress,
  linkMacOf,
  makeSocket,
  SOCK_DGRAM,
  SystemCallError,
  setLinkDestination,
} from './libc.ts';
import { LARGEST_PACKET, sendPacket } from './packetOut.ts';
import { privilegeMissing } from './privilege.ts';

/**
 * Sends UDP in frames to Ethernet addresses: to machines that do not have their address yet, which ARP cannot find, and past any
 * queue of packets that wait for ARP.
 */
export type RawSender = {
  /** `undefined` if the kernel accepted the datagram, else the reason; it is dropped then. Never throws and never waits. */
  send(to: Endpoint & { readonly mac: Mac }, from: Endpoint, payload: Uint8Array): string | undefined;
  /** The largest payload that fits one frame; undefined if the interface is gone. */
  room(): number | undefined;
  /** Whether the interface of this name is still the one that this sender was opened on. */
  readonly isCurrent: boolean;
  /** How many datagrams were dropped since opening. */
  readonly dropped: number;
  close(): void;
};

/** Opens a sender on one interface. Throws INTERFACE_MISSING or PRIVILEGE_MISSING (CAP_NET_RAW). */
export function openRawSender(interfaceName: string): RawSender {
  // Protocol 0: this socket sends only, and the kernel need not copy packets to it.
  const fd = openPacketSocket(interfaceName, 0);
  const packet = new Uint8Array(LARGEST_PACKET);
  const opened = interfaceIndex(fd, interfaceName);
  let destination = linkAddress(opened, ETH_P_IP);
  let dropped = 0;
  let closed = false;

  const transmit = (length: number, mac: Mac): string | undefined => {
    setLinkDestination(destination, mac);
    return sendPacket(fd, interfaceName, packet, length, destination);
  };

  const send: RawSender['send'] = (to, from, payload) => {
    if (closed || to.port === 0) return 'EINVAL';
    if (UDP_HEADERS + payload.length > LARGEST_PACKET) return 'EMSGSIZE';
    const length = writeUdpPacket(packet, from, to, payload);
    const failure = transmit(length, to.mac);
    if (failure !== 'ENXIO' && failure !== 'ENODEV') return failure;
    // An interface that was deleted and made again has another index.
    const index = interfaceIndex(fd, interfaceName);
    if (index === 0) return failure;
    destination = linkAddress(index, ETH_P_IP);
    return transmit(length, to.mac);
  };

  return {
    send(to, from, payload) {
      const failure = send(to, from, payload);
      if (failure !== undefined) dropped++;
      return failure;
    },
    room() {
      const mtu = closed ? 0 : interfaceMtu(fd, interfaceName);
      return mtu === 0 ? undefined : mtu - UDP_HEADERS;
    },
    get isCurrent() {
      return !closed && interfaceIndex(fd, interfaceName) === opened;
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
  const fd = makePacketSocket(interfaceName, etherType);
  if (interfaceIndex(fd, interfaceName) !== 0) return fd;
  closeDescriptor(fd);
  throw interfaceMissing(interfaceName);
}

/**
 * A packet socket as of `openPacketSocket`, bound to receive what arrives on the interface; with the interface's index and
 * address.
 */
export function openListening(interfaceName: string, etherType: number): { fd: number; index: number; mac: Mac } {
  const fd = openPacketSocket(interfaceName, etherType);
  try {
    const index = interfaceIndex(fd, interfaceName);
    const mac = linkMacOf(fd, interfaceName);
    if (index === 0 || mac === undefined) throw interfaceMissing(interfaceName);
    bindSocket(fd, linkAddress(index, etherType));
    return { fd, index, mac };
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function makePacketSocket(interfaceName: string, etherType: number): number {
  try {
    return makeSocket(AF_PACKET, SOCK_DGRAM, ((etherType & 0xff) << 8) | (etherType >>> 8));
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== 'EPERM') throw error;
    throw privilegeMissing('CAP_NET_RAW', `raw packets may not be sent on ${interfaceName}`, error);
  }
}
