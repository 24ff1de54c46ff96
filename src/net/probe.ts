import { type FaultSink, guarded } from '../faults.ts';
import { checksum, IPV4_HEADER, writeIpv4Header } from './frame.ts';
import { interfaceMissing } from './interfaces.ts';
import type { Ipv4 } from './ipv4.ts';
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
import { type Mac, parseMac, writeMac } from './mac.ts';
import { privilegeMissing } from './privilege.ts';
import { openListening } from './raw.ts';

/** Finds out whether anybody uses an address, before it is handed to somebody else (RFC 2131 section 3.1). */
export type Prober = {
  /**
   * Whether a machine answers for `ip` within `waitMs`. Asked twice, so that one lost packet decides nothing. `from` is
   * the server's address in that network. Never rejects: where no question can be sent nobody answers. With more than
   * 4096 addresses in question at once, further ones count as free.
   */
  inUse(ip: Ipv4, from: Ipv4, waitMs: number): Promise<boolean>;
  /** Ends it; questions still open are answered with false. */
  close(): void;
};

/** A way to ask: one packet out for each question, and the address that a received packet proves to be in use. */
type Method = {
  readonly fd: number;
  ask(ip: Ipv4, from: Ipv4): void;
  answeredBy(packet: Uint8Array, length: number): Ipv4 | undefined;
};

type Question = {
  readonly answer: Promise<boolean>;
  readonly settle: (inUse: boolean) => void;
};

const MOST_QUESTIONS = 4096;
const PACKETS_PER_TURN = 256;

/**
 * Opens a prober on one interface. Throws INTERFACE_MISSING, PRIVILEGE_MISSING (CAP_NET_RAW), or SystemCallError where no socket
 * can be made. Once open it needs no further descriptor.
 */
export function openProber(interfaceName: string, method: 'arp' | 'icmp', faulted: FaultSink): Prober {
  return probing(method === 'arp' ? openArp(interfaceName) : openIcmp(interfaceName), faulted);
}

function probing(method: Method, faulted: FaultSink): Prober {
  const questions = new Map<Ipv4, Question>();
  const packet = new Uint8Array(2048);
  let watch: { stop(): void } | undefined;
  let closed = false;

  const read = (): void => {
    for (let i = 0; i < PACKETS_PER_TURN; i++) {
      const length = receive(method.fd, packet);
      if (length < 0) return;
      const ip = method.answeredBy(packet, length);
      if (ip !== undefined) questions.get(ip)?.settle(true);
    }
  };

  /** Packets are listened to only while a question is open; what came before tells nothing about now. */
  const listen = (): void => {
    if (watch) return;
    for (let i = 0; i < MOST_QUESTIONS && receive(method.fd, packet) >= 0; i++);
    watch = watchReadable(method.fd, guarded(faulted, read));
  };

  const open = (ip: Ipv4, from: Ipv4, waitMs: number): Question => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const again = setTimeout(
      guarded(faulted, () => method.ask(ip, from)),
      waitMs / 2,
    );
    const giveUp = setTimeout(
      guarded(faulted, () => settle(false)),
      waitMs,
    );
    const settle = (inUse: boolean): void => {
      clearTimeout(again);
      clearTimeout(giveUp);
      questions.delete(ip);
      if (questions.size === 0) {
        watch?.stop();
        watch = undefined;
      }
      resolve(inUse);
    };
    return { answer: promise, settle };
  };

  return {
    inUse(ip, from, waitMs) {
      const asked = questions.get(ip);
      if (asked) return asked.answer;
      if (closed || questions.size >= MOST_QUESTIONS) return Promise.resolve(false);
      listen();
      const question = open(ip, from, waitMs);
      questions.set(ip, question);
      method.ask(ip, from);
      return question.answer;
    },
    close() {
      if (closed) return;
      closed = true;
      for (const question of [...questions.values()]) question.settle(false);
      closeDescriptor(method.fd);
    },
  };
}

const ARP_LENGTH = 28;
const EVERYBODY = parseMac('ff:ff:ff:ff:ff:ff') as Mac;

/** ARP probes (RFC 5227 section 2.1.1): the sender's address is zero, so that nobody's ARP table changes. */
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
  };
}

/** Ethernet, IPv4, request; sender `mac` without an address; the target's address goes to offset 24. */
function arpProbe(mac: Mac): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(ARP_LENGTH);
  packet.set([0, 1, 8, 0, 6, 4, 0, 1]);
  writeMac(mac, packet, 8);
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
  };
}

function openIcmpSocket(interfaceName: string): number {
  let fd: number | undefined;
  try {
    fd = makeSocket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    bindToDevice(fd, interfaceName);
    setOption(fd, IP_HDRINCL, 1);
    // One bit for each type that the kernel shall keep to itself: all but echo replies.
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

/** The sender of an IPv4 packet that is an echo reply to us; `undefined` if it is anything else. */
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
