import type { FileSource } from '../boot/source.ts';
import { type FaultSink, guarded } from '../faults.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { UdpPort } from '../net/udp.ts';
import { type Admission, type AdmissionLimits, cancel, type Incoming, type Session } from './admission.ts';
import type { ChunkPool } from './blocks.ts';
import type { Outcome } from './delivery.ts';
import type { LookUps } from './lookUps.ts';
import { type Inlet, type Outlet, openOutlet, SharedPort, strangerReply } from './outlet.ts';
import { decode, encodeError, type Request } from './packet.ts';
import { type Peer, peerOf } from './peer.ts';
import { refusalOf } from './refusals.ts';
import type { Replies } from './replies.ts';
import type { Reports } from './reports.ts';
import { serve } from './service.ts';

/** What the listeners of one server have in common. */
export type ListenerOptions = {
  readonly source: FileSource;
  readonly limits: () => AdmissionLimits & { readonly singlePort: boolean };
  readonly mtu: number;
  readonly pool: ChunkPool;
  readonly admission: Admission;
  readonly lookUps: LookUps;
  readonly replies: Replies;
  readonly reports: Reports;
  readonly totals: { sent: number; bytesSent: number };
  /** Whether this server itself listens there: what claims to come from there is forged. */
  readonly isOwn: (peer: Peer) => boolean;
  readonly faulted: FaultSink;
};

/** Room for what comes while the event loop is busy, and for what waits for ARP. The kernel may give less. */
const BUFFER_BYTES = 1024 * 1024;
/** Whoever closes a listener waits no longer than this for what its transfers hold. */
const CLOSING_MS = 2000;

/** One of the server's addresses: takes requests in and sees that each is served and ended. */
export class Listener {
  readonly #address: Ipv4;
  readonly #port: UdpPort;
  readonly #options: ListenerOptions;
  readonly #shared: SharedPort;
  readonly #serving = new Map<Session, Promise<void>>();
  #closed = false;

  constructor(address: Ipv4, port: UdpPort, options: ListenerOptions) {
    this.#address = address;
    this.#port = port;
    this.#options = options;
    this.#shared = new SharedPort(port);
    const { faulted, reports } = options;
    port.socket.on(
      'message',
      guarded(faulted, (bytes: Buffer, from: { address: string; port: number }) => this.#onMessage(bytes, from)),
    );
    port.socket.on(
      'error',
      guarded(faulted, (error: Error) => reports.socketError(error)),
    );
    enlargeBuffers(port);
  }

  /** Ends its transfers with an ERROR to their clients, and closes the socket. */
  async close(reason: string): Promise<void> {
    this.#closed = true;
    for (const session of this.#serving.keys()) cancel(session, reason, 'with ERROR');
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      late = setTimeout(resolve, CLOSING_MS);
    });
    await Promise.race([Promise.all(this.#serving.values()), tooLate]);
    clearTimeout(late);
    await this.#port.close();
  }

  #onMessage(bytes: Buffer, from: { readonly address: string; readonly port: number }): void {
    const peer = peerOf(from);
    if (peer === undefined || this.#options.isOwn(peer)) {
      this.#options.reports.malformed(`port ${from.port} cannot be answered`, from.address);
      return;
    }
    const packet = decode(bytes);
    if (packet.kind === 'malformed') this.#options.reports.malformed(packet.reason, from.address);
    else if (packet.kind === 'rrq' || packet.kind === 'wrq') this.#onRequest(packet, bytes, peer);
    // An ERROR is never answered: two servers could go on answering each other.
    else if (!this.#shared.receive(packet, peer) && packet.kind !== 'error' && this.#mayAnswer(peer)) {
      this.#reply(strangerReply(), peer);
    }
  }

  #onRequest(request: Request, bytes: Buffer, peer: Peer): void {
    if (this.#closed) return;
    const { admission, replies, reports } = this.#options;
    const now = performance.now();
    const known = replies.isKnown(peer.ip);
    // The bytes that came may be a view of a larger buffer, which a session would keep.
    const incoming: Incoming = { at: this.#address, peer, request: Buffer.from(bytes), known };

    const former = admission.repeated(incoming, now);
    if (former !== undefined) {
      if (!former.heard && replies.take(peer.ip, known, now)) former.delivery?.repeat();
      return;
    }
    const limits = this.#options.limits();
    // No answer to one request too many: clients ask again after a second or so, whereas an error would end their boot.
    if (!admission.hasRoom(incoming, limits, now) || !replies.take(peer.ip, known, now)) {
      reports.unanswered(peer.ip);
      return;
    }
    const refusal = refusalOf(request);
    if (refusal !== undefined) {
      this.#reply(encodeError(refusal.code, refusal.message), peer);
      const outcome: Outcome = { kind: 'failed', reason: refusal.message, bytes: 0 };
      reports.ended({ ip: peer.ip, known, file: request.file, facts: {}, outcome }, now);
      return;
    }
    const session = admission.open(incoming, limits, now);
    const served = this.#serve(request, session, limits.singlePort).catch(this.#options.faulted);
    this.#serving.set(session, served);
    served.then(() => this.#serving.delete(session));
  }

  async #serve(request: Request, session: Session, singlePort: boolean): Promise<void> {
    const { admission, replies, reports, limits, totals, source, lookUps, mtu, pool, faulted } = this.#options;
    const { peer, known } = session;
    try {
      const outcome = await serve(request, session, {
        source,
        lookUps,
        mtu,
        pool,
        faulted,
        refuse: (packet) => this.#reply(packet, peer),
        openOutlet: (inlet) => this.#openOutlet(peer, singlePort, inlet),
        onHeard: () => {
          if (!admission.hear(session, limits(), performance.now())) return false;
          replies.heard(peer.ip);
          return true;
        },
      });
      reports.ended({ ip: peer.ip, known, file: request.file, facts: session.facts ?? {}, outcome }, performance.now());
      if (outcome.kind !== 'sent') return;
      totals.sent++;
      totals.bytesSent += outcome.bytes;
    } finally {
      admission.close(session);
    }
  }

  async #openOutlet(peer: Peer, singlePort: boolean, inlet: Inlet): Promise<Outlet> {
    if (singlePort) return this.#shared.open(peer, inlet);
    const { reports, faulted } = this.#options;
    return openOutlet({
      address: this.#address,
      peer,
      inlet: {
        ...inlet,
        onPacket: (packet) =>
          packet.kind === 'malformed' ? reports.malformed(packet.reason, 'a client') : inlet.onPacket(packet),
      },
      mayAnswer: (stranger) => !this.#options.isOwn(stranger) && this.#mayAnswer(stranger),
      faulted,
    });
  }

  #mayAnswer({ ip }: Peer): boolean {
    const { replies } = this.#options;
    return replies.take(ip, replies.isKnown(ip), performance.now());
  }

  /** Sent from the listening port: it needs no port of its own, and a firewall that saw the request lets it through. */
  #reply(packet: Buffer, { ip, port }: Peer): void {
    this.#port.send(packet, ip, port);
  }
}

function enlargeBuffers({ socket }: UdpPort): void {
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch {
    // The kernel's own sizes do, if less well.
  }
}
