import { type Mac, macFromBytes } from '../model/mac.ts';
import type { Endpoint } from '../net/frame.ts';

/** A datagram that waits to be answered. */
export type Waiting = { readonly bytes: Buffer; readonly from: Endpoint };

/** Of each kind at once; they cost 3 MB where all of them are full Ethernet frames. */
const MOST_WAITING = 2048;
/** Of one node at once ahead of strangers: whoever sends under a node's address gains no more for it. */
const MOST_OF_ONE = 4;
const CHADDR_AT = 28;
const CHADDR_END = 34;

/**
 * Requests that wait to be answered. Those of machines that the site lists go first, however many strangers ask: a flood of
 * made-up addresses fills the strangers' part, and what does not fit there any more is dropped.
 */
export class Backlog {
  readonly #isListed: (mac: Mac) => boolean;
  readonly #listed = new Queue<Waiting & { readonly mac: Mac }>();
  readonly #others = new Queue<Waiting>();
  /** How many requests of each listed machine wait among the listed. */
  readonly #ofOne = new Map<Mac, number>();

  constructor(isListed: (mac: Mac) => boolean) {
    this.#isListed = isListed;
  }

  get isEmpty(): boolean {
    return this.#listed.size === 0 && this.#others.size === 0;
  }

  /** False if there is no room: the datagram is dropped. */
  add(bytes: Buffer, from: Endpoint): boolean {
    const mac = bytes.length < CHADDR_END ? undefined : macFromBytes(bytes, CHADDR_AT);
    if (mac !== undefined && this.#isListed(mac)) {
      const count = this.#ofOne.get(mac) ?? 0;
      if (count < MOST_OF_ONE && this.#listed.size < MOST_WAITING) {
        this.#ofOne.set(mac, count + 1);
        this.#listed.push({ bytes, from, mac });
        return true;
      }
    }
    if (this.#others.size >= MOST_WAITING) return false;
    this.#others.push({ bytes, from });
    return true;
  }

  /** The next request of a machine that the site lists. */
  nextListed(): Waiting | undefined {
    const next = this.#listed.shift();
    if (!next) return undefined;
    const left = (this.#ofOne.get(next.mac) ?? 1) - 1;
    if (left === 0) this.#ofOne.delete(next.mac);
    else this.#ofOne.set(next.mac, left);
    return next;
  }

  /** The next request of any other. */
  nextOther(): Waiting | undefined {
    return this.#others.shift();
  }

  clear(): void {
    while (this.nextListed() || this.nextOther());
  }
}

/** First in, first out, without moving what waits. */
class Queue<T> {
  #items: T[] = [];
  #at = 0;

  get size(): number {
    return this.#items.length - this.#at;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#at];
    if (item === undefined) return undefined;
    this.#at++;
    if (this.#at === this.#items.length) {
      this.#items = [];
      this.#at = 0;
    } else if (this.#at >= MOST_WAITING) {
      this.#items = this.#items.slice(this.#at);
      this.#at = 0;
    }
    return item;
  }
}
