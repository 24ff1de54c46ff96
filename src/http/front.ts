import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type FaultSink, guarded } from '../faults.ts';
import type { Gauges } from '../model/gauges.ts';
import type { Ipv4 } from '../model/ipv4.ts';

/** `ip`: an address of this machine; absent: all of them. Port 0 takes a free one. */
export type ListenAt = { readonly port: number; readonly ip?: Ipv4 };

/** What accepts connections in the place of the server, serves boot files, and hands over connections on which anything else is asked. */
export type HttpFront = {
  /** Resolves to the port. Throws with the code of the system. */
  listen(where: ListenAt): Promise<number>;
  /** The site is another one now. */
  reload?(): void;
  gauges(): Gauges;
  close(): Promise<void>;
};

/** Takes over a connection by its descriptor, with what came on it. */
export type Adopt = (fd: number, bytes: Uint8Array) => void;

/** Has an app that listens nowhere serve connections that were accepted elsewhere. */
export async function adoptingConnections(app: FastifyInstance, faulted: FaultSink): Promise<Adopt> {
  await app.ready();
  const { server } = app;
  // Connections are held against their times from this event on.
  server.emit('listening');
  return guarded(faulted, (fd, bytes) => {
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    if (bytes.length > 0) socket.unshift(bytes);
    server.emit('connection', socket);
  });
}

/** The gauges of two parts of one service: those that both have are added up. */
export function added(one: Gauges, other: Gauges): Gauges {
  const sum: Record<string, number> = { ...one };
  for (const [name, value] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}
