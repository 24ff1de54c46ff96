import type { Ipv4Range } from '../../../model/ipv4.ts';

/** Ranges that have no address in common, in their order, each with what it comes from. */
export class Apart<T> {
  readonly #ranges: { readonly range: Ipv4Range; readonly from: T }[] = [];

  /** Takes a range; of one that shares an address with another, gives where that comes from, and does not take it. */
  add(range: Ipv4Range, from: T): T | undefined {
    const at = this.#firstBehind(range.first);
    const [before, behind] = [this.#ranges[at - 1], this.#ranges[at]];
    if (before !== undefined && before.range.last >= range.first) return before.from;
    if (behind !== undefined && behind.range.first <= range.last) return behind.from;
    this.#ranges.splice(at, 0, { range, from });
    return undefined;
  }

  /** The place of the first range that begins behind this address. */
  #firstBehind(address: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.range.first ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
