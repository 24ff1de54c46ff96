import type { Ipv4 } from '../model/ipv4.ts';
import type { Way } from '../net/nextHop.ts';
import { AddressBuckets, type Allowance, Bucket } from './buckets.ts';

/** Requests of one address, answered and heard or not: a loader may fetch hundreds of modules one after the other. */
const REQUESTS_OF_ONE: Allowance = { burst: 500, perSecond: 100 };

/**
 * For one address: a boot asks for up to some dozen files at once, many of which may be missing. A victim in whose name
 * others ask gets no more than this, 9 KB a second in the long run. What a client has acknowledged is not counted.
 */
const OF_ONE: Allowance = { burst: 64, perSecond: 16 };
const OF_ONE_KNOWN: Allowance = { burst: 128, perSecond: 32 };

/**
 * For all addresses of a kind. Whoever sends over Ethernet has asked for this machine's Ethernet address before, and the kernel
 * knows the asker since: it answers at once. An address that waits for ARP is most likely forged, and takes up the kernel's
 * table of neighbours (1024 entries) and the send buffer for 3 s; both kinds that wait come to 250 entries.
 */
const OF_ALL = {
  known: { burst: 2000, perSecond: 1000 },
  neighbour: { burst: 500, perSecond: 500 },
  router: { burst: 250, perSecond: 200 },
  waits: { burst: 32, perSecond: 20 },
  knownWaits: { burst: 64, perSecond: 30 },
} as const satisfies Record<string, Allowance>;

/**
 * How many packets leave to addresses that have acknowledged nothing: such an address may be forged, and then the
 * packet reaches a machine that did not ask, or none. The limits hold for each address and for all, in memory that does not grow. What comes
 * from forged addresses does not use up what is for known ones, nor for neighbours.
 */
export class Replies {
  readonly #wayTo: (ip: Ipv4) => Way;
  readonly #requestsOfOne = new AddressBuckets();
  readonly #ofOne = new AddressBuckets();
  readonly #ofAll = {
    known: new Bucket(OF_ALL.known),
    neighbour: new Bucket(OF_ALL.neighbour),
    router: new Bucket(OF_ALL.router),
    waits: new Bucket(OF_ALL.waits),
    knownWaits: new Bucket(OF_ALL.knownWaits),
  };

  /** `wayTo`: how a packet to the address would leave. */
  constructor(wayTo: (ip: Ipv4) => Way) {
    this.#wayTo = wayTo;
  }

  /** Whether one packet more may go to `ip`, and counts it. `known`: it is the address of a node, or of the holder of a lease. `now` is in milliseconds of one monotonic clock. */
  take(ip: Ipv4, known: boolean, now: number): boolean {
    if (!this.#requestsOfOne.take(ip, REQUESTS_OF_ONE, now)) return false;
    if (!this.#ofOne.take(ip, known ? OF_ONE_KNOWN : OF_ONE, now)) return false;
    const way = this.#wayTo(ip);
    if (way === 'none') return false;
    if (way === 'waits') return this.#ofAll[known ? 'knownWaits' : 'waits'].take(now);
    return this.#ofAll[known ? 'known' : way].take(now);
  }

  /** The client acknowledged: it is there, and what it was sent was for it. */
  heard(ip: Ipv4): void {
    this.#ofOne.giveBack(ip);
  }
}
