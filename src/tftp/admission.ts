import type { FileFacts } from '../model/bootFile.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Delivery } from './delivery.ts';
import { type Peer, peerKey } from './peer.ts';

/** A request as it came, the address of the server that it came to, and whether the server knows the client. */
export type Incoming = {
  readonly at: Ipv4;
  readonly peer: Peer;
  readonly request: Buffer;
  /** Of a known node or of the holder of a lease: served first, and the last to be given up. */
  readonly known: boolean;
};

/** A request that is served, until all that it holds is given back. */
export type Session = Incoming & {
  readonly since: number;
  /** Whether the client has acknowledged anything: until then it may not exist. */
  heard: boolean;
  delivery?: Delivery;
  /** What is known of its file, once it was found. */
  facts?: FileFacts;
  /** Why it is not to be served any more; set while the file is still being looked for. */
  cancelled?: string;
};

export type AdmissionLimits = {
  /** Sessions of clients that were heard. */
  readonly maxTransfers: number;
  readonly maxTransfersPerClient: number;
  /** Sessions of clients that were not heard yet: these take no place of those. */
  readonly maxUnheard: number;
};

/** A known request again means that its answer was lost, unless the client got on and was then silent for so long. */
const RESTART_MS = 1000;
/** A client with its fill of unheard sessions gets a new one for its oldest, which has had this time to be heard. */
const YOUNGEST_REPLACED_MS = 500;
/** Where all places are taken, a transfer that is as old as this and slower than that is given up for a client that is there. */
const SLOW_AFTER_MS = 10_000;
const SLOW_BYTES_PER_SECOND = 2048;

/**
 * Who is served: a client's port has one session at a time, a client and the server have a limited number. Clients that
 * were not heard yet have places of their own, of which the oldest is given up for the next: requests with forged addresses
 * cost each other their places, and take none of a client that is there. Times are those of `performance.now()`.
 */
export class Admission {
  readonly #current = new Map<string, Session>();
  readonly #heard = new Set<Session>();
  readonly #unheard = { known: new Set<Session>(), other: new Set<Session>() };
  readonly #ofClient = new Map<Ipv4, Set<Session>>();

  /** Requests being served. */
  get size(): number {
    return this.#heard.size + this.unheard;
  }

  /** Those of them whose clients have acknowledged nothing yet. */
  get unheard(): number {
    return this.#unheard.known.size + this.#unheard.other.size;
  }

  /** The session that this request began, if it comes once more because its answer was lost. */
  repeated(incoming: Incoming, now: number): Session | undefined {
    const former = this.#current.get(keyOf(incoming));
    return former?.request.equals(incoming.request) && !hasRestarted(former, now) ? former : undefined;
  }

  /** Whether `open` would find a place. */
  hasRoom(incoming: Incoming, limits: AdmissionLimits, now: number): boolean {
    const { at, peer, known } = incoming;
    // The session that it takes the place of is one of the client's own.
    if (this.#current.has(keyOf({ at, peer }))) return true;
    if (this.#isFull(limits) && this.#slowest(known, now) === undefined) return false;
    const ofClient = this.#ofClient.get(peer.ip);
    if (ofClient !== undefined && ofClient.size >= limits.maxTransfersPerClient) {
      const oldest = oldestUnheard(ofClient);
      if (oldest === undefined || now - oldest.since < YOUNGEST_REPLACED_MS) return false;
    }
    return this.unheard < limits.maxUnheard || known || this.#unheard.other.size > 0;
  }

  /**
   * Begins a session, to be called where `hasRoom` says so, and gives up those whose place it takes: the former one of the
   * same port, then the oldest unheard of the client or of all. The session must be closed.
   */
  open(incoming: Incoming, limits: AdmissionLimits, now: number): Session {
    const key = keyOf(incoming);
    const former = this.#current.get(key);
    if (former !== undefined) this.#giveUp(former, 'the client asked anew from the same port');
    const ofClient = this.#ofClient.get(incoming.peer.ip);
    const own = ofClient && ofClient.size >= limits.maxTransfersPerClient ? oldestUnheard(ofClient) : undefined;
    if (own !== undefined) this.#giveUp(own, 'the client asked for other files and took none');
    while (this.unheard >= limits.maxUnheard) {
      const [oldest] = this.#unheard.other.size > 0 ? this.#unheard.other : this.#unheard.known;
      if (oldest === undefined) break;
      this.#giveUp(oldest, 'the client never acknowledged anything, and others asked');
    }

    const session: Session = { ...incoming, since: now, heard: false };
    this.#current.set(key, session);
    this.#placesOf(session).add(session);
    const sessions = this.#ofClient.get(incoming.peer.ip) ?? new Set();
    this.#ofClient.set(incoming.peer.ip, sessions.add(session));
    return session;
  }

  /**
   * The client of a session acknowledges for the first time: it moves to the places of those who are there. False if all of
   * those are taken.
   */
  hear(session: Session, limits: AdmissionLimits, now: number): boolean {
    if (session.heard) return true;
    if (!this.#placesOf(session).has(session)) return false;
    if (this.#isFull(limits)) {
      const slowest = this.#slowest(session.known, now);
      if (slowest === undefined) return false;
      this.#giveUp(slowest, 'the client is too slow, and others waited');
    }
    this.#placesOf(session).delete(session);
    session.heard = true;
    this.#heard.add(session);
    return true;
  }

  close(session: Session): void {
    this.#heard.delete(session);
    this.#unheard.known.delete(session);
    this.#unheard.other.delete(session);
    const key = keyOf(session);
    if (this.#current.get(key) === session) this.#current.delete(key);
    const ofClient = this.#ofClient.get(session.peer.ip);
    ofClient?.delete(session);
    if (ofClient?.size === 0) this.#ofClient.delete(session.peer.ip);
  }

  #giveUp(session: Session, reason: string): void {
    this.close(session);
    cancel(session, reason, 'silently');
  }

  #placesOf({ known }: Session): Set<Session> {
    return known ? this.#unheard.known : this.#unheard.other;
  }

  #isFull({ maxTransfers }: AdmissionLimits): boolean {
    return this.#heard.size >= maxTransfers;
  }

  /** The slowest of the slow transfers; a known client's is given up for another known client alone. */
  #slowest(forKnown: boolean, now: number): Session | undefined {
    let slowest: Session | undefined;
    let least = SLOW_BYTES_PER_SECOND;
    for (const session of this.#heard) {
      const ms = now - session.since;
      if (ms < SLOW_AFTER_MS || (session.known && !forKnown)) continue;
      const speed = ((session.delivery?.acknowledged ?? 0) * 1000) / ms;
      if (speed >= least) continue;
      least = speed;
      slowest = session;
    }
    return slowest;
  }
}

/** Ends what a session is served, now or as soon as it would begin; `with ERROR` sends the client the reason. */
export function cancel(session: Session, reason: string, how: 'with ERROR' | 'silently'): void {
  session.cancelled = reason;
  if (how === 'with ERROR') session.delivery?.abort(reason);
  else session.delivery?.fail(reason);
}

function oldestUnheard(sessions: Iterable<Session>): Session | undefined {
  for (const session of sessions) if (!session.heard) return session;
  return undefined;
}

function hasRestarted({ delivery }: Session, now: number): boolean {
  const heardAt = delivery?.heardAt;
  return heardAt !== undefined && now - heardAt > RESTART_MS;
}

function keyOf({ at, peer }: { at: Ipv4; peer: Peer }): string {
  return `${at} ${peerKey(peer)}`;
}
