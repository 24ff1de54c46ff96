import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Ipv4 } from '../model/ipv4.ts';
import { AddressBuckets, Bucket } from './buckets.ts';

const ALLOWANCE = { burst: 5, perSecond: 2 };

test('a bucket gives its burst at once, and then so many a second', () => {
  const bucket = new Bucket(ALLOWANCE);
  const taken = (now: number, tries: number): number =>
    Array.from({ length: tries }, () => bucket.take(now)).filter((took) => took).length;
  assert.equal(taken(1000, 9), 5);
  assert.equal(taken(1400, 9), 0);
  assert.equal(taken(1500, 9), 1);
  assert.equal(taken(3000, 9), 3);
  assert.equal(taken(1_000_000, 9), 5);
});

test('each address has its own, the same as a bucket, and what is given back can be taken again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ ip: fc.constantFrom(0x0a000001, 0xc0a80063, 0xffffffff), after: fc.nat(900) }), {
        maxLength: 200,
      }),
      (tries) => {
        const buckets = new AddressBuckets();
        const apart = new Map<number, Bucket>();
        let now = 0;
        for (const { ip, after } of tries) {
          now += after;
          const own = apart.get(ip) ?? new Bucket(ALLOWANCE);
          apart.set(ip, own);
          assert.equal(buckets.take(ip as Ipv4, ALLOWANCE, now), own.take(now));
        }
      },
    ),
  );
  const buckets = new AddressBuckets();
  const one = 0x0a000001 as Ipv4;
  while (buckets.take(one, ALLOWANCE, 0));
  buckets.giveBack(one);
  assert.deepEqual([buckets.take(one, ALLOWANCE, 0), buckets.take(one, ALLOWANCE, 0)], [true, false]);
});

test('a flood from very many addresses leaves others what they have, in the same memory', () => {
  const buckets = new AddressBuckets();
  for (let i = 0; i < 100_000; i++) {
    const ip = (0x0b000000 + Math.floor(Math.random() * 0x40000000)) as Ipv4;
    buckets.take(ip, { burst: 64, perSecond: 16 }, i / 5);
  }
  const others = Array.from({ length: 1000 }, (_, i) => (0x0a000000 + i) as Ipv4);
  const served = others.filter((ip) => buckets.take(ip, { burst: 64, perSecond: 16 }, 20_000));
  assert.equal(served.length, others.length);
});
