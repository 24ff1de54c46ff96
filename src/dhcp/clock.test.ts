import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { readAt, SteadyClock } from './clock.ts';
import { machine } from './testing/fixture.ts';

const HOUR = 3_600_000;
const TODAY = 1_800_000_000_000;

describe('the clock by which leases run', () => {
  type Look = [wall: number, monotonic: number, step: number, now: number, offset: number];
  const rows: [string, start: number, looks: Look[]][] = [
    [
      'runs with the wall clock',
      TODAY,
      [
        [TODAY + 1000, 1000, 0, TODAY + 1000, 0],
        [TODAY + HOUR, HOUR, 0, TODAY + HOUR, 0],
      ],
    ],
    [
      'does not follow one that is set back an hour, and notices once',
      TODAY,
      [
        [TODAY + 1000 - HOUR, 1000, -HOUR, TODAY + 1000, -HOUR],
        [TODAY + 2000 - HOUR, 2000, 0, TODAY + 2000, -HOUR],
      ],
    ],
    [
      'nor one that starts in 1970 and is set to today',
      5000,
      [
        [6000, 1000, 0, 6000, 0],
        [TODAY, 2000, TODAY - 7000, 7000, TODAY - 7000],
        [TODAY + 1000, 3000, 0, 8000, TODAY - 7000],
      ],
    ],
    [
      'takes a difference below three seconds for none, until several make more',
      TODAY,
      [
        [TODAY + 3000, 1000, 0, TODAY + 1000, 0],
        [TODAY + 6000, 2000, 4000, TODAY + 2000, 4000],
      ],
    ],
    [
      'notices several steps, there and back',
      TODAY,
      [
        [TODAY + HOUR, 0, HOUR, TODAY, HOUR],
        [TODAY, 0, -HOUR, TODAY, 0],
        [TODAY - HOUR, 0, -HOUR, TODAY, -HOUR],
      ],
    ],
  ];
  for (const [what, start, looks] of rows) {
    test(what, () => {
      let [wall, monotonic] = [start, 0];
      const clock = new SteadyClock(
        () => wall,
        () => monotonic,
      );
      for (const look of looks) {
        [wall, monotonic] = look;
        assert.deepEqual([wall, monotonic, clock.step(), clock.now(), clock.offset], look);
      }
    });
  }
});

describe('a lease that is read', () => {
  const lease = (start: number, expires: number): Lease => ({
    ip: 1 as Ipv4,
    mac: machine(1),
    network: 'lan',
    state: 'bound',
    start,
    expires,
  });
  const rows: [string, start: number, expires: number, read: [start: number, expires: number]][] = [
    ['runs on', TODAY - HOUR, TODAY + HOUR, [TODAY - HOUR, TODAY + HOUR]],
    ['is over', TODAY - 2 * HOUR, TODAY - HOUR, [TODAY - 2 * HOUR, TODAY - HOUR]],
    ['begins in the future: it lasts as long from now', TODAY + 9 * HOUR, TODAY + 11 * HOUR, [TODAY, TODAY + 2 * HOUR]],
    ['begins now', TODAY, TODAY + HOUR, [TODAY, TODAY + HOUR]],
    ['has no end', TODAY + 1, TODAY + 1 + 0xffffffff * 1000, [TODAY, TODAY + 0xffffffff * 1000]],
  ];
  for (const [what, start, expires, read] of rows) {
    test(what, () => {
      const got = readAt(lease(start, expires), TODAY);
      assert.deepEqual([got.start, got.expires], read);
    });
  }
});
