import { AsyncResource } from 'node:async_hooks';
import koffi from 'koffi';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes, writeMac } from '../model/mac.ts';

/** Constants of Linux's socket interface that are the same on every architecture that Reveille runs on. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;
export const IPPROTO_ICMP = 1;
export const IPPROTO_UDP = 17;
export const IPPROTO_RAW = 255;
export const NETLINK_ROUTE = 0;

const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const F_DUPFD_CLOEXEC = 1030;
const MSG_DONTWAIT = 0x40;
const ARPHRD_ETHER = 1;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;

/** Socket options as [level, name]. */
export const SO_REUSEADDR = [1, 2] as const;
export const SO_BROADCAST = [1, 6] as const;
export const SO_SNDBUF = [1, 7] as const;
export const SO_RCVBUF = [1, 8] as const;
export const IP_HDRINCL = [0, 3] as const;
export const ICMP_FILTER = [255, 1] as const;
const SO_BINDTODEVICE = [1, 25] as const;
type SocketOption = readonly [level: number, name: number];

const ifaddrs = koffi.struct({
  next: 'void *',
  name: 'str',
  flags: 'uint',
  address: 'void *',
  netmask: 'void *',
  destination: 'void *',
  data: 'void *',
});

const lib = koffi.load(null);
const c = {
  socket: lib.func('int socket(int domain, int type, int protocol)') as (d: number, t: number, p: number) => number,
  close: lib.func('int close(int fd)') as (fd: number) => number,
  bind: lib.func('int bind(int fd, const void *address, uint32_t length)') as (
    fd: number,
    address: Uint8Array,
    length: number,
  ) => number,
  setsockopt: lib.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)') as (
    fd: number,
    level: number,
    name: number,
    value: Uint8Array,
    length: number,
  ) => number,
  sendto: lib.func(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *to, uint32_t toLength)',
  ) as (fd: number, data: Uint8Array, length: number, flags: number, to: Uint8Array, toLength: number) => number,
  recv: lib.func('long recv(int fd, void *data, size_t length, int flags)') as (
    fd: number,
    into: Uint8Array,
    length: number,
    flags: number,
  ) => number,
  recvfrom: lib.func('long recvfrom(int fd, void *data, size_t length, int flags, void *from, void *fromLength)') as (
    fd: number,
    into: Uint8Array,
    length: number,
    flags: number,
    from: Uint8Array,
    fromLength: Uint32Array,
  ) => number,
  fcntl: lib.func('int fcntl(int fd, int command, ...)') as (
    fd: number,
    command: number,
    type: 'int',
    argument: number,
  ) => number,
  ioctl: lib.func('int ioctl(int fd, ulong request, void *argument)') as (
    fd: number,
    request: number,
    argument: Uint8Array,
  ) => number,
  getifaddrs: lib.func('getifaddrs', 'int', [koffi.out(koffi.pointer('void *'))]) as (list: [unknown]) => number,
  freeifaddrs: lib.func('void freeifaddrs(void *list)') as (list: unknown) => void,
};

