import { type FaultSink, guarded } from '../faults.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Datagram, DatagramPort, Datagrams, NumberedBlocks, Refused } from '../net/datagramPort.ts';
import { decodeDatagram, ERROR, encodeError, type Packet } from './packet.ts';
import { type Peer, peerKey, peerOf } from './peer.ts';

/** What a transfer is sent from: a port of its own, or the listening port. What the kernel does not accept at once is dropped. */
export type TransferPort = {
  /** Sends a packet, which may be used again at once. */
  send(packet: Uint8Array): void;
  /** Sends blocks `first` to `last`; `refused` is called at once or later. */
  sendBlocks(blocks: NumberedBlocks, first: number, last: number, refused: Refused): void;
  close(): Promise<void>;
};

/** What comes to a transfer from its client. Neither function may throw. */
export type Receiver = { onPacket(packet: Packet): void; onTrouble(error: Error): void };

export type OwnPortOptions = {
  readonly datagrams: Datagrams;
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
  const { datagrams, address, peer, receiver, mayAnswer, malformed, faulted } = options;
  const onDatagram = (datagram: Datagram): void => {
    if (datagram.ip === peer.ip && datagram.port === peer.port) {
      const packet = decodeDatagram(datagram);
      if (packet.kind === 'malformed') malformed(packet.reason);
      else receiver.onPacket(packet);
      return;
    }
    const sender = peerOf(datagram);
    // An ERROR is never answered: two servers could go on answering each other.
    if (sender === undefined || decodeDatagram(datagram).kind === 'error' || !mayAnswer(sender)) return;
    port.send(strangerReply(), sender.ip, sender.port);
  };
  const port = await datagrams.open(
    { address, port: 0, shared: false },
    {
      onDatagram: guarded(faulted, onDatagram),
      onTrouble: guarded(faulted, (error: Error) => receiver.onTrouble(error)),
    },
  );
  return to(port, peer, () => port.close());
}

/** The listening port as the port of many transfers, distinguished by their clients' addresses and ports. */
export class SharedPort {
  readonly #port: DatagramPort;
  readonly #receivers = new Map<number, Receiver>();

  constructor(port: DatagramPort) {
    this.#port = port;
  }

  open(peer: Peer, receiver: Receiver): TransferPort {
    const key = peerKey(peer);
    this.#receivers.set(key, receiver);
    return to(this.#port, peer, async () => {
      if (this.#receivers.get(key) === receiver) this.#receivers.delete(key);
    });
  }

  /** Hands a packet to the transfer that it belongs to, if there is one. */
  receive(packet: Packet, peer: Peer): boolean {
    const receiver = this.#receivers.get(peerKey(peer));
    receiver?.onPacket(packet);
    return receiver !== undefined;
  }
}

function to(port: DatagramPort, peer: Peer, close: () => Promise<void>): TransferPort {
  return {
    send: (packet) => port.send(packet, peer.ip, peer.port),
    sendBlocks: (blocks, first, last, refused) => port.sendBlocks(blocks, first, last, peer, refused),
    close,
  };
}

/** The answer to packets that belong to no transfer. */
export function strangerReply(): Buffer {
  return encodeError(ERROR.UNKNOWN_TID, 'unknown transfer');
}
