import { type Ipv4, type Ipv4Range, inRange } from '../model/ipv4.ts';

/**
 * Where to find an address of one pool that no machine holds, at a cost that does not grow with the pool: what was never
 * handed out comes from a cursor, what came back from a queue. It only proposes: the book knows who holds what.
 */
export class FreeAddresses {
  readonly range: Ipv4Range;
  readonly #isKept: (ip: Ipv4) => boolean;
  /** From here on nothing was handed out since the pool was taken over. What is kept below it comes back by `giveBack`. */
  #next: number;
  /** Addresses that came back, the one unused for longest first. */
  readonly #returned = new Set<Ipv4>();
  /** Addresses that were declined, the oldest first. */
  readonly #declined = new Set<Ipv4>();
  /** Addresses that a machine holds, and whether that is a node. */
  readonly #held = new Map<Ipv4, boolean>();
  #heldByNodes = 0;

  /** `isKept`: whether an address is lent to none but the machines that it is kept for. */
  constructor(range: Ipv4Range, isKept: (ip: Ipv4) => boolean) {
    this.range = range;
    this.#isKept = isKept;
    this.#next = range.first;
  }

  holds(ip: Ipv4): boolean {
    return inRange(this.range, ip);
  }

  /** How many addresses are held, of those how many by nodes, and how many are set aside. */
  get taken(): { readonly held: number; readonly byNodes: number; readonly declined: number } {
    return { held: this.#held.size, byNodes: this.#heldByNodes, declined: this.#declined.size };
  }

  /** The address is held by a node, or by a machine that the site does not list. */
  take(ip: Ipv4, byNode: boolean): void {
    this.forget(ip);
    this.#held.set(ip, byNode);
    if (byNode) this.#heldByNodes++;
    if (ip >= this.#next) this.#advance();
  }

  /** No machine holds the address, and it is not to be found here. */
  forget(ip: Ipv4): void {
    this.#returned.delete(ip);
    this.#declined.delete(ip);
    if (this.#held.get(ip)) this.#heldByNodes--;
    this.#held.delete(ip);
  }

  /** No machine holds the address any more. */
  giveBack(ip: Ipv4): void {
    this.forget(ip);
    this.#returned.add(ip);
  }

  /** A machine that did not get the address from us uses it. */
  setAside(ip: Ipv4): void {
    this.forget(ip);
    this.#declined.add(ip);
    if (ip >= this.#next) this.#advance();
  }

  /** Passes over what is taken, so that `neverUsed` need not. */
  #advance(): void {
    while (this.#next <= this.range.last && this.#isTaken(this.#next as Ipv4)) this.#next++;
  }

  #isTaken(ip: Ipv4): boolean {
    return this.#held.has(ip) || this.#returned.has(ip) || this.#declined.has(ip) || this.#isKept(ip);
  }

  /** The first address that was never handed out. */
  neverUsed(isUsable: (ip: Ipv4) => boolean): Ipv4 | undefined {
    for (let ip = this.#next; ip <= this.range.last; ip++) {
      if (!this.#isTaken(ip as Ipv4) && isUsable(ip as Ipv4)) return ip as Ipv4;
    }
    return undefined;
  }

  longestUnused(isUsable: (ip: Ipv4) => boolean): Ipv4 | undefined {
    return first(this.#returned, isUsable);
  }

  oldestDeclined(isUsable: (ip: Ipv4) => boolean): Ipv4 | undefined {
    return first(this.#declined, isUsable);
  }
}

function first(addresses: ReadonlySet<Ipv4>, isUsable: (ip: Ipv4) => boolean): Ipv4 | undefined {
  for (const ip of addresses) if (isUsable(ip)) return ip;
  return undefined;
}
