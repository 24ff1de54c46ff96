import { endianness } from 'node:os';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes } from '../model/mac.ts';
import {
  AF_INET,
  AF_NETLINK,
  closeDescriptor,
  interfaceIndex,
  kernelAddress,
  makeSocket,
  NETLINK_ROUTE,
  receive,
  SOCK_RAW,
  sendTo,
} from './libc.ts';

/**
 * How a packet to an address leaves: `ready`, at once; `waits`, after the kernel has resolved its next hop by ARP; `none`, not at
 * all: there is no route, or the address is not a single machine's.
 */
export type Reach = 'ready' | 'waits' | 'none';

/** The same, with `ready` split: the address itself is the next hop (or this machine), or a router is. */
export type Way = 'neighbour' | 'router' | 'waits' | 'none';

/** How long an address that was ready counts as ready: the kernel keeps the entry of a silent next hop for longer. */
const READY_MS = 1000;
const MOST_READY = 4096;

/** Reads the kernel's tables of routes and neighbours, without waiting and without making entries in them. */
export class NextHops {
  readonly #interface: string | undefined;
  readonly #fd: number;
  readonly #kernel = kernelAddress();
  readonly #received = new Uint8Array(4096);
  readonly #reply = new DataView(this.#received.buffer);
  readonly #route = new Question(GET_ROUTE);
  readonly #neighbour = new Question(GET_NEIGHBOUR);
  readonly #readyAt = new Map<Ipv4, number>();
  #index: number;
  #length = 0;
  #sequence = 0;
  #closed = false;

  /** For packets that leave through one interface, or through any. Throws SystemCallError if no socket can be made. */
  constructor(interfaceName?: string) {
    this.#interface = interfaceName;
    this.#fd = makeSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    this.#index = this.#findIndex();
  }

