import type dgram from 'node:dgram';
import type { FileSource } from '../boot/source.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { EventSink } from '../timeline/event.ts';
import type { Tally } from '../timeline/tally.ts';
import { type Admission, type AdmissionLimits, cancel, type Ticket } from './admission.ts';
import type { ChunkPool } from './blocks.ts';
import { openOutlet, type Peer, SharedPort, strangerReply } from './outlet.ts';
import { decode, type Request } from './packet.ts';
import { serve } from './service.ts';

/** What the listeners of one server have in common. */
export type House = {
  readonly source: FileSource;
  readonly events: EventSink;
  readonly limits: () => AdmissionLimits & { readonly singlePort: boolean };
  readonly mtu: number;
  readonly pool: ChunkPool;
  readonly admission: Admission;
  readonly totals: { sent: number; bytesSent: number };
  readonly malformed: Tally;
  readonly busy: Tally;
};

/** One of the server's addresses: takes requests in and sees that each is served and ended. */
export class Listener {
  readonly #address: Ipv4;
  readonly #socket: dgram.Socket;
  readonly #house: House;
  readonly #shared: SharedPort;
  readonly #serving = new Map<Ticket, Promise<void>>();
  #closed = false;

  constructor(address: Ipv4, socket: dgram.Socket, house: House) {
    this.#address = address;
    this.#socket = socket;
    this.#house = house;
    this.#shared = new SharedPort(socket);
    socket.on('message', (bytes, from) => this.#onMessage(bytes, from));
    socket.on('error', (error) =>
      house.events({ kind: 'server.trouble', code: 'TFTP_LISTEN', message: `TFTP socket: ${error.message}` }),
    );
  }

  /** Ends its transfers, telling the clients why, and closes the socket. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    for (const ticket of this.#serving.keys()) cancel(ticket, reason, 'telling');
    await Promise.all(this.#serving.values());
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #onMessage(bytes: Buffer, peer: Peer): void {
    const packet = decode(bytes);
    if (packet.kind === 'malformed') this.#noteMalformed(packet.reason, peer);
    else if (packet.kind === 'rrq' || packet.kind === 'wrq') this.#onRequest(packet, bytes, peer);
    else if (!this.#shared.receive(packet, peer) && packet.kind !== 'error') this.#reply(strangerReply(), peer);
  }

  #onRequest(request: Request, bytes: Buffer, peer: Peer): void {
    if (this.#closed) return;
    const { admission, busy, totals } = this.#house;
    const limits = this.#house.limits();
    const verdict = admission.ask({ at: this.#address, peer, request: bytes }, limits, performance.now());
    // No answer to one request too many: clients ask again after a second or so, whereas an error would end their boot.
    if (verdict.kind === 'busy') busy.note(`the last from ${peer.address}`);
    if (verdict.kind !== 'admitted') return;

    const { ticket } = verdict;
    const { source, events, mtu, pool } = this.#house;
    const served = serve(request, ticket, {
      source,
      events,
      mtu,
      pool,
      refuse: (packet) => this.#reply(packet, peer),
      openOutlet: async (inlet) =>
        limits.singlePort
          ? this.#shared.open(peer, inlet)
          : openOutlet(this.#address, peer, {
              ...inlet,
              onPacket: (packet) =>
                packet.kind === 'malformed' ? this.#noteMalformed(packet.reason, peer) : inlet.onPacket(packet),
            }),
    }).then((outcome) => {
      admission.close(ticket);
      this.#serving.delete(ticket);
      if (outcome.kind !== 'sent') return;
      totals.sent++;
      totals.bytesSent += outcome.bytes;
    });
    this.#serving.set(ticket, served);
  }

  #noteMalformed(reason: string, peer: Peer): void {
    this.#house.malformed.note(`${reason}, from ${peer.address}`);
  }

  /** Sent from the listening port: it needs no port of its own, and a firewall that saw the request lets it through. */
  #reply(packet: Buffer, peer: Peer): void {
    this.#socket.send(packet, peer.port, peer.address, () => {});
  }
}
