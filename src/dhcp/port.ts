import { type FaultSink, guarded } from '../faults.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { openProber, type ProbeQuestion, type Prober } from '../net/probe.ts';
import { openRawSender, type RawSender } from '../net/raw.ts';
import { UdpReceiver } from '../net/receiver.ts';
import { RoutedSender } from '../net/routed.ts';
import { Backlog, type Waiting } from './backlog.ts';
import { type Destination, SERVER_PORT } from './destination.ts';
import type { Sender } from './exchange.ts';
import { LONGEST_REQUEST } from './packet.ts';

/** What the rest of DHCP asks of a port. */
export type DhcpPort = Pick<
  Port,
  'name' | 'isCurrent' | 'room' | 'send' | 'isInUse' | 'probeBy' | 'stopReceiving' | 'close'
>;

/** What a port asks and reports. Nothing but `received` may throw. */
export type PortListener = {
  readonly received: (port: DhcpPort, bytes: Buffer, sender: Sender) => void;
  /** Whether the site lists a machine: its requests go before others'. */
  readonly isListed: (mac: Mac) => boolean;
  /** A request was dropped, since more come than can be answered. */
  readonly dropped: () => void;
  /** A reply was dropped, and why: `ENETDOWN`. */
  readonly unsent: (to: Destination, code: string) => void;
  readonly broken: (error: unknown) => void;
  /** An exception that no code expected, in answering one client: it must not end the service for all. */
  readonly faulted: FaultSink;
};

/** What every client takes (RFC 2131 section 2: 576 bytes with the headers of IP and UDP). */
const SMALLEST_ROOM = 548;
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** How long requests are answered before the event loop turns to other services, those of listed machines and others, in milliseconds. */
const LISTED_MS = 10;
const OTHERS_MS = 4;

/** One interface: requests arrive on it, and their replies leave through it. */
export class Port {
  readonly name: string;
  readonly #listener: PortListener;
  readonly #receiver: UdpReceiver;
  readonly #frames: RawSender;
  readonly #routed: RoutedSender;
  readonly #backlog: Backlog;
  readonly #work: () => void;
  #working = false;
  #prober: Prober | undefined;
  #closed = false;

  /** Throws PORT_IN_USE, PRIVILEGE_MISSING, INTERFACE_MISSING, or SystemCallError where no socket can be made. */
  constructor(name: string, udpPort: number, listener: PortListener) {
    this.name = name;
    this.#listener = listener;
    this.#backlog = new Backlog(listener.isListed);
    this.#work = guarded(listener.faulted, () => this.#answerSome());
    using opened = new DisposableStack();
    // First, so that an interface that is made anew meanwhile is noticed.
    this.#frames = opened.adopt(openRawSender(name), (sender) => sender.close());
    this.#receiver = opened.adopt(
      new UdpReceiver({
        interface: name,
        port: udpPort,
        buffer: RECEIVE_BUFFER,
        longest: LONGEST_REQUEST,
        received: (bytes, from) => this.#queue(bytes, from),
        faulted: listener.faulted,
      }),
      (receiver) => receiver.close(),
    );
    this.#routed = RoutedSender.open(name);
    opened.move();
  }

  /** Whether the interface is still the one on which this listens, and not another that has its name. */
  get isCurrent(): boolean {
    return this.#frames.isCurrent;
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

  /** Whether another machine answers for an address; false where no question can be sent. Never rejects. */
  isInUse(question: ProbeQuestion): Promise<boolean> {
    return this.#prober?.inUse(question) ?? Promise.resolve(false);
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
    this.#receiver.stop();
    this.#backlog.clear();
  }

  close(): void {
    this.#closed = true;
    this.#backlog.clear();
    this.#receiver.close();
    this.#frames.close();
    this.#routed.close();
    this.#prober?.close();
    this.#prober = undefined;
  }

  #queue(bytes: Buffer, from: Sender): void {
    if (!this.#backlog.add(bytes, from)) this.#listener.dropped();
    this.#continue();
  }

  /** All that the kernel has is queued before the first is answered, so that listed machines pass the others there too. */
  #continue(): void {
    if (this.#working) return;
    this.#working = true;
    setImmediate(this.#work);
  }

  #answerSome(): void {
    this.#working = false;
    this.#answerFor(LISTED_MS, () => this.#backlog.nextListed());
    this.#answerFor(OTHERS_MS, () => this.#backlog.nextOther());
    if (!this.#backlog.isEmpty) this.#continue();
  }

  #answerFor(ms: number, take: () => Waiting | undefined): void {
    const end = performance.now() + ms;
    for (let next = take(); next; next = performance.now() < end ? take() : undefined) {
      try {
        this.#listener.received(this, next.bytes, next.from);
      } catch (error) {
        this.#listener.faulted(error);
      }
    }
  }
}