  /** `now`: milliseconds of a monotonic clock. Never throws. */
  reach(ip: Ipv4, now: number): Reach {
    const readyAt = this.#readyAt.get(ip);
    if (readyAt !== undefined && now - readyAt < READY_MS) return 'ready';
    const way = this.wayTo(ip);
    const reach = way === 'neighbour' || way === 'router' ? 'ready' : way;
    this.#readyAt.delete(ip);
    if (reach === 'ready') {
      if (this.#readyAt.size >= MOST_READY) this.#readyAt.clear();
      this.#readyAt.set(ip, now);
    }
    return reach;
  }

  /** What the kernel's tables hold at this moment: two system calls. Never throws. */
  wayTo(ip: Ipv4): Way {
    this.#route.ask(ip, this.#index);
    if (!this.#request(this.#route)) {
      // An interface that was deleted and made again has another index.
      this.#index = this.#findIndex();
      return 'none';
    }
    const type = this.#reply.getUint8(HEADER + ROUTE_TYPE_AT);
    if (type === LOCAL) return 'neighbour';
    if (type !== UNICAST) return 'none';
    const router = this.#attribute(GATEWAY);
    const index = this.#index || (this.#attribute(OUTPUT)?.index ?? 0);
    this.#neighbour.ask(router?.ip ?? ip, index);
    const isKnown =
      this.#request(this.#neighbour) && (this.#reply.getUint16(HEADER + STATE_AT, LITTLE) & STATES_VALID) !== 0;
    if (!isKnown) return 'waits';
    return router === undefined ? 'neighbour' : 'router';
  }

  /** The Ethernet address of a neighbour in the kernel's table; `undefined` if it has none. Never throws. */
  macOf(ip: Ipv4): Mac | undefined {
    this.#neighbour.ask(ip, this.#index);
    const at = this.#request(this.#neighbour) ? this.#find(LINK_ADDRESS, 6) : undefined;
    return at === undefined ? undefined : macFromBytes(this.#received, at);
  }

  close(): void {
    if (!this.#closed) closeDescriptor(this.#fd);
    this.#closed = true;
  }

  /** 0: any interface. */
  #findIndex(): number {
    return this.#interface === undefined ? 0 : interfaceIndex(this.#fd, this.#interface);
  }

  /** Whether the kernel answers a request without an error; `#reply` then holds the answer. */
  #request(request: Question): boolean {
    if (this.#closed) return false;
    const sequence = ++this.#sequence & 0x7fffffff;
    request.number(sequence);
    if (!sendTo(this.#fd, request.bytes, request.bytes.length, this.#kernel)) return false;
    // The kernel answers within the call. Leftovers of an earlier request are skipped.
    for (let i = 0; i < 4; i++) {
      const length = receive(this.#fd, this.#received);
      if (length < HEADER + BODY) return false;
      if (this.#reply.getUint32(8, LITTLE) !== sequence) continue;
      this.#length = length;
      return this.#reply.getUint16(4, LITTLE) !== ERROR;
    }
    return false;
  }

  /** An attribute of the route in `#reply`, read as an address and as a number; `undefined` if it is absent. */
  #attribute(type: number): { ip: Ipv4; index: number } | undefined {
    const at = this.#find(type, 4);
    return at === undefined
      ? undefined
      : { ip: this.#reply.getUint32(at) as Ipv4, index: this.#reply.getInt32(at, LITTLE) };
  }

  /** The offset in `#reply` of an attribute's value with at least `size` bytes. */
  #find(type: number, size: number): number | undefined {
    for (let at = HEADER + BODY; at + 4 <= this.#length; ) {
      const length = this.#reply.getUint16(at, LITTLE);
      if (length < 4) return undefined;
      if (this.#reply.getUint16(at + 2, LITTLE) === type)
        return length >= 4 + size && at + length <= this.#length ? at + 4 : undefined;
      at += (length + 3) & ~3;
    }
    return undefined;
  }
}

// rtnetlink(7): numbers are in host byte order, addresses in network byte order.
const LITTLE = endianness() === 'LE';
const HEADER = 16;
/** Of both `struct rtmsg` and `struct ndmsg`. */
const BODY = 12;
const REQUEST = 1;
const ERROR = 2;
const GET_ROUTE = 26;
const GET_NEIGHBOUR = 30;
const DESTINATION = 1;
const LINK_ADDRESS = 2;
const OUTPUT = 4;
const GATEWAY = 5;
const ROUTE_TYPE_AT = 7;
const UNICAST = 1;
const LOCAL = 2;
const STATE_AT = 8;
/** Reachable, stale, delayed, probed, without ARP, permanent: all except incomplete and failed. */
const STATES_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

/** A request about one address, through one interface; its buffer is reused. */
class Question {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #indexAt: number;

  /** `about` GET_ROUTE or GET_NEIGHBOUR. */
  constructor(about: typeof GET_ROUTE | typeof GET_NEIGHBOUR) {
    const isRoute = about === GET_ROUTE;
    const view = new DataView(new ArrayBuffer(HEADER + BODY + (isRoute ? 16 : 8)));
    view.setUint32(0, view.byteLength, LITTLE);
    view.setUint16(4, about, LITTLE);
    view.setUint16(6, REQUEST, LITTLE);
    view.setUint8(HEADER, AF_INET);
    if (isRoute) view.setUint8(HEADER + 1, 32);
    view.setUint16(DESTINATION_AT - 4, 8, LITTLE);
    view.setUint16(DESTINATION_AT - 2, DESTINATION, LITTLE);
    if (isRoute) {
      view.setUint16(DESTINATION_AT + 4, 8, LITTLE);
      view.setUint16(DESTINATION_AT + 6, OUTPUT, LITTLE);
    }
    this.#view = view;
    this.#indexAt = isRoute ? DESTINATION_AT + 8 : HEADER + 4;
    this.bytes = new Uint8Array(view.buffer);
  }

  ask(ip: Ipv4, index: number): void {
    this.#view.setUint32(DESTINATION_AT, ip);
    this.#view.setInt32(this.#indexAt, index, LITTLE);
  }

  number(sequence: number): void {
    this.#view.setUint32(8, sequence, LITTLE);
  }
}

const DESTINATION_AT = HEADER + BODY + 4;
