import type { Ipv4 } from '../net/ipv4.ts';
import type { Delivery } from './delivery.ts';
import type { Peer } from './outlet.ts';

/** A request as it came, and the address of the server that it came to. */
export type Knock = { readonly at: Ipv4; readonly peer: Peer; readonly request: Buffer };

/** A request that was let in, until all that it holds is given back. */
export type Ticket = Knock & {
  delivery?: Delivery;
  /** Why it is not to be served any more; set while the file is still being looked for. */
  cancelled?: string;
};

export type AdmissionLimits = { readonly maxTransfers: number; readonly maxTransfersPerClient: number };

/** `repeated`: the client has not seen the answer yet and asked again; nothing is to be done. */
export type Verdict =
  | { readonly kind: 'admitted'; readonly ticket: Ticket }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'busy' };

/** A known request again means that its answer was lost, unless the client got on and was then silent for so long. */
const RESTART_MS = 1000;

/** Who is being served: a client's port has one transfer at a time, a client and the server have a limited number. */
export class Admission {
  readonly #current = new Map<string, Ticket>();
  readonly #open = new Set<Ticket>();
  readonly #perClient = new Map<string, number>();

  /** Requests being served. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Lets a request in, or not. A port that asks for something else, or anew after a restart, gives its old transfer up.
   * The ticket must be closed. `now` is in milliseconds, on the clock of `performance.now()`.
   */
  ask(knock: Knock, limits: AdmissionLimits, now: number): Verdict {
    const { peer, request } = knock;
    const key = keyOf(knock);
    const former = this.#current.get(key);
    if (former?.request.equals(request) && !hasRestarted(former, now)) {
      return { kind: 'repeated' };
    }
    if (former !== undefined) {
      this.#current.delete(key);
      cancel(former, 'the client asked anew from the same port', 'silently');
    }
    const ofClient = this.#perClient.get(peer.address) ?? 0;
    if (this.#open.size >= limits.maxTransfers || ofClient >= limits.maxTransfersPerClient) return { kind: 'busy' };

    const ticket: Ticket = { ...knock };
    this.#current.set(key, ticket);
    this.#open.add(ticket);
    this.#perClient.set(peer.address, ofClient + 1);
    return { kind: 'admitted', ticket };
  }

  close(ticket: Ticket): void {
    if (!this.#open.delete(ticket)) return;
    const key = keyOf(ticket);
    if (this.#current.get(key) === ticket) this.#current.delete(key);
    const left = (this.#perClient.get(ticket.peer.address) ?? 1) - 1;
    if (left > 0) this.#perClient.set(ticket.peer.address, left);
    else this.#perClient.delete(ticket.peer.address);
  }
}

/** Ends what a ticket is served, now or as soon as it would begin; `telling` sends the client an ERROR with the reason. */
export function cancel(ticket: Ticket, reason: string, how: 'telling' | 'silently'): void {
  ticket.cancelled = reason;
  if (how === 'telling') ticket.delivery?.abort(reason);
  else ticket.delivery?.fail(reason);
}

function hasRestarted(ticket: Ticket, now: number): boolean {
  const heardAt = ticket.delivery?.heardAt;
  return heardAt !== undefined && now - heardAt > RESTART_MS;
}

function keyOf({ at, peer }: Knock): string {
  return `${at} ${peer.address} ${peer.port}`;
}
