import type { Ipv4 } from '../model/ipv4.ts';

type Entry = { readonly ip: Ipv4; readonly expires: number };

const NONE: readonly (readonly [Ipv4, number])[] = [];

/**
 * Addresses by the time at which they expire: a binary heap. An address that is pushed again has both times in it; the
 * reader knows which one counts. Old entries are dropped once they outnumber the addresses.
 */
export class Expiries {
  #heap: Entry[] = [];
  readonly #newest = new Map<Ipv4, number>();

  push(ip: Ipv4, expires: number): void {
    this.#newest.set(ip, expires);
    this.#heap.push({ ip, expires });
    this.#rise(this.#heap.length - 1);
    if (this.#heap.length > 64 + 2 * this.#newest.size) this.#compact();
  }

  /** Takes out what expires at `now` or before, the earliest first. */
  takeUntil(now: number): readonly (readonly [Ipv4, number])[] {
    if (this.#expires(0) > now) return NONE;
    const taken: [Ipv4, number][] = [];
    for (let top = this.#heap[0]; top && top.expires <= now; top = this.#heap[0]) {
      this.#removeTop();
      if (this.#newest.get(top.ip) !== top.expires) continue;
      this.#newest.delete(top.ip);
      taken.push([top.ip, top.expires]);
    }
    return taken;
  }

  /** A sorted array is a heap. */
  #compact(): void {
    this.#heap = [...this.#newest].map(([ip, expires]) => ({ ip, expires })).sort((a, b) => a.expires - b.expires);
  }

  #removeTop(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      const least = this.#expires(right) < this.#expires(left) ? right : left;
      if (this.#expires(least) >= this.#expires(at)) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (this.#expires(parent) <= this.#expires(at)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #expires(at: number): number {
    return this.#heap[at]?.expires ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (!one || !other) return;
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
