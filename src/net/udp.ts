import { createSocket, type Socket } from 'node:dgram';
import { ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { interfaceMissing, interfaceNames } from './interfaces.ts';
import {
  AF_INET,
  bindSocket,
  bindToDevice,
  closeDescriptor,
  duplicate,
  inetAddress,
  makeSocket,
  SO_BROADCAST,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SystemCallError,
  sendTo,
  setOption,
} from './libc.ts';
import { portHolder } from './portHolder.ts';
import { privilegeMissing } from './privilege.ts';

export type UdpOptions = {
  /** Receive from and send through this interface only. Absent: any. */
  readonly interface?: string;
  /** Absent: every address. A socket bound to an address does not receive broadcasts. */
  readonly address?: Ipv4;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Whether it may send to broadcast addresses. */
  readonly broadcast?: boolean;
};

/**
 * Opens a bound UDP socket, bound to one interface if asked, which `dgram` cannot do. The port is never shared: a second program
 * on the same port and interface causes PORT_IN_USE, which names the holder. Rejects with PORT_IN_USE, PRIVILEGE_MISSING or
 * INTERFACE_MISSING.
 */
export async function openUdp(options: UdpOptions): Promise<Socket> {
  return (await adoptAlone(bindDescriptor(options))).socket;
}

type Adopted = { readonly socket: Socket; readonly fd: number };

/** dgram sets SO_REUSEADDR on a descriptor that it takes over; this clears it. */
async function adoptAlone(bound: number): Promise<Adopted> {
  const adopted = await adoptFree(bound);
  try {
    setOption(adopted.fd, SO_REUSEADDR, 0);
  } catch (error) {
    adopted.socket.close();
    throw error;
  }
  return adopted;
}

/**
 * The event loop knows sockets by their descriptor numbers. A number that was closed without the loop's knowledge is reused by
 * the kernel and refused by the loop: the new socket gets another number then.
 */
async function adoptFree(fd: number): Promise<Adopted> {
  try {
    return { socket: await adopt(fd), fd };
  } catch (error) {
    try {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const other = duplicate(fd);
      try {
        return { socket: await adopt(other), fd: other };
      } catch (again) {
        closeDescriptor(other);
        throw again;
      }
    } finally {
      closeDescriptor(fd);
    }
  }
}

/**
 * A bound UDP socket that receives through the event loop and sends at once or not at all. What the kernel does not accept (the
 * send buffer is full of packets that wait for ARP, the port is 0, the network is down) is dropped and counted: nothing queues in
 * this process, so no reply waits for those before it.
 */
export class UdpPort {
  /** For its `message` and `error` events. Send and close through the port. */
  readonly socket: Socket;
  readonly #fd: number;
  readonly #to = inetAddress(UNSPECIFIED, 0);
  readonly #view = new DataView(this.#to.buffer);
  #dropped = 0;
  #closed = false;

  /** Opens a port like `openUdp`, with the same errors. */
  static async open(options: UdpOptions): Promise<UdpPort> {
    const { socket, fd } = await adoptAlone(bindDescriptor(options));
    return new UdpPort(socket, fd);
  }

  private constructor(socket: Socket, fd: number) {
    this.socket = socket;
    this.#fd = fd;
  }

  /** How many datagrams were dropped since opening. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether the kernel accepted the datagram: the first `length` bytes, or all of them. Never throws. */
  send(bytes: Uint8Array, ip: Ipv4, port: number, length = bytes.length): boolean {
    if (!this.#closed) {
      this.#view.setUint16(2, port);
      this.#view.setUint32(4, ip);
      if (sendTo(this.#fd, bytes, length, this.#to)) return true;
    }
    this.#dropped++;
    return false;
  }

  /** From here on the kernel may reuse the socket's descriptor: nothing is sent any more. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }
}

/** Gives a bound descriptor to dgram, which closes it from then on; if this rejects, the caller still owns it. */
function adopt(fd: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', lookup: addressesOnly });
    const refused = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', refused);
    try {
      socket.bind({ fd }, () => {
        socket.off('error', refused);
        resolve(socket);
      });
    } catch (error) {
      refused(error as Error);
    }
  });
}

/** Accepts addresses only: without a name look-up a datagram leaves in the same turn of the event loop. */
function addressesOnly(
  address: string,
  _options: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  done(null, address, 4);
}

/** The descriptor of a bound UDP socket, which the caller closes. Throws what `openUdp` rejects with. */
export function bindDescriptor(options: UdpOptions): number {
  let fd: number | undefined;
  try {
    fd = makeSocket(AF_INET, SOCK_DGRAM, 0);
    if (options.interface !== undefined) bindToDevice(fd, options.interface);
    if (options.broadcast) setOption(fd, SO_BROADCAST, 1);
    bindSocket(fd, inetAddress(options.address ?? UNSPECIFIED, options.port));
    return fd;
  } catch (error) {
    if (fd !== undefined) closeDescriptor(fd);
    throw error instanceof SystemCallError ? inWords(error, options) : error;
  }
}

function inWords(error: SystemCallError, { interface: name, address, port }: UdpOptions): Error {
  switch (error.code) {
    case 'EADDRINUSE': {
      const holder = portHolder('udp', port) ?? 'another program';
      return new ReveilleError('PORT_IN_USE', `UDP port ${port}${name ? ` on ${name}` : ''} is held by ${holder}`, {
        hint: 'stop that program, or keep it off this interface',
        cause: error,
      });
    }
    case 'EACCES':
      return privilegeMissing('CAP_NET_BIND_SERVICE', `UDP port ${port} may not be opened`, error);
    case 'EPERM':
      return privilegeMissing('CAP_NET_RAW', `a socket may not be tied to interface ${name}`, error);
    case 'ENODEV':
      return interfaceMissing(name ?? '', error);
    case 'EADDRNOTAVAIL':
      return new ReveilleError(
        'INTERFACE_MISSING',
        `no interface of this machine has the address ${formatIpv4(address ?? UNSPECIFIED)}`,
        { hint: `interfaces of this machine: ${interfaceNames()}`, cause: error },
      );
    default:
      return error;
  }
}
