import type { Place } from '../errors.ts';
import type { Ipv4Range } from '../model/ipv4.ts';

/** A range of addresses, with its use and place. */
export type Claim = { readonly range: Ipv4Range; readonly words: string; readonly place: () => Place };

/** Of claims in the order of the file, those that overlap an earlier one, each with that one. */
export function overlaps(claims: readonly Claim[]): readonly { readonly claim: Claim; readonly earlier: Claim }[] {
  const found: { claim: Claim; earlier: Claim }[] = [];
  const order = new Map(claims.map((claim, i) => [claim, i]));
  let furthest: Claim | undefined;
  for (const claim of claims.toSorted((a, b) => a.range.first - b.range.first)) {
    if (furthest !== undefined && claim.range.first <= furthest.range.last) {
      const inOrder = (order.get(furthest) ?? 0) < (order.get(claim) ?? 0);
      found.push(inOrder ? { claim, earlier: furthest } : { claim: furthest, earlier: claim });
    }
    if (furthest === undefined || claim.range.last > furthest.range.last) furthest = claim;
  }
  return found;
}
