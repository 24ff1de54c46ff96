import { type Ipv4, inSubnet, netmaskOf, type Subnet } from './ipv4.ts';
import { closeDescriptor, interfaceIndex, listInterfaces, makeSocket, receive, SOCK_RAW, sendTo } from './libc.ts';

/**
 * What becomes of a packet to an address:
 * - `resolved`: it leaves at once, the kernel knows the neighbour's Ethernet address (or it is this machine's own address);
 * - `unresolved`: it waits for ARP, in the send buffer of its socket, for 3 s where the address does not exist;
 * - `routed`: it goes to a router, or nowhere.
 */
export type Way = 'resolved' | 'unresolved' | 'routed';

const AF_NETLINK = 16;
const AF_INET = 2;
const NETLINK_ROUTE = 0;
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const NLM_F_REQUEST = 1;
const NDA_DST = 1;
/** Any of these: the kernel has an Ethernet address, even if it would have to ask again for it to be sure. */
const NUD_VALID = 0xde;
/** A network that was made anew has another index, and may have no other address. */
const NETWORKS_MS = 5000;
const LOOPBACK = 'lo';

type Network = { readonly subnet: Subnet; readonly own: Ipv4; readonly index: number; readonly loopback: boolean };

/**
 * Tells which addresses the kernel can send to at once. Whoever sends to this machine over Ethernet has asked for its Ethernet
 * address before, and the kernel knows the asker since: an address on a network of this machine that the kernel does not
 * know is most likely forged. One call to the kernel for each question, some microseconds.
 */
export class Neighbours {
  readonly #fd: number;
  readonly #request = neighbourRequest();
  readonly #answer = new Uint8Array(1024);
  #networks: readonly Network[] = [];
  #networksAt = Number.NEGATIVE_INFINITY;
  #sequence = 0;
  #closed = false;

  /** Throws SystemCallError if there is no descriptor left. */
  constructor() {
    this.#fd = makeSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  }

  /** `now` is in milliseconds of one monotonic clock. Never throws: what the kernel does not tell is `unresolved`. */
  wayTo(ip: Ipv4, now: number): Way {
    if (this.#closed) return 'unresolved';
    if (now - this.#networksAt >= NETWORKS_MS) this.#look(now);
    const network = this.#networks.find(({ subnet }) => inSubnet(subnet, ip));
    if (network === undefined) return 'routed';
    if (network.loopback || this.#networks.some(({ own }) => own === ip)) return 'resolved';
    return this.#isKnown(ip, network.index) ? 'resolved' : 'unresolved';
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeDescriptor(this.#fd);
  }

  #look(now: number): void {
    this.#networksAt = now;
    try {
      this.#networks = networksOfThisMachine();
    } catch {
      // Without a descriptor to look with, what was seen before is the best guess.
    }
  }

  #isKnown(ip: Ipv4, index: number): boolean {
    const { bytes, sequence, interface: at, address } = this.#request;
    this.#sequence = (this.#sequence + 1) >>> 0;
    sequence[0] = this.#sequence;
    at[0] = index;
    address.setUint32(0, ip);
    if (!sendTo(this.#fd, bytes, bytes.length, KERNEL)) return false;
    // The kernel answers within the call. An answer with another number belongs to a question before.
    for (let length = receive(this.#fd, this.#answer); length >= 26; length = receive(this.#fd, this.#answer)) {
      const view = new DataView(this.#answer.buffer);
      if (view.getUint32(8, LITTLE_ENDIAN) !== this.#sequence) continue;
      if (view.getUint16(4, LITTLE_ENDIAN) !== RTM_NEWNEIGH) return false;
      return (view.getUint16(24, LITTLE_ENDIAN) & NUD_VALID) !== 0;
    }
    return false;
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** `struct sockaddr_nl` of the kernel itself. */
const KERNEL = sockaddrNetlink();

function sockaddrNetlink(): Uint8Array {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setUint16(0, AF_NETLINK, LITTLE_ENDIAN);
  return bytes;
}

/** `struct nlmsghdr`, `struct ndmsg` and one attribute, and views of what changes from question to question. */
function neighbourRequest() {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, LITTLE_ENDIAN);
  view.setUint16(4, RTM_GETNEIGH, LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST, LITTLE_ENDIAN);
  view.setUint8(16, AF_INET);
  view.setUint16(28, 8, LITTLE_ENDIAN);
  view.setUint16(30, NDA_DST, LITTLE_ENDIAN);
  return {
    bytes,
    sequence: new Uint32Array(bytes.buffer, 8, 1),
    interface: new Int32Array(bytes.buffer, 20, 1),
    address: new DataView(bytes.buffer, 32, 4),
  };
}

/** The narrowest first: of networks that lie in each other the inner one holds. */
function networksOfThisMachine(): Network[] {
  const networks: Network[] = [];
  for (const entry of listInterfaces()) {
    if (entry.kind !== 'inet') continue;
    const prefix = 32 - Math.log2(2 ** 32 - entry.netmask);
    const base = ((entry.ip & netmaskOf(prefix)) >>> 0) as Ipv4;
    const loopback = entry.name === LOOPBACK;
    networks.push({ subnet: { base, prefix }, own: entry.ip, index: interfaceIndex(entry.name), loopback });
  }
  return networks.sort((a, b) => b.subnet.prefix - a.subnet.prefix);
}
