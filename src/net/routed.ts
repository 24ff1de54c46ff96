import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { type Endpoint, UDP_HEADERS, writeUdpPacket } from './frame.ts';
import { interfaceMissing } from './interfaces.ts';
import {
  AF_INET,
  bindToDevice,
  closeDescriptor,
  IP_HDRINCL,
  IPPROTO_RAW,
  inetAddress,
  makeSocket,
  SO_SNDBUF,
  SOCK_RAW,
  SystemCallError,
  setOption,
} from './libc.ts';
import { NextHops } from './nextHop.ts';
import { LARGEST_PACKET, sendPacket } from './packetOut.ts';
import { privilegeMissing } from './privilege.ts';

/**
 * Space for some twenty packets that wait for ARP. An address that does not exist holds its packets for three seconds, so that at
 * most some seven such addresses a second cause an ARP request and an entry in the kernel's neighbour table.
 */
const WAITING_BUFFER = 16 * 1024;
const MOST_MET = 4096;

/**
 * Sends UDP through the kernel's routing, from any source address and port, to relays and to clients behind routers. A packet
 * that waits for ARP never delays one that can leave at once: each kind has a socket of its own. Packets that wait are of two
 * kinds: to addresses that were reached before and whose entry the kernel has dropped, and to all others, which may be forged.
 */
export class RoutedSender {
  readonly #interface: string;
  readonly #hops: NextHops;
  readonly #ready: number;
  readonly #metBefore: number;
  readonly #others: number;
  readonly #met = new Set<Ipv4>();
  readonly #packet = new Uint8Array(LARGEST_PACKET);
  readonly #to = inetAddress(UNSPECIFIED, 0);
  readonly #view = new DataView(this.#to.buffer);
  #closed = false;

  /** Throws INTERFACE_MISSING, PRIVILEGE_MISSING (CAP_NET_RAW) or SystemCallError. */
  static open(interfaceName: string): RoutedSender {
    const opened: { close(): void }[] = [];
    const socket = (): number => {
      const fd = openIpSocket(interfaceName);
      opened.push({ close: () => closeDescriptor(fd) });
      return fd;
    };
    try {
      const hops = new NextHops(interfaceName);
      opened.push(hops);
      const [ready, metBefore, others] = [socket(), socket(), socket()];
      for (const fd of [metBefore, others]) setOption(fd, SO_SNDBUF, WAITING_BUFFER);
      return new RoutedSender(interfaceName, hops, ready, metBefore, others);
    } catch (error) {
      for (const one of opened) one.close();
      throw inWords(error, interfaceName);
    }
  }

  private constructor(interfaceName: string, hops: NextHops, ready: number, metBefore: number, others: number) {
    this.#interface = interfaceName;
    this.#hops = hops;
    this.#ready = ready;
    this.#metBefore = metBefore;
    this.#others = others;
  }

  /** `undefined` if the kernel accepted the datagram, else the reason; it is dropped then. Never throws and never waits. */
  send(to: Endpoint, from: Endpoint, payload: Uint8Array): string | undefined {
    if (this.#closed || to.port === 0 || to.ip === UNSPECIFIED) return 'EINVAL';
    if (UDP_HEADERS + payload.length > LARGEST_PACKET) return 'EMSGSIZE';
    const reach = this.#hops.reach(to.ip, performance.now());
    if (reach === 'none') return 'EHOSTUNREACH';
    const length = writeUdpPacket(this.#packet, from, to, payload);
    // Routers on the path may fragment it; the kernel fills in identification and checksum.
    this.#packet[6] = 0;
    this.#view.setUint32(4, to.ip);
    return sendPacket(this.#socketFor(to.ip, reach), this.#interface, this.#packet, length, this.#to);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hops.close();
    for (const fd of [this.#ready, this.#metBefore, this.#others]) closeDescriptor(fd);
  }

  #socketFor(ip: Ipv4, reach: 'ready' | 'waits'): number {
    if (reach === 'waits') return this.#met.has(ip) ? this.#metBefore : this.#others;
    if (!this.#met.has(ip)) {
      if (this.#met.size >= MOST_MET) this.#met.clear();
      this.#met.add(ip);
    }
    return this.#ready;
  }
}

/** A socket that sends whole IP packets and receives none. */
function openIpSocket(interfaceName: string): number {
  const fd = makeSocket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  try {
    bindToDevice(fd, interfaceName);
    setOption(fd, IP_HDRINCL, 1);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function inWords(error: unknown, interfaceName: string): unknown {
  if (!(error instanceof SystemCallError)) return error;
  if (error.code === 'EPERM')
    return privilegeMissing('CAP_NET_RAW', `raw packets may not be sent on ${interfaceName}`, error);
  return error.code === 'ENODEV' ? interfaceMissing(interfaceName, error) : error;
}
