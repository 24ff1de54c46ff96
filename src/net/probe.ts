import { type FaultSink, guarded } from '../faults.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes, parseMac, writeMac } from '../model/mac.ts';
import { checksum, IPV4_HEADER, writeIpv4Header } from './frame.ts';
import { interfaceMissing } from './interfaces.ts';
import {
  AF_INET,
  bindToDevice,
  closeDescriptor,
  ETH_P_ARP,
  ICMP_FILTER,
  IP_HDRINCL,
  IPPROTO_ICMP,
  inetAddress,
  linkAddress,
  makeSocket,
  receive,
  SOCK_RAW,
  SystemCallError,
  sendTo,
  setOption,
  watchReadable,
} from './libc.ts';
import { NextHops } from './nextHop.ts';
import { privilegeMissing } from './privilege.ts';
import { openListening } from './raw.ts';

/** Finds out whether a machine uses an address, before it is given to another one (RFC 2131 section 3.1). */
export type Prober = {
  /**
   * Whether a machine answers for `ip` within `waitMs`. Two probes are sent, so that one lost packet decides nothing. Never
   * rejects: if no probe can be sent, the address counts as free. With more than 4096 probes open at once, further addresses
   * count as free.
   */
  inUse(question: ProbeQuestion): Promise<boolean>;
  /** Closes the prober; open probes are answered with false. */
  close(): void;
};

/**
 * `from` is the server's address in the network of `ip`. The machine that is to get the address may use it already, and answers
 * then: `own` are its Ethernet addresses, whose answers do not count.
 */
export type ProbeQuestion = {
  readonly ip: Ipv4;
  readonly from: Ipv4;
  readonly waitMs: number;
  readonly own: readonly Mac[];
};

/** A way to probe: one packet for each probe, the address that a received packet proves to be in use, and its sender. */
type Method = {
  readonly fd: number;
  ask(ip: Ipv4, from: Ipv4): void;
  answeredBy(packet: Uint8Array, length: number): Ipv4 | undefined;
  senderOf(packet: Uint8Array, ip: Ipv4): Mac | undefined;
  close(): void;
};

type Question = {
  readonly own: readonly Mac[];
  readonly answer: Promise<boolean>;
  readonly settle: (inUse: boolean) => void;
};

const MOST_QUESTIONS = 4096;
const PACKETS_PER_TURN = 256;

/**
 * Opens a prober on one interface. Throws INTERFACE_MISSING, PRIVILEGE_MISSING (CAP_NET_RAW), or SystemCallError if no socket can
 * be made. Once open it needs no further descriptor.
 */
export function openProber(interfaceName: string, method: 'arp' | 'icmp', faulted: FaultSink): Prober {
  return probing(method === 'arp' ? openArp(interfaceName) : openIcmp(interfaceName), faulted);
}

function probing(method: Method, faulted: FaultSink): Prober {
  const questions = new Map<Ipv4, readonly Question[]>();
  const packet = new Uint8Array(2048);
  let watch: { stop(): void } | undefined;
  let count = 0;
  let closed = false;

  const read = (): void => {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      const length = receive(method.fd, packet);
      if (length < 0) return;
      const ip = method.answeredBy(packet, length);
      const asked = ip === undefined ? undefined : questions.get(ip);
      if (ip === undefined || asked === undefined) continue;
      const sender = method.senderOf(packet, ip);
      for (const { own, settle } of asked) if (sender === undefined || !own.includes(sender)) settle(true);
    }
  };

  /** Packets count only while a probe is open; earlier ones prove nothing about now. */
  const listen = (): void => {
    if (watch) return;
    for (let i = 0; i < MOST_QUESTIONS && receive(method.fd, packet) >= 0; i++);
    watch = watchReadable(method.fd, guarded(faulted, read));
  };

  const forget = (ip: Ipv4, question: Question): void => {
    const others = questions.get(ip)?.filter((one) => one !== question) ?? [];
    if (others.length > 0) questions.set(ip, others);
    else questions.delete(ip);
    if (--count > 0) return;
    watch?.stop();
    watch = undefined;
  };

  const open = ({ ip, from, waitMs, own }: ProbeQuestion): Question => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const again = setTimeout(
      guarded(faulted, () => method.ask(ip, from)),
      waitMs / 2,
    );
    const giveUp = setTimeout(
      guarded(faulted, () => settle(false)),
      waitMs,
    );
    let isOpen = true;
    const settle = (inUse: boolean): void => {
      if (!isOpen) return;
      isOpen = false;
      clearTimeout(again);
      clearTimeout(giveUp);
      forget(ip, question);
      resolve(inUse);
    };
    const question = { own, answer: promise, settle };
    return question;
  };

  return {
    inUse(asking) {
      const { ip, own, from } = asking;
      const before = questions.get(ip) ?? [];
      const asked = before.find((one) => one.own.length === own.length && one.own.every((mac) => own.includes(mac)));
      if (asked) return asked.answer;
      if (closed || count >= MOST_QUESTIONS) return Promise.resolve(false);
      listen();
      const question = open(asking);
      questions.set(ip, [...before, question]);
      count++;
      method.ask(ip, from);
      return question.answer;
    },
    close() {
      if (closed) return;
      closed = true;
      for (const question of [...questions.values()].flat()) question.settle(false);
      method.close();
    },
  };
}