/** A system call that failed: `code` as in `EADDRINUSE`. */
export class SystemCallError extends Error {
  readonly code: string;

  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

/** Why the last call failed, such as `EAGAIN`. Must be read at once, before any other call. */
export function lastError(): string {
  const number = koffi.errno();
  return ERROR_NAMES.get(number) ?? `errno ${number}`;
}

/** Of names for the same number the first, which is more common: EAGAIN before EWOULDBLOCK. */
const ERROR_NAMES = new Map(
  Object.entries(koffi.os.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

function succeed(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, lastError());
  return result;
}

/** Makes a non-blocking socket that children do not inherit; returns its descriptor, which the caller closes. */
export function makeSocket(domain: number, type: number, protocol: number): number {
  return succeed('socket', c.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

/** A duplicate of a descriptor; children do not inherit it. The caller closes both. */
export function duplicate(fd: number): number {
  return succeed('fcntl', c.fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0));
}

export function closeDescriptor(fd: number): void {
  c.close(fd);
}

/** Sets a socket option that takes an int. */
export function setOption(fd: number, [level, name]: SocketOption, value: number): void {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  succeed('setsockopt', c.setsockopt(fd, level, name, bytes, bytes.length));
}

/** Binds a socket to one interface: it receives and sends only there. */
export function bindToDevice(fd: number, interfaceName: string): void {
  const bytes = Buffer.from(`${interfaceName}\0`);
  succeed('setsockopt SO_BINDTODEVICE', c.setsockopt(fd, ...SO_BINDTODEVICE, bytes, bytes.length));
}

export function bindSocket(fd: number, address: Uint8Array): void {
  succeed('bind', c.bind(fd, address, address.length));
}

/** Sends the first `length` bytes without waiting. False if the kernel refused; `lastError()` holds the reason. */
export function sendTo(fd: number, data: Uint8Array, length: number, to: Uint8Array): boolean {
  return c.sendto(fd, data, length, MSG_DONTWAIT, to, to.length) >= 0;
}

/** Receives one packet without waiting; its length, or -1 if there is none. */
export function receive(fd: number, into: Uint8Array): number {
  return c.recv(fd, into, into.length, MSG_DONTWAIT);
}

/** Receives one datagram like `receive`, and writes the sender's `struct sockaddr_in` into `from`. */
export function receiveFrom(fd: number, into: Uint8Array, from: Uint8Array): number {
  FROM_LENGTH[0] = from.length;
  return c.recvfrom(fd, into, into.length, MSG_DONTWAIT, from, FROM_LENGTH);
}

const FROM_LENGTH = new Uint32Array(1);

/**
 * Calls `onReadable` from the event loop while `fd` has something to read, until the returned `stop` is called, in the caller's
 * asynchronous context. A socket with an error, for example after its interface goes down, counts as readable: reading it clears
 * the error. `onReadable` must not throw.
 */
export function watchReadable(fd: number, onReadable: () => void): { stop(): void } {
  let again: NodeJS.Timeout | undefined;
  let stopped = false;
  // A callback from koffi does not run pending promise jobs; an immediate of the same turn does.
  const read = AsyncResource.bind(() => {
    setImmediate(() => {
      if (!stopped) onReadable();
    });
  });
  // The event loop stops watching a descriptor that has an error, and reports it with a negative status.
  const onEvent = (status: unknown): void => {
    read();
    if (typeof status === 'number' && status < 0) again = setTimeout(resume, RESUME_MS);
  };
  const resume = (): void => {
    try {
      handle.start({ readable: true }, onEvent);
    } catch {
      again = setTimeout(resume, RESUME_MS);
    }
  };
  const handle = koffi.node.poll(fd, { readable: true }, onEvent);
  WATCHES.add(handle);
  return {
    stop: () => {
      stopped = true;
      clearTimeout(again);
      WATCHES.delete(handle);
      handle.close();
    },
  };
}

/** A descriptor with a lasting error is checked at most this often. */
const RESUME_MS = 100;
/** A handle without references is garbage collected, and its descriptor is no longer watched. */
const WATCHES = new Set<object>();

/** The kernel's index of an interface; 0 if there is none of this name. `fd` is any socket: no other descriptor is needed. */
export function interfaceIndex(fd: number, name: string): number {
  return askInterface(fd, SIOCGIFINDEX, name)?.readInt32() ?? 0;
}

/** The largest IPv4 packet that an interface takes, in bytes; 0 if there is no such interface. `fd` is any socket. */
export function interfaceMtu(fd: number, name: string): number {
  return askInterface(fd, SIOCGIFMTU, name)?.readInt32() ?? 0;
}

/** The Ethernet address of an interface; `undefined` if there is no such interface. `fd` is any socket. */
export function linkMacOf(fd: number, name: string): Mac | undefined {
  const address = askInterface(fd, SIOCGIFHWADDR, name);
  return address && macFromBytes(address.bytes, 2);
}

/** netdevice(7): the bytes that an ioctl writes into `struct ifreq` after the name; `undefined` if it fails. */
function askInterface(fd: number, what: number, name: string) {
  const request = new Uint8Array(40);
  request.set(Buffer.from(name).subarray(0, NAME_SIZE - 1));
  if (c.ioctl(fd, what, request) < 0) return undefined;
  return {
    bytes: request.subarray(NAME_SIZE),
    readInt32: () => new Int32Array(request.buffer, NAME_SIZE, 1)[0] ?? 0,
  };
}

const NAME_SIZE = 16;

/** `struct sockaddr_nl`: the kernel's address to send to; to bind to, with the multicast groups to receive. */
export function kernelAddress(groups = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  new Uint16Array(bytes.buffer, 0, 1)[0] = AF_NETLINK;
  new Uint32Array(bytes.buffer, 8, 1)[0] = groups;
  return bytes;
}

/** `struct sockaddr_in`. */
export function inetAddress(ip: Ipv4, port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  new Uint16Array(bytes.buffer, 0, 1)[0] = AF_INET;
  view.setUint16(2, port);
  view.setUint32(4, ip);
  return bytes;
}

/** `struct sockaddr_un`; a path has 107 bytes at most. */
export function unixAddress(path: string): Uint8Array {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  new Uint16Array(bytes.buffer, bytes.byteOffset, 1)[0] = AF_UNIX;
  bytes.write(path, 2);
  return bytes;
}

/** `struct sockaddr_ll`; `setLinkDestination` changes its destination. */
export function linkAddress(index: number, etherType: number, mac?: Mac): Uint8Array {
  const bytes = new Uint8Array(20);
  new Uint16Array(bytes.buffer, 0, 1)[0] = AF_PACKET;
  new DataView(bytes.buffer).setUint16(2, etherType);
  new Int32Array(bytes.buffer, 4, 1)[0] = index;
  new Uint16Array(bytes.buffer, 8, 1)[0] = ARPHRD_ETHER;
  bytes[11] = 6;
  if (mac !== undefined) setLinkDestination(bytes, mac);
  return bytes;
}

/** Points a `struct sockaddr_ll` at another Ethernet address. */
export function setLinkDestination(address: Uint8Array, mac: Mac): void {
  writeMac(mac, address, 12);
}

/** One entry of the kernel's list: an interface with its index and Ethernet address, or one of its IPv4 addresses. */
export type InterfaceEntry =
  | { readonly name: string; readonly kind: 'link'; readonly index: number; readonly mac: Mac }
  | { readonly name: string; readonly kind: 'inet'; readonly ip: Ipv4; readonly netmask: Ipv4 };

/** Every interface and IPv4 address of this network namespace, interfaces without carrier too. */
export function listInterfaces(): InterfaceEntry[] {
  const head: [unknown] = [null];
  succeed('getifaddrs', c.getifaddrs(head));
  const entries: InterfaceEntry[] = [];
  try {
    for (let at = head[0]; at; ) {
      const { next, name, address, netmask } = koffi.decode(at, ifaddrs) as IfAddrs;
      at = next;
      if (!address) continue;
      const family = koffi.decode.uint16(address);
      if (family === AF_INET && netmask)
        entries.push({ name, kind: 'inet', ip: inetIp(address), netmask: inetIp(netmask) });
      if (family === AF_PACKET) entries.push({ name, kind: 'link', index: linkIndex(address), mac: linkMac(address) });
    }
  } finally {
    c.freeifaddrs(head[0]);
  }
  return entries;
}

type IfAddrs = { next: unknown; name: string; address: unknown; netmask: unknown };

function inetIp(address: unknown): Ipv4 {
  const [a = 0, b = 0, c3 = 0, d = 0] = koffi.decode(address, 4, 'uint8_t', 4) as Uint8Array;
  return (((a << 24) | (b << 16) | (c3 << 8) | d) >>> 0) as Ipv4;
}

function linkIndex(address: unknown): number {
  return koffi.decode(address, 4, 'int') as number;
}

function linkMac(address: unknown): Mac {
  return macFromBytes(koffi.decode(address, 12, 'uint8_t', 6) as Uint8Array);
}
