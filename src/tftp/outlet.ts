import dgram from 'node:dgram';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import { decode, ERROR, encodeError, type Packet } from './packet.ts';

/** A client's end of a transfer: its address and its transfer identifier (RFC 1350 section 4), the port. */
export type Peer = { readonly address: string; readonly port: number };

/** The way to one client. */
export type Outlet = {
  send(packet: Uint8Array): void;
  /** Whether everything sent so far has left: if not, the packets' memory is still in use and must not be changed. */
  readonly drained: boolean;
  close(): Promise<void>;
};

/** What comes from the client of an outlet. */
export type Inlet = { onPacket(packet: Packet): void; onTrouble(error: Error): void };

/**
 * Opens an ephemeral port on `address`, so that a client of a multi-homed server is answered from where it asked.
 * Packets of anybody but `peer` are answered with ERROR 5 and otherwise ignored (RFC 1350 section 4).
 */
export async function openOutlet(address: Ipv4, peer: Peer, inlet: Inlet): Promise<Outlet> {
  const socket = dgram.createSocket({ type: 'udp4', lookup: literal });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: formatIpv4(address), port: 0, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  socket.on('error', (error) => inlet.onTrouble(error));
  socket.on('message', (bytes, from) => {
    const packet = decode(bytes);
    if (from.port === peer.port && from.address === peer.address) inlet.onPacket(packet);
    else if (packet.kind !== 'error') socket.send(strangerReply(), from.port, from.address, () => {});
  });
  return {
    send: (packet) => socket.send(packet, peer.port, peer.address),
    get drained() {
      return socket.getSendQueueCount() === 0;
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** The listening port as the way to many clients, told apart by where they send from. */
export class SharedPort {
  readonly #socket: dgram.Socket;
  readonly #inlets = new Map<string, Inlet>();

  constructor(socket: dgram.Socket) {
    this.#socket = socket;
  }

  open(peer: Peer, inlet: Inlet): Outlet {
    const key = `${peer.address} ${peer.port}`;
    this.#inlets.set(key, inlet);
    return {
      send: (packet) => this.#socket.send(packet, peer.port, peer.address, () => {}),
      // The socket may resolve addresses on a later turn of the event loop, so no packet's memory is used twice.
      drained: false,
      close: async () => {
        if (this.#inlets.get(key) === inlet) this.#inlets.delete(key);
      },
    };
  }

  /** Hands a packet to the transfer that it belongs to, if there is one. */
  receive(packet: Packet, peer: Peer): boolean {
    const inlet = this.#inlets.get(`${peer.address} ${peer.port}`);
    inlet?.onPacket(packet);
    return inlet !== undefined;
  }
}

/** The answer to packets that belong to no transfer. */
export function strangerReply(): Buffer {
  return encodeError(ERROR.UNKNOWN_TID, 'unknown transfer');
}

/** The addresses are literal ones: without this, each packet would wait for a turn of the event loop to be resolved. */
function literal(
  hostname: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, hostname, 4);
}