const ARP_LENGTH = 28;
const ARP_SENDER_AT = 8;
const EVERYBODY = parseMac('ff:ff:ff:ff:ff:ff') as Mac;

/** ARP probes (RFC 5227 section 2.1.1): the sender's address is zero, so that no ARP table changes. */
function openArp(interfaceName: string): Method {
  const { fd, index, mac } = openListening(interfaceName, ETH_P_ARP);
  const everybody = linkAddress(index, ETH_P_ARP, EVERYBODY);
  const probe = arpProbe(mac);
  return {
    fd,
    ask(ip) {
      new DataView(probe.buffer).setUint32(24, ip);
      sendTo(fd, probe, ARP_LENGTH, everybody);
    },
    answeredBy: arpSender,
    senderOf: (packet) => macFromBytes(packet, ARP_SENDER_AT),
    close: () => closeDescriptor(fd),
  };
}

/** Ethernet, IPv4, request; sender `mac` without an address; the target's address goes to offset 24. */
function arpProbe(mac: Mac): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(ARP_LENGTH);
  packet.set([0, 1, 8, 0, 6, 4, 0, 1]);
  writeMac(mac, packet, ARP_SENDER_AT);
  return packet;
}

/** The address that the sender of an ARP packet, request or reply, uses; `undefined` if it has none or is malformed. */
export function arpSender(packet: Uint8Array, length: number): Ipv4 | undefined {
  if (length < ARP_LENGTH || packet[0] !== 0 || packet[1] !== 1 || packet[2] !== 8 || packet[3] !== 0) return undefined;
  if (packet[4] !== 6 || packet[5] !== 4) return undefined;
  return readIp(packet, 14) || undefined;
}

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const ECHO_LENGTH = 8;

/** ICMP echo (RFC 792): finds machines behind routers too, but not those whose firewall drops it. */
function openIcmp(interfaceName: string): Method {
  const identifier = Math.floor(Math.random() * 0x10000);
  const packet = new Uint8Array(IPV4_HEADER + ECHO_LENGTH);
  let sequence = 0;
  const fd = openIcmpSocket(interfaceName);
  const hops = hopsThrough(interfaceName, fd);
  return {
    fd,
    ask(ip, from) {
      writeIpv4Header(packet, IPPROTO_ICMP, from, ip, packet.length);
      const echo = new DataView(packet.buffer, IPV4_HEADER);
      sequence = (sequence + 1) & 0xffff;
      echo.setUint16(0, ECHO_REQUEST << 8);
      echo.setUint16(2, 0);
      echo.setUint16(4, identifier);
      echo.setUint16(6, sequence);
      echo.setUint16(2, checksum(packet, IPV4_HEADER, packet.length));
      sendTo(fd, packet, packet.length, inetAddress(ip, 0));
    },
    answeredBy: (received, length) => echoSender(received, length, identifier),
    // To send the echo request, the kernel had to find the machine by ARP.
    senderOf: (_, ip) => hops.macOf(ip),
    close: () => {
      hops.close();
      closeDescriptor(fd);
    },
  };
}

function hopsThrough(interfaceName: string, fd: number): NextHops {
  try {
    return new NextHops(interfaceName);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function openIcmpSocket(interfaceName: string): number {
  let fd: number | undefined;
  try {
    fd = makeSocket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    bindToDevice(fd, interfaceName);
    setOption(fd, IP_HDRINCL, 1);
    // One bit for each ICMP type that the kernel filters out: all except echo replies.
    setOption(fd, ICMP_FILTER, ~(1 << ECHO_REPLY));
    return fd;
  } catch (error) {
    if (fd !== undefined) closeDescriptor(fd);
    if (error instanceof SystemCallError && error.code === 'EPERM')
      throw privilegeMissing('CAP_NET_RAW', `addresses may not be probed on ${interfaceName}`, error);
    if (error instanceof SystemCallError && error.code === 'ENODEV') throw interfaceMissing(interfaceName, error);
    throw error;
  }
}

/** The sender of an IPv4 packet that is an echo reply to us; `undefined` for any other packet. */
export function echoSender(packet: Uint8Array, length: number, identifier: number): Ipv4 | undefined {
  const header = ((packet[0] ?? 0) & 0x0f) * 4;
  if (header < IPV4_HEADER || length < header + ECHO_LENGTH || packet[9] !== IPPROTO_ICMP) return undefined;
  if (packet[header] !== ECHO_REPLY || ((packet[header + 4] ?? 0) << 8) + (packet[header + 5] ?? 0) !== identifier)
    return undefined;
  return readIp(packet, 12);
}

function readIp(bytes: Uint8Array, at: number): Ipv4 {
  return ((((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>>
    0) as Ipv4;
}
