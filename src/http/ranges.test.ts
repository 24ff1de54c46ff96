import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKnown, wantedBytes } from './ranges.ts';

const ETAG = '"abc"';
const ALL = { kind: 'all' };
const part = (first: number, last: number) => ({ kind: 'part', first, last });

test('one range of bytes is taken as RFC 9110 says, anything else is ignored', () => {
  const cases: [string | undefined, object][] = [
    [undefined, ALL],
    ['bytes=0-0', part(0, 0)],
    ['bytes=0-99', part(0, 99)],
    ['bytes=0-99999999999999999999', part(0, 99)],
    ['bytes=99999999999999999999-', { kind: 'outside' }],
    ['bytes=5-', part(5, 99)],
    ['bytes=-5', part(95, 99)],
    ['bytes=-500', part(0, 99)],
    ['bytes=90-500', part(90, 99)],
    ['BYTES=1-2', part(1, 2)],
    ['bytes=100-', { kind: 'outside' }],
    ['bytes=100-200', { kind: 'outside' }],
    ['bytes=-0', { kind: 'outside' }],
    ['bytes=9-5', ALL],
    ['bytes=-', ALL],
    ['bytes=0-1,5-6', ALL],
    ['bytes=a-b', ALL],
    ['lines=1-2', ALL],
    [`bytes=0-${'9'.repeat(400)}`, ALL],
  ];
  for (const [range, wanted] of cases)
    assert.deepEqual(wantedBytes(100, ETAG, range, undefined), wanted, range ?? 'no range');
  assert.deepEqual(wantedBytes(0, ETAG, 'bytes=0-', undefined), { kind: 'outside' });
});

test('If-Range lets a range through only for the very content', () => {
  assert.deepEqual(wantedBytes(100, ETAG, 'bytes=5-', ETAG), part(5, 99));
  for (const other of ['"abd"', `W/${ETAG}`, 'Sun, 22 Nov 2026 21:00:00 GMT', '']) {
    assert.deepEqual(wantedBytes(100, ETAG, 'bytes=5-', other), ALL);
    assert.deepEqual(wantedBytes(100, undefined, 'bytes=5-', other), ALL, 'nothing is promised');
  }
});

test('If-None-Match compares weakly and takes lists', () => {
  for (const known of [ETAG, `W/${ETAG}`, `"x", ${ETAG}`, '*']) assert.equal(isKnown(ETAG, known), true);
  for (const other of [undefined, '', '"x"', 'abc']) assert.equal(isKnown(ETAG, other), false);
  assert.equal(isKnown(undefined, '*'), true);
  assert.equal(isKnown(undefined, '"undefined", undefined'), false);
});

test('no range leaves the body', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.oneof(
        fc.string(),
        fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      ),
      (size, range) => {
        const wanted = wantedBytes(size, ETAG, String(range), undefined);
        if (wanted.kind === 'part') assert.ok(0 <= wanted.first && wanted.first <= wanted.last && wanted.last < size);
      },
    ),
  );
});
