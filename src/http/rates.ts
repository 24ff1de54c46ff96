/** How often something may happen: so many times at once, and so many a second after that. */
export type Rate = { readonly burst: number; readonly perSecond: number };

type Bucket = { left: number; at: number };

/**
 * A token bucket for each key. Keys are bounded in number: the one asked about longest ago is forgotten, which gives it a full bucket.
 * `now` is in milliseconds and never goes back.
 */
export class Rates {
  readonly #rate: Rate;
  readonly #mostKeys: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, mostKeys: number, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#mostKeys = mostKeys;
    this.#now = now;
  }

  /** Takes one. Gives 0 if there was one, else the whole seconds until there is. */
  take(key: string): number {
    const { burst, perSecond } = this.#rate;
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const oldest = this.#buckets.size > this.#mostKeys ? this.#buckets.keys().next().value : undefined;
    if (oldest !== undefined) this.#buckets.delete(oldest);
    if (bucket.left < 1) return Math.ceil((1 - bucket.left) / perSecond);
    bucket.left--;
    return 0;
  }
}
