import type { FileSource } from '../boot/source.ts';
import { ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { NextHops } from '../net/nextHop.ts';
import { UdpPort } from '../net/udp.ts';
import { Admission } from './admission.ts';
import { ChunkPool } from './blocks.ts';
import { admissionLimits, type TransferLimits } from './limits.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { LookUps } from './lookUps.ts';
import { Replies } from './replies.ts';
import { Reports } from './reports.ts';

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
};

/**
 * `transfers`: requests being served now, `unheard` those of them whose clients have acknowledged nothing yet. `sent` and
 * `bytesSent` count whole files since the start.
 */
export type TftpStats = {
  readonly transfers: number;
  readonly unheard: number;
  readonly sent: number;
  readonly bytesSent: number;
};

export type TftpServer = {
  /**
   * Listens on addresses that are new and no longer on those that are gone. Trouble with one becomes an event, and it is tried
   * again every few seconds.
   */
  reload(): Promise<void>;
  /** Ends all transfers with an ERROR to their clients, and gives sockets and files back. */
  close(): Promise<void>;
  stats(): TftpStats;
};

const TFTP_PORT = 69;
const ETHERNET_MTU = 1500;
const RETRY_MS = 5000;
/** The thread pool has four threads; more look-ups at once than keep them busy gain nothing. */
const LOOK_UPS_AT_ONCE = 32;
const LOOK_UPS_WAITING = 512;

/** Serves files read-only over TFTP (RFC 1350, 2347, 2348, 2349, 7440). Rejects if an address of this machine cannot be listened on; others are waited for. */
export async function startTftpServer(options: TftpOptions): Promise<TftpServer> {
  const port = options.port ?? TFTP_PORT;
  const { faulted, events } = edges(options);
  const admission = new Admission();
  const totals = { sent: 0, bytesSent: 0 };
  const reports = new Reports(events);
  const hops = new NextHops();
  const listeners = new Map<Ipv4, Listener>();
  const common: ListenerOptions = {
    source: options.source,
    limits: () => admissionLimits(options.limits(), options.descriptors),
    mtu: options.mtu ?? ETHERNET_MTU,
    pool: new ChunkPool(),
    admission,
    lookUps: new LookUps(LOOK_UPS_AT_ONCE, LOOK_UPS_WAITING),
    replies: new Replies({ isKnown: knownTo(options, faulted), wayTo: (ip) => hops.wayTo(ip) }),
    reports,
    totals,
    isOwn: (peer) => peer.port === port && listeners.has(peer.ip),
    faulted,
  };
  let closed = false;
  /** Addresses that cannot be listened on now, and have been reported. */
  const awaited = new Set<Ipv4>();
  let retry: NodeJS.Timeout | undefined;
  /** A reload and a close that come together run one after the other. */
  const inOrder = inTurn();

  async function listenOn(address: Ipv4): Promise<void> {
    if (listeners.has(address)) return;
    listeners.set(address, new Listener(address, await UdpPort.open({ address, port }), common));
    awaited.delete(address);
  }

  function awaitLater(address: Ipv4, error: Error): void {
    if (!awaited.has(address)) reports.trouble(codeOf(error) ?? 'TFTP_LISTEN', error.message);
    awaited.add(address);
  }

  function retryLater(): void {
    clearTimeout(retry);
    if (awaited.size > 0 && !closed) retry = setTimeout(() => void inOrder(follow).catch(faulted), RETRY_MS).unref();
  }

  async function leave(address: Ipv4, reason: string): Promise<void> {
    const listener = listeners.get(address);
    listeners.delete(address);
    await listener?.close(reason);
  }

  async function follow(): Promise<void> {
    if (closed) return;
    const wanted = new Set(options.addresses());
    const gone = [...listeners.keys()].filter((address) => !wanted.has(address));
    await Promise.all(gone.map((address) => leave(address, 'this address is gone')));
    for (const address of awaited) if (!wanted.has(address)) awaited.delete(address);
    for (const address of wanted) await listenOn(address).catch((error: Error) => awaitLater(address, error));
    retryLater();
  }

  async function end(): Promise<void> {
    await Promise.all([...listeners.keys()].map((address) => leave(address, 'the server is stopping')));
    hops.close();
    reports.close();
  }

  try {
    for (const address of options.addresses()) {
      await listenOn(address).catch((error: Error) => {
        if (codeOf(error) !== 'INTERFACE_MISSING') throw error;
        awaitLater(address, error);
      });
    }
    retryLater();
  } catch (error) {
    await end();
    throw error;
  }
  return {
    reload: () => inOrder(follow).catch(faulted),
    close() {
      closed = true;
      clearTimeout(retry);
      return inOrder(end);
    },
    stats: () => ({ transfers: admission.size, unheard: admission.unheard, ...totals }),
  };
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
