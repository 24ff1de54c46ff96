import { type FaultSink, guarded } from '../faults.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { UdpPort } from '../net/udp.ts';
import { decode, ERROR, encodeError, type Packet } from './packet.ts';
import { type Peer, peerKey, peerOf } from './peer.ts';

/** What a transfer is sent from: a port of its own, or the listening port. */
export type TransferPort = {
  /** Whether the first `length` bytes left: what cannot leave at once is dropped. The packet may be used again at once. */
  send(packet: Uint8Array, length?: number): boolean;
  close(): Promise<void>;
};

/** What comes to a transfer from its client. */
export type Receiver = { onPacket(packet: Packet): void; onTrouble(error: Error): void };

export type OwnPortOptions = {
  readonly address: Ipv4;
  readonly peer: Peer;
  readonly receiver: Receiver;
  /** Whether a packet of another sender may be answered. */
  readonly mayAnswer: (stranger: Peer) => boolean;
  /** The client sent what is no packet. */
  readonly malformed: (reason: string) => void;
  readonly faulted: FaultSink;
};

/**
 * Opens an ephemeral port on `address`, so that a client of a multi-homed server is answered from where it asked.
 * Packets of any other sender than `peer` are answered with ERROR 5 and otherwise ignored (RFC 1350 section 4). A port of its own keeps
 * a transfer's packets out of the way of all others, and is one more number that a forger of packets has to guess.
 */
export async function openOwnPort(options: OwnPortOptions): Promise<TransferPort> {
  const { address, peer, receiver, mayAnswer, malformed, faulted } = options;
  const port = await UdpPort.open({ address, port: 0 });
  const key = peerKey(peer);
  const onMessage = (bytes: Buffer, from: { address: string; port: number }): void => {
    const sender = peerOf(from);
    if (sender === undefined) return;
    const packet = decode(bytes);
    const isClient = peerKey(sender) === key;
    if (isClient && packet.kind === 'malformed') malformed(packet.reason);
    else if (isClient) receiver.onPacket(packet);
    // An ERROR is never answered: two servers could go on answering each other.
    else if (packet.kind !== 'error' && mayAnswer(sender)) port.send(strangerReply(), sender.ip, sender.port);
  };
  port.socket.on(
    'error',
    guarded(faulted, (error: Error) => receiver.onTrouble(error)),
  );
  port.socket.on('message', guarded(faulted, onMessage));
  return {
    send: (packet, length) => port.send(packet, peer.ip, peer.port, length),
    close: () => port.close(),
  };
}

/** The listening port as the port of many transfers, distinguished by their clients' addresses and ports. */
export class SharedPort {
  readonly #port: Pick<UdpPort, 'send'>;
  readonly #receivers = new Map<number, Receiver>();

  constructor(port: Pick<UdpPort, 'send'>) {
    this.#port = port;
  }

  open(peer: Peer, receiver: Receiver): TransferPort {
    const key = peerKey(peer);
    this.#receivers.set(key, receiver);
    return {
      send: (packet, length) => this.#port.send(packet, peer.ip, peer.port, length),
      close: async () => {
        if (this.#receivers.get(key) === receiver) this.#receivers.delete(key);
      },
    };
  }

  /** Hands a packet to the transfer that it belongs to, if there is one. */
  receive(packet: Packet, peer: Peer): boolean {
    const receiver = this.#receivers.get(peerKey(peer));
    receiver?.onPacket(packet);
    return receiver !== undefined;
  }
}

/** The answer to packets that belong to no transfer. */
export function strangerReply(): Buffer {
  return encodeError(ERROR.UNKNOWN_TID, 'unknown transfer');
}
