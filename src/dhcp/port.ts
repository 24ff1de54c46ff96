import type dgram from 'node:dgram';
import { formatIpv4, type Ipv4, parseIpv4, UNSPECIFIED } from '../net/ipv4.ts';
import { openProber, type Prober } from '../net/probe.ts';
import { openRawSender, type RawSender } from '../net/raw.ts';
import { openUdp } from '../net/udp.ts';
import { type Destination, SERVER_PORT } from './destination.ts';

/** Where a datagram came from, as its headers have it: anyone on the wire can write anything there. */
export type Sender = { readonly ip: Ipv4; readonly port: number };

/** What a port tells: requests with their senders, replies that could not be sent, a broken socket. */
export type PortListener = {
  readonly received: (port: Port, bytes: Buffer, sender: Sender) => void;
  readonly unsent: (error: unknown) => void;
  readonly broken: (error: unknown) => void;
};

const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** One interface: requests arrive on it, and their replies leave through it. */
export class Port {
  readonly name: string;
  readonly #socket: dgram.Socket;
  readonly #raw: RawSender;
  readonly #unsent: PortListener['unsent'];
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
    this.#raw = openRawSender(name);
    this.#unsent = listener.unsent;
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER);
    } catch {
      // A smaller buffer only loses more under a flood.
    }
    socket.on('message', (bytes, from) => {
      try {
        listener.received(this, bytes, { ip: parseIpv4(from.address) ?? UNSPECIFIED, port: from.port });
      } catch (error) {
        // A mistake of ours in answering one client must not end the service for all.
        listener.broken(error);
      }
    });
    socket.on('error', listener.broken);
  }

  /** Sends a reply from the server's address `from`. One that cannot be sent is as good as lost on the wire. */
  send(to: Destination, from: Ipv4, bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      if (to.kind === 'frame') this.#raw.send(to, { ip: from, port: SERVER_PORT }, bytes);
      else this.#socket.send(bytes, to.port, formatIpv4(to.ip), this.#sent);
    } catch (error) {
      this.#unsent(error);
    }
  }

  readonly #sent = (error: Error | null): void => {
    if (error) this.#unsent(error);
  };

  /** Whether a machine answers for `ip`. `false` too once the port is closed. */
  async isInUse(ip: Ipv4, from: Ipv4, method: 'arp' | 'icmp', waitMs: number): Promise<boolean> {
    if (this.#closed) return false;
    this.#prober ??= openProber(this.name, method);
    return this.#prober.inUse(ip, from, waitMs);
  }

  /** Lets the next probe open anew, perhaps by another method. */
  forgetProber(): void {
    this.#prober?.close();
    this.#prober = undefined;
  }

  /** Takes no more requests; replies can still be sent. */
  stopReceiving(): void {
    this.#socket.removeAllListeners('message');
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
    this.#raw.close();
    this.forgetProber();
  }
}
