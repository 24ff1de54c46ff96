import { type FaultSink, guarded } from '../faults.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Datagram, DatagramPort, Datagrams } from '../net/datagramPort.ts';
import { decodeDatagram } from './packet.ts';
import { type Peer, peerOf } from './peer.ts';
import type { Reports } from './reports.ts';
import type { Requests, Via } from './requests.ts';
import { openOwnPort, type Receiver, SharedPort, strangerReply, type TransferPort } from './transferPort.ts';

/** What the listeners of one server have in common. */
export type ListenerOptions = {
  readonly datagrams: Datagrams;
  readonly requests: Requests;
  readonly reports: Reports;
  /** Whether transfers leave from the listening port; asked at each transfer. */
  readonly singlePort: () => boolean;
  /** Whether this server itself listens there: what claims to come from there is forged. */
  readonly isOwn: (peer: Peer) => boolean;
  /** Whether one packet more may go to this client, which belongs to no transfer. */
  readonly mayAnswer: (peer: Peer) => boolean;
  readonly faulted: FaultSink;
};

/** Whoever closes a listener waits no longer than this for what its transfers hold. */
const CLOSING_MS = 2000;

/** One of the server's addresses: reads what comes there, and sends from there. */
export class Listener implements Via {
  readonly address: Ipv4;
  readonly #port: DatagramPort;
  readonly #options: ListenerOptions;
  readonly #shared: SharedPort;
  #closed = false;

  /** Rejects like `openUdp`. */
  static async open(address: Ipv4, port: number, options: ListenerOptions): Promise<Listener> {
    const { datagrams, faulted, reports } = options;
    let listener: Listener | undefined;
    const opened = await datagrams.open(
      { address, port, shared: true },
      {
        onDatagram: guarded(faulted, (datagram: Datagram) => listener?.receive(datagram)),
        onTrouble: guarded(faulted, (error: Error) => reports.socketError(error)),
      },
    );
    listener = new Listener(address, opened, options);
    return listener;
  }

  constructor(address: Ipv4, port: DatagramPort, options: ListenerOptions) {
    this.address = address;
    this.#port = port;
    this.#options = options;
    this.#shared = new SharedPort(port);
  }

  /** Ends its transfers with an ERROR to their clients, and closes the socket. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      late = setTimeout(resolve, CLOSING_MS);
    });
    await Promise.race([this.#options.requests.end(this.address, reason), tooLate]);
    clearTimeout(late);
    await this.#port.close();
  }

  /** Sent from the listening port: it needs no port of its own, and a firewall that saw the request lets it through. */
  reply(packet: Buffer, { ip, port }: Peer): void {
    this.#port.send(packet, ip, port);
  }

  async openPort(peer: Peer, receiver: Receiver): Promise<TransferPort> {
    const { datagrams, singlePort, reports, isOwn, mayAnswer, faulted } = this.#options;
    if (singlePort()) return this.#shared.open(peer, receiver);
    return openOwnPort({
      datagrams,
      address: this.address,
      peer,
      receiver,
      mayAnswer: (stranger) => !isOwn(stranger) && mayAnswer(stranger),
      malformed: (reason) => reports.malformed(reason, 'a client'),
      faulted,
    });
  }

  /** A datagram came to the listening port. */
  receive(datagram: Datagram): void {
    const { requests, reports, isOwn, mayAnswer, faulted } = this.#options;
    const peer = peerOf(datagram);
    if (peer === undefined || isOwn(peer)) {
      reports.malformed(`port ${datagram.port} cannot be answered`, formatIpv4(datagram.ip));
      return;
    }
    const packet = decodeDatagram(datagram);
    if (packet.kind === 'malformed') reports.malformed(packet.reason, formatIpv4(peer.ip));
    else if (packet.kind === 'rrq' || packet.kind === 'wrq') {
      if (!this.#closed) requests.answer({ request: packet, bytes: datagram.bytes, peer, via: this }).catch(faulted);
    }
    // An ERROR is never answered: two servers could go on answering each other.
    else if (!this.#shared.receive(packet, peer) && packet.kind !== 'error' && mayAnswer(peer)) {
      this.reply(strangerReply(), peer);
    }
  }
}
