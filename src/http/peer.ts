import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { type Ipv4, parseIpv4, UNSPECIFIED } from '../model/ipv4.ts';

/** The IPv4 address at the other end of the request's connection; 0.0.0.0 for a peer of another kind. */
export function peerOf(request: FastifyRequest): Ipv4 {
  return ipv4Of(request.socket.remoteAddress);
}

/** The address of this machine that the request came to. */
export function localIpOf(request: FastifyRequest): Ipv4 {
  return ipv4Of(request.socket.localAddress);
}

/** Whether a body comes with the request (RFC 9112, section 6.3). */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

function ipv4Of(address: string | undefined): Ipv4 {
  return parseIpv4((address ?? '').replace(/^::ffff:/i, '')) ?? UNSPECIFIED;
}
