import type { Ipv4 } from '../model/ipv4.ts';
import {
  AF_INET,
  AF_UNIX,
  closeDescriptor,
  IPPROTO_UDP,
  inetAddress,
  lastError,
  makeSocket,
  SOCK_DGRAM,
  sendTo,
  unixAddress,
} from './libc.ts';

/** Where datagrams go: a Unix socket by its path, or a UDP port. */
export type DatagramTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp'; readonly ip: Ipv4; readonly port: number };

/** Sends datagrams to one destination and never waits. The destination is looked up each time, so that it may come and go. */
export type DatagramSender = {
  /** `undefined` if the kernel accepted it, else the reason: `EAGAIN` if the receiver is behind. */
  send(bytes: Uint8Array): string | undefined;
  close(): void;
};

/** Throws SystemCallError if no socket can be made. */
export function openDatagramSender(target: DatagramTarget): DatagramSender {
  const isUnix = target.kind === 'unix';
  const fd = makeSocket(isUnix ? AF_UNIX : AF_INET, SOCK_DGRAM, isUnix ? 0 : IPPROTO_UDP);
  const to = isUnix ? unixAddress(target.path) : inetAddress(target.ip, target.port);
  return {
    send: (bytes) => (sendTo(fd, bytes, bytes.length, to) ? undefined : lastError()),
    close: () => closeDescriptor(fd),
  };
}
