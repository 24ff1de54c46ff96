import { fragmentsOf } from './frame.ts';
import { interfaceMtu, lastError, sendTo } from './libc.ts';

/** Larger than any frame of Ethernet, jumbo frames included. */
export const LARGEST_PACKET = 9216;

let identification = Math.floor(Math.random() * 0x10000);

/**
 * Sends an IPv4 packet of `length` bytes through a packet socket or a raw socket, in fragments if it is larger than the
 * interface's MTU: the kernel does not fragment packets of raw sockets. `undefined` if the kernel accepted all of it, else the
 * reason.
 */
export function sendPacket(
  fd: number,
  interfaceName: string,
  packet: Uint8Array,
  length: number,
  to: Uint8Array,
): string | undefined {
  if (sendTo(fd, packet, length, to)) return undefined;
  const failure = lastError();
  if (failure !== 'EMSGSIZE') return failure;
  identification = (identification + 1) & 0xffff || 1;
  const fragments = fragmentsOf(packet, length, interfaceMtu(fd, interfaceName), identification);
  if (fragments.length < 2) return failure;
  for (const fragment of fragments) if (!sendTo(fd, fragment, fragment.length, to)) return lastError();
  return undefined;
}
