import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Way } from '../net/nextHop.ts';
import { Replies } from './replies.ts';

/** How many of `count` requests a second for `seconds`, from as many addresses as `addresses`, get a packet. */
function answered(way: Way, known: boolean, addresses: number, count: number, seconds: number): number {
  const replies = new Replies(() => way);
  let taken = 0;
  for (let i = 0; i < count * seconds; i++) {
    const ip = (0x0a000000 + (i % addresses)) as Ipv4;
    if (replies.take(ip, known, 1_000_000 + (i * 1000) / count)) taken++;
  }
  return taken;
}

test('one address gets no more than a burst and a few packets a second, whoever asks in its name', () => {
  for (const known of [false, true]) {
    const taken = answered('neighbour', known, 1, 5000, 20);
    assert.ok(taken <= 128 + 20 * 32 && taken >= 64, `${taken}`);
  }
  assert.ok(answered('neighbour', false, 1, 5000, 20) <= 64 + 20 * 16 + 1);
});

test('all addresses of a kind together have a limit too', () => {
  const rows: [Way, boolean, number][] = [
    ['waits', false, 32 + 20 * 20],
    ['waits', true, 64 + 20 * 30],
    ['router', false, 250 + 20 * 200],
    ['neighbour', false, 500 + 20 * 500],
    ['neighbour', true, 2000 + 20 * 1000],
    ['none', true, 0],
  ];
  for (const [way, known, most] of rows) {
    const taken = answered(way, known, 20_000, 5000, 20);
    assert.ok(taken <= most + 1 && taken >= most * 0.99, `${way}, ${known ? 'known' : 'not known'}: ${taken}`);
  }
});

test('addresses that wait for ARP never come near the size of the kernel’s table of neighbours', () => {
  // An address is in the table for 3 s: the burst, and three seconds of each kind.
  assert.ok(answered('waits', false, 20_000, 5000, 3) + answered('waits', true, 20_000, 5000, 3) < 1024 / 3);
});

test('what a flood from forged addresses uses up is not that of neighbours or of known ones', () => {
  const known = 0x0a000001 as Ipv4;
  const neighbour = 0x0a000002 as Ipv4;
  const replies = new Replies((ip) =>
    ip === known || ip === neighbour ? 'neighbour' : ip > 0x0b000000 ? 'router' : 'waits',
  );
  const take = (ip: Ipv4, now: number): boolean => replies.take(ip, ip === known, now);
  let refused = 0;
  for (let i = 0; i < 50_000; i++) {
    if (!take(((i & 1 ? 0x0a010000 : 0x0b010000) + (i % 30_000)) as Ipv4, i / 5)) refused++;
    if (i % 1000 === 0) assert.ok(take(known, i / 5) && take(neighbour, i / 5), `after ${i}`);
  }
  assert.ok(refused > 40_000);
});

test('a client that acknowledges is there: what it fetched does not count, up to a rate that no loader reaches', () => {
  const replies = new Replies(() => 'neighbour');
  const ip = 0x0a000001 as Ipv4;
  /** How many of so many requests are answered, one each `ms`. */
  const taken = (count: number, ms: number, start: number): number => {
    let answered = 0;
    for (let i = 0; i < count; i++) {
      if (!replies.take(ip, false, start + i * ms)) continue;
      replies.heard(ip);
      answered++;
    }
    return answered;
  };
  assert.equal(taken(2000, 10, 0), 2000, 'a loader and its modules');
  assert.equal(taken(500, 1, 30_000), 500, 'a burst');
  const many = taken(20_000, 1, 60_000);
  assert.ok(many <= 500 + 2000 + 1 && many > 2000, `${many}`);
});
