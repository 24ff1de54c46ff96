import type { FileSource } from '../boot/source.ts';
import { ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Datagrams } from '../net/datagramPort.ts';
import { openDatagrams } from '../net/datagrams.ts';
import { NextHops } from '../net/nextHop.ts';
import type { Running } from '../service.ts';
import { FilesInMemory } from './filesInMemory.ts';
import { admissionLimits, type TransferLimits } from './limits.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { Replies } from './replies.ts';
import { Reports } from './reports.ts';
import { Requests } from './requests.ts';

export type TftpLimits = TransferLimits & {
  /** All transfers through the listening port, for clients behind NAT or strict firewalls; slower. */
  readonly singlePort: boolean;
};

export type TftpOptions = {
  /** The server's own addresses to listen on; asked again at each `reload`. */
  readonly addresses: () => readonly Ipv4[];
  readonly source: FileSource;
  readonly events: EventSink;
  /** Asked at each request. */
  readonly limits: () => TftpLimits;
  /** How many descriptors the transfers may hold at once; without it as many as the limits allow. */
  readonly descriptors?: number;
  /** Whether an address is that of a node or of the holder of a lease: those come first. Without it all are alike. */
  readonly isKnown?: (ip: Ipv4) => boolean;
  /** Takes exceptions that no code expected, of this server and of what it was given. Without it they become events. */
  readonly faulted?: FaultSink;
  /** The largest packet of the boot networks, in bytes; 1500 if not given. */
  readonly mtu?: number;
  /** 69 if not given. */
  readonly port?: number;
  /** What its ports are opened by; closed with it. */
  readonly datagrams?: Datagrams;
};

/**
 * `transfers`: requests being served now, `unheard` those of them whose clients have acknowledged nothing yet. `sent` and
 * `bytesSent` count whole files since the start.
 */
export type TftpGauges = {
  readonly transfers: number;
  readonly unheard: number;
  readonly sent: number;
  readonly bytesSent: number;
};

const TFTP_PORT = 69;
const ETHERNET_MTU = 1500;
const RETRY_MS = 5000;

/** Serves files read-only over TFTP (RFC 1350, 2347, 2348, 2349, 7440). Rejects if an address of this machine cannot be listened on; others are waited for. */
export async function startTftpServer(options: TftpOptions): Promise<TftpServer> {
  const server = new TftpServer(options);
  await server.start();
  return server;
}

/** The server's addresses, each with its listener, and what they share. */
export class TftpServer implements Running {
  readonly #addresses: () => readonly Ipv4[];
  readonly #port: number;
  readonly #faulted: FaultSink;
  readonly #reports: Reports;
  readonly #hops = new NextHops();
  readonly #datagrams: Datagrams;
  readonly #requests: Requests;
  readonly #shared: ListenerOptions;
  readonly #listeners = new Map<Ipv4, Listener>();
  /** Addresses that cannot be listened on now, and have been reported. */
  readonly #awaited = new Set<Ipv4>();
  /** A reload and a close that come together run one after the other. */
  readonly #inOrder = inTurn();
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: TftpOptions) {
    const { addresses, port = TFTP_PORT, mtu = ETHERNET_MTU, source, limits, descriptors } = options;
    const { faulted, events } = edges(options);
    this.#addresses = addresses;
    this.#port = port;
    this.#faulted = faulted;
    this.#datagrams = options.datagrams ?? openDatagrams();
    this.#reports = new Reports(events);
    const isKnown = knownTo(options, faulted);
    const replies = new Replies((ip) => this.#hops.wayTo(ip));
    this.#requests = new Requests({
      source,
      limits: () => admissionLimits(limits(), descriptors),
      isKnown,
      mtu,
      files: new FilesInMemory(this.#datagrams),
      replies,
      reports: this.#reports,
      faulted,
    });
    this.#shared = {
      datagrams: this.#datagrams,
      requests: this.#requests,
      reports: this.#reports,
      singlePort: () => limits().singlePort,
      isOwn: (peer) => peer.port === port && this.#listeners.has(peer.ip),
      mayAnswer: ({ ip }) => replies.take(ip, isKnown(ip), performance.now()),
      faulted,
    };
  }

  /** Opens all addresses. Rejects like `startTftpServer`, with everything closed again. */
  async start(): Promise<void> {
    try {
      for (const address of this.#addresses()) {
        await this.#listenOn(address).catch((error: Error) => {
          if (codeOf(error) !== 'INTERFACE_MISSING') throw error;
          this.#await(address, error);
        });
      }
      this.#retryLater();
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  /**
   * Listens on addresses that are new and no longer on those that are gone. Trouble with one becomes an event, and it is tried
   * again every few seconds.
   */
  reload(): Promise<void> {
    return this.#inOrder(() => this.#follow()).catch(this.#faulted);
  }

  /** Ends all transfers with an ERROR to their clients, and gives sockets and files back. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    return this.#inOrder(() => this.#end());
  }

  gauges(): TftpGauges {
    return this.#requests.gauges;
  }

  async #listenOn(address: Ipv4): Promise<void> {
    if (this.#listeners.has(address)) return;
    this.#listeners.set(address, await Listener.open(address, this.#port, this.#shared));
    this.#awaited.delete(address);
  }

  #await(address: Ipv4, error: Error): void {
    if (!this.#awaited.has(address))
      this.#reports.trouble(error instanceof ReveilleError ? error.code : 'TFTP_LISTEN', error.message);
    this.#awaited.add(address);
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    if (this.#awaited.size > 0 && !this.#closed) this.#retry = setTimeout(() => void this.reload(), RETRY_MS).unref();
  }

  async #leave(address: Ipv4, reason: string): Promise<void> {
    const listener = this.#listeners.get(address);
    this.#listeners.delete(address);
    await listener?.close(reason);
  }

  async #follow(): Promise<void> {
    if (this.#closed) return;
    const wanted = new Set(this.#addresses());
    const gone = [...this.#listeners.keys()].filter((address) => !wanted.has(address));
    await Promise.all(gone.map((address) => this.#leave(address, 'this address is gone')));
    for (const address of this.#awaited) if (!wanted.has(address)) this.#awaited.delete(address);
    for (const address of wanted) await this.#listenOn(address).catch((error: Error) => this.#await(address, error));
    this.#retryLater();
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((address) => this.#leave(address, 'the server is stopping')));
    this.#hops.close();
    this.#datagrams.close();
    this.#reports.close();
  }
}

function codeOf(error: Error): string | undefined {
  return error instanceof ReveilleError ? error.code : undefined;
}

/** Where exceptions go, and a sink for events that throws into there. */
function edges({ events, faulted }: TftpOptions): { faulted: FaultSink; events: EventSink } {
  const take = faulted ?? asEvent(events);
  return { faulted: take, events: guarded(take, events) };
}

function asEvent(events: EventSink): FaultSink {
  return (error) => {
    try {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      events({ kind: 'server.fault', service: 'tftp', message, count: 1, ...(stack === undefined ? {} : { stack }) });
    } catch {
      // There is nowhere left to report it to.
    }
  };
}

function knownTo({ isKnown }: TftpOptions, faulted: FaultSink): (ip: Ipv4) => boolean {
  return (ip) => {
    try {
      return isKnown?.(ip) ?? false;
    } catch (error) {
      faulted(error);
      return false;
    }
  };
}
