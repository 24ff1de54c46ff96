import { createSocket, type Socket } from 'node:dgram';
import { ReveilleError } from '../errors.ts';
import { interfaceMissing, interfaceNames } from './interfaces.ts';
import { formatIpv4, type Ipv4, UNSPECIFIED } from './ipv4.ts';
import {
  AF_INET,
  bindSocket,
  bindToDevice,
  closeDescriptor,
  inetAddress,
  makeSocket,
  SO_BROADCAST,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SystemCallError,
  setOption,
} from './libc.ts';
import { portHolder } from './portHolder.ts';
import { privilegeMissing } from './privilege.ts';

export type UdpOptions = {
  /** Receive from and send through this interface alone. Absent: any. */
  readonly interface?: string;
  /** Absent: every address. A socket bound to an address does not receive broadcasts. */
  readonly address?: Ipv4;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Whether it may send to broadcast addresses. */
  readonly broadcast?: boolean;
};

/**
 * Opens a bound UDP socket, tied to one interface where asked, which `dgram` cannot do by itself. The port is never
 * shared: a second program on the same port and interface is told apart by PORT_IN_USE, which names the holder.
 * Rejects with PORT_IN_USE, PRIVILEGE_MISSING or INTERFACE_MISSING.
 */
export async function openUdp(options: UdpOptions): Promise<Socket> {
  const fd = bindDescriptor(options);
  const socket = await adopt(fd);
  // Taking the descriptor over, dgram lets others share the port; nobody shall.
  setOption(fd, SO_REUSEADDR, 0);
  return socket;
}

/** Hands a bound descriptor to dgram, which closes it from then on. */
function adopt(fd: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', lookup: addressesOnly });
    const refused = (error: Error): void => {
      socket.close();
      closeDescriptor(fd);
      reject(error);
    };
    socket.once('error', refused);
    socket.bind({ fd }, () => {
      socket.off('error', refused);
      resolve(socket);
    });
  });
}

/** Only addresses are sent to: without a resolver in between a datagram leaves in the same turn of the event loop. */
function addressesOnly(
  address: string,
  _options: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  done(null, address, 4);
}

function bindDescriptor(options: UdpOptions): number {
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
