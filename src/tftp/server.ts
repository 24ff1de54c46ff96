import type { FileSource } from '../boot/source.ts';
import { ReveilleError } from '../errors.ts';
import { inTurn } from '../inTurn.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import { openUdp } from '../net/udp.ts';
import type { EventSink } from '../timeline/event.ts';
import { Tally } from '../timeline/tally.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import { ChunkPool } from './blocks.ts';
import { type House, Listener } from './listener.ts';

export type TftpLimits = AdmissionLimits & {
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
  /** The largest packet of the boot networks, in bytes; 1500 if not given. */
  readonly mtu?: number;
  /** 69 if not given. */
  readonly port?: number;
};

/** `transfers`: requests being served now. `sent` and `bytesSent` count whole files since the start. */
export type TftpStats = { readonly transfers: number; readonly sent: number; readonly bytesSent: number };

export type TftpServer = {
  /** Listens on addresses that are new and no longer on those that are gone. Trouble with one is told as an event. */
  reload(): Promise<void>;
  /** Ends all transfers, telling their clients, and gives sockets and files back. */
  close(): Promise<void>;
  stats(): TftpStats;
};

const TFTP_PORT = 69;
const ETHERNET_MTU = 1500;

/** Serves files read-only over TFTP (RFC 1350, 2347, 2348, 2349, 7440). Rejects if an address cannot be listened on. */
export async function startTftpServer(options: TftpOptions): Promise<TftpServer> {
  const { events } = options;
  const admission = new Admission();
  const totals = { sent: 0, bytesSent: 0 };
  const house: House = {
    source: options.source,
    events,
    limits: options.limits,
    mtu: options.mtu ?? ETHERNET_MTU,
    pool: new ChunkPool(),
    admission,
    totals,
    malformed: new Tally((count, sample) => events({ kind: 'packets.malformed', service: 'tftp', count, sample })),
    busy: new Tally((count, sample) =>
      events({ kind: 'server.trouble', code: 'TFTP_BUSY', message: `${count} TFTP requests had to wait: ${sample}` }),
    ),
  };
  const listeners = new Map<Ipv4, Listener>();
  let closed = false;
  /** A reload and a close that come together run one after the other. */
  const inOrder = inTurn();

  async function listenOn(address: Ipv4): Promise<void> {
    if (listeners.has(address)) return;
    const socket = await openUdp({ address, port: options.port ?? TFTP_PORT });
    listeners.set(address, new Listener(address, socket, house));
  }

  async function leave(address: Ipv4, reason: string): Promise<void> {
    const listener = listeners.get(address);
    listeners.delete(address);
    await listener?.close(reason);
  }

  async function follow(): Promise<void> {
    if (closed) return;
    const wanted = new Set(options.addresses());
    await Promise.all(
      [...listeners.keys()]
        .filter((address) => !wanted.has(address))
        .map((gone) => leave(gone, 'this address is gone')),
    );
    for (const address of wanted) {
      await listenOn(address).catch((error: Error) => {
        const code = error instanceof ReveilleError ? error.code : 'TFTP_LISTEN';
        events({ kind: 'server.trouble', code, message: error.message });
      });
    }
  }

  async function end(): Promise<void> {
    await Promise.all([...listeners.keys()].map((address) => leave(address, 'the server is stopping')));
    house.malformed.close();
    house.busy.close();
  }

  try {
    for (const address of options.addresses()) await listenOn(address);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    reload: () => inOrder(follow),
    close() {
      closed = true;
      return inOrder(end);
    },
    stats: () => ({ transfers: admission.size, ...totals }),
  };
}
