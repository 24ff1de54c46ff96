import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Claim, overlaps } from './overlap.ts';

const claims = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 8 })), { maxLength: 12 }).map((list) =>
  list.map(
    ([first, length], i): Claim => ({
      range: { first: first as Ipv4, last: (first + length) as Ipv4 },
      words: String(i),
      place: () => ({ file: 'x', line: i + 1, col: 1 }),
    }),
  ),
);

const meet = (a: Claim, b: Claim) => a.range.first <= b.range.last && b.range.first <= a.range.last;

describe('overlaps', () => {
  it('names real overlaps only, the later one first, and leaves out nothing that overlaps', () => {
    fc.assert(
      fc.property(claims, (list) => {
        const found = overlaps(list);
        for (const { claim, earlier } of found) {
          assert.ok(meet(claim, earlier));
          assert.ok(list.indexOf(claim) > list.indexOf(earlier));
        }
        const named = new Set(found.flatMap(({ claim, earlier }) => [claim, earlier]));
        for (const one of list) {
          assert.equal(
            named.has(one),
            list.some((other) => other !== one && meet(one, other)),
          );
        }
      }),
    );
  });
});
