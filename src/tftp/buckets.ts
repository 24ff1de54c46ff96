import { randomBytes } from 'node:crypto';
import type { Ipv4 } from '../model/ipv4.ts';

/** So many at once, and so many a second in the long run. */
export type Allowance = { readonly burst: number; readonly perSecond: number };

/** A token bucket. Times are milliseconds of one monotonic clock. */
export class Bucket {
  readonly #allowance: Allowance;
  #tokens: number;
  #at = 0;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#tokens = allowance.burst;
  }

  /** Whether there is one left, and takes it. */
  take(now: number): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1000);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

const SLOT_BITS = 14;

/**
 * A token bucket for each address, in memory that does not grow: addresses are spread over a fixed number of buckets by a
 * hash with a secret. Two addresses seldom share one, and a flood from many is thin in each.
 */
export class AddressBuckets {
  readonly #salt = randomBytes(4).readUInt32LE();
  /** Tokens that have been taken and not yet come back, as of `#at`. */
  readonly #taken = new Float32Array(1 << SLOT_BITS);
  readonly #at = new Float64Array(1 << SLOT_BITS);

  /** Whether the address has one left, and takes it. */
  take(ip: Ipv4, { burst, perSecond }: Allowance, now: number): boolean {
    const slot = this.#slotOf(ip);
    const returned = ((now - (this.#at[slot] ?? 0)) * perSecond) / 1000;
    const taken = Math.max(0, (this.#taken[slot] ?? 0) - returned);
    this.#at[slot] = now;
    this.#taken[slot] = taken + 1 > burst ? taken : taken + 1;
    return taken + 1 <= burst;
  }

  /** Gives one back to the address. */
  giveBack(ip: Ipv4): void {
    const slot = this.#slotOf(ip);
    this.#taken[slot] = Math.max(0, (this.#taken[slot] ?? 0) - 1);
  }

  #slotOf(ip: Ipv4): number {
    let hash = ip ^ this.#salt;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> (32 - SLOT_BITS);
  }
}
