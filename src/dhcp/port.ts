import type dgram from 'node:dgram';
import { type FaultSink, guarded } from '../faults.ts';
import { type Ipv4, parseIpv4, UNSPECIFIED } from '../net/ipv4.ts';
import { openProber, type Prober } from '../net/probe.ts';
import { openRawSender, type RawSender } from '../net/raw.ts';
import { RoutedSender } from '../net/routed.ts';
import { openUdp } from '../net/udp.ts';
import { type Destination, SERVER_PORT } from './destination.ts';

/** Where a datagram came from, as its headers have it: anyone on the wire can write anything there. */
export type Sender = { readonly ip: Ipv4; readonly port: number };

/** What a port tells: requests with their senders, replies that could not be sent and why (`ENETDOWN`), a broken socket. */
export type PortListener = {
  readonly received: (port: Port, bytes: Buffer, sender: Sender) => void;
  readonly unsent: (to: Destination, code: string) => void;
  readonly broken: (error: unknown) => void;
  /** An exception that no code expected, in answering one client: it must not end the service for all. */
  readonly faulted: FaultSink;
};

/** What every client takes (RFC 2131 section 2: 576 bytes with the headers of IP and UDP). */
const SMALLEST_ROOM = 548;
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** One interface: requests arrive on it, and their replies leave through it. */
export class Port {
  readonly name: string;
  readonly #socket: dgram.Socket;
  readonly #frames: RawSender;
  readonly #routed: RoutedSender;
  readonly #listener: PortListener;
  #prober: Prober | undefined;
  #closed = false;

  /** Rejects with PORT_IN_USE, PRIVILEGE_MISSING or INTERFACE_MISSING. */
  static async open(name: string, udpPort: number, listener: PortListener): Promise<Port> {
    const socket = await openUdp({ interface: name, port: udpPort, broadcast: true });
    try {
      return new Port(name, socket, listener);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  constructor(name: string, socket: dgram.Socket, listener: PortListener) {
    this.name = name;
    this.#socket = socket;
    this.#frames = openRawSender(name);
    try {
      this.#routed = RoutedSender.open(name);
    } catch (error) {
      this.#frames.close();
      throw error;
    }
    this.#listener = listener;
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER);
    } catch {
      // A smaller buffer only loses more under a flood.
    }
    const received = (bytes: Buffer, from: dgram.RemoteInfo): void =>
      listener.received(this, bytes, { ip: parseIpv4(from.address) ?? UNSPECIFIED, port: from.port });
    socket.on('message', guarded(listener.faulted, received));
    socket.on('error', guarded(listener.faulted, listener.broken));
  }

  /** How many bytes of `wanted`, the most that a client takes, go to `to` at once: a frame is not cut up for less than a full reply. */
  room(to: Destination, wanted: number): number {
    if (to.kind !== 'frame' || wanted <= SMALLEST_ROOM) return wanted;
    return Math.min(wanted, Math.max(SMALLEST_ROOM, this.#frames.room() ?? wanted));
  }

  /** Sends a reply from the server's address `from`, at once or not at all: the client asks again. Never throws. */
  send(to: Destination, from: Ipv4, bytes: Uint8Array): void {
    const server = { ip: from, port: SERVER_PORT };
    const failure = to.kind === 'frame' ? this.#frames.send(to, server, bytes) : this.#routed.send(to, server, bytes);
    if (failure !== undefined && !this.#closed) this.#listener.unsent(to, failure);
  }

  /** Whether a machine answers for `ip`; false where no question can be sent. Never rejects. */
  isInUse(ip: Ipv4, from: Ipv4, waitMs: number): Promise<boolean> {
    return this.#prober?.inUse(ip, from, waitMs) ?? Promise.resolve(false);
  }

  /** Opens anew what asks whether addresses are in use. Where that fails, what was open before goes on. */
  probeBy(method: 'arp' | 'icmp' | 'off'): void {
    if (this.#closed) return;
    try {
      const prober = method === 'off' ? undefined : openProber(this.name, method, this.#listener.faulted);
      this.#prober?.close();
      this.#prober = prober;
    } catch (error) {
      this.#listener.broken(error);
    }
  }

  /** Takes no more requests; replies can still be sent. */
  stopReceiving(): void {
    this.#socket.removeAllListeners('message');
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
    this.#frames.close();
    this.#routed.close();
    this.#prober?.close();
    this.#prober = undefined;
  }
}
