import { existsSync } from 'node:fs';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, parseMac, writeMac } from '../model/mac.ts';
import { interfaceMissing } from './interfaces.ts';
import {
  AF_INET,
  AF_NETLINK,
  closeDescriptor,
  ETH_P_ARP,
  interfaceIndex,
  kernelAddress,
  linkAddress,
  linkMacOf,
  makeSocket,
  NETLINK_ROUTE,
  receive,
  SOCK_RAW,
  SystemCallError,
  sendTo,
} from './libc.ts';
import { privilegeMissing } from './privilege.ts';
import { openPacketSocket } from './raw.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;
const IFA_LOCAL = 2;
const IFA_ADDRESS = 1;
const EPERM = 1;
const EEXIST = 17;
const EADDRNOTAVAIL = 99;

/** Addresses that this process gives to one interface of this machine, and takes away again when it closes (rtnetlink(7)). */
export class OwnAddresses {
  readonly #fd: number;
  readonly #index: number;
  readonly #interfaceName: string;
  readonly #added = new Map<Ipv4, number>();
  readonly #arp: number;
  readonly #mac: Mac;

  /** Throws INTERFACE_MISSING or PRIVILEGE_MISSING (CAP_NET_RAW). */
  constructor(interfaceName: string) {
    this.#interfaceName = interfaceName;
    this.#arp = openPacketSocket(interfaceName, 0);
    try {
      this.#index = interfaceIndex(this.#arp, interfaceName);
      const mac = linkMacOf(this.#arp, interfaceName);
      if (this.#index === 0 || mac === undefined) throw interfaceMissing(interfaceName);
      this.#mac = mac;
      this.#fd = makeSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    } catch (error) {
      closeDescriptor(this.#arp);
      throw error;
    }
  }

  /**
   * Asks by ARP for the Ethernet address of `to`, in the name of the address `ip`. A machine does so before it first sends to another, which knows it since; the kernel does
   * not where it has asked for another address of its own before.
   */
  askFor(to: Ipv4, ip: Ipv4): void {
    const packet = new Uint8Array(ARP_REQUEST);
    const view = new DataView(packet.buffer);
    packet.set([0, 1, 8, 0, 6, 4, 0, 1]);
    writeMac(this.#mac, packet, 8);
    view.setUint32(14, ip);
    view.setUint32(24, to);
    // One that is lost is no harm: the kernel of the other machine asks then.
    sendTo(this.#arp, packet, packet.length, linkAddress(this.#index, ETH_P_ARP, EVERYBODY));
  }

  /** Adds an address; one that is there already stays as it is. Throws PRIVILEGE_MISSING (CAP_NET_ADMIN) or SystemCallError. */
  add(ip: Ipv4, prefix: number): void {
    const number = this.#ask(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ip, prefix);
    if (number === 0) this.#added.set(ip, prefix);
    else if (number !== EEXIST) throw this.#failure(number);
  }

  /** Takes away what was added. Never throws: an address that is gone already is no failure. */
  close(): void {
    // The last first: with the first of a subnet go all others of it.
    for (const [ip, prefix] of [...this.#added].reverse()) this.#ask(RTM_DELADDR, 0, ip, prefix);
    this.#added.clear();
    closeDescriptor(this.#fd);
    closeDescriptor(this.#arp);
  }

  /** Sends one request and reads the kernel's answer, which is there when the call returns: 0 or the number of an error. */
  #ask(type: number, flags: number, ip: Ipv4, prefix: number): number {
    const message = new Uint8Array(MESSAGE_BYTES);
    const view = new DataView(message.buffer);
    view.setUint32(0, MESSAGE_BYTES, LITTLE);
    view.setUint16(4, type, LITTLE);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, LITTLE);
    message[16] = AF_INET;
    message[17] = prefix;
    view.setUint32(20, this.#index, LITTLE);
    for (const [at, attribute] of [
      [24, IFA_LOCAL],
      [32, IFA_ADDRESS],
    ] as const) {
      view.setUint16(at, 8, LITTLE);
      view.setUint16(at + 2, attribute, LITTLE);
      view.setUint32(at + 4, ip);
    }
    if (!sendTo(this.#fd, message, message.length, kernelAddress())) return EADDRNOTAVAIL;
    const answer = new Uint8Array(256);
    const length = receive(this.#fd, answer);
    const answered = new DataView(answer.buffer);
    if (length < 20 || answered.getUint16(4, LITTLE) !== NLMSG_ERROR) return EADDRNOTAVAIL;
    return -answered.getInt32(16, LITTLE);
  }

  #failure(number: number): Error {
    if (number === EPERM) return privilegeMissing('CAP_NET_ADMIN', `no address may be added to ${this.#interfaceName}`);
    return new SystemCallError('RTM_NEWADDR', `errno ${number}`);
  }
}

const ARP_REQUEST = 28;
const EVERYBODY = parseMac('ff:ff:ff:ff:ff:ff') as Mac;
const MESSAGE_BYTES = 40;
/** Netlink speaks the machine's byte order. */
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Whether this process is in a network namespace of its own, not in the one that the machine booted with and that has its network cards: what the kernel has once for
 * all namespaces is shown in that one only.
 */
export function isInOwnNamespace(): boolean {
  return !existsSync('/proc/sys/net/core/netdev_budget');
}
