import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Pool } from '../model/network.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { LeaseBook } from './book.ts';
import { Expiries } from './expiries.ts';
import { machine, networkOf, siteOf } from './testing/fixture.ts';

const lan = networkOf('lan', '10.0.0.0/24', [['10.0.0.1-10.0.0.6', 'any']]);
const two = networkOf('two', '10.0.1.0/24', [
  ['10.0.1.10-10.0.1.12', 'any'],
  ['10.0.1.20-10.0.1.21', 'any'],
]);
/** 10.0.0.1 is the gateway, .2 the server, .3 is kept for machine 100: .4 to .6 are left. */
const kept = nodeOf('kept', [machine(100)], { ip: ip('10.0.0.3'), network: 'lan' });
const site = siteOf([lan, two], [kept]);

function bookOf(of = site): LeaseBook {
  const book = new LeaseBook();
  book.configure(of);
  return book;
}

/** The address that is proposed to a client at `now`. */
function chosen(book: LeaseBook, ...[network, pools, who, wanted, now]: Parameters<LeaseBook['propose']>) {
  book.expire(now);
  return book.propose(network, pools, who, wanted, now);
}

function hasRoom(book: LeaseBook, pool: Pool, now: number): boolean {
  book.expire(now);
  return book.hasRoomForStrangers(pool);
}

const bound = (who: Mac, address: Ipv4, network: string, start: number, ms: number): Lease => ({
  ip: address,
  mac: who,
  network,
  state: 'bound',
  start,
  expires: start + ms,
});

test('an address that is kept for a node whose card is not known yet is given to nobody', () => {
  const book = bookOf({ ...site, awaited: new Map([[ip('10.0.0.4'), 'n4']]) });
  assert.equal(chosen(book, lan, lan.pools, machine(1), ip('10.0.0.4'), 0), ip('10.0.0.5'));
  assert.equal(book.isFree(ip('10.0.0.4'), machine(1), 0), false);
});

describe('a pool that nodes draw from, too', () => {
  const pool = lan.pools[0] ?? assert.fail();
  const drawing = (n: number, network?: string) =>
    Array.from({ length: n }, (_, i) => nodeOf(`n${i}`, [machine(200 + i)], network === undefined ? {} : { network }));
  /** 10.0.0.4 to .6 are left of the pool. */
  const take = (book: LeaseBook, who: Mac, last: number, ms = 60_000) =>
    book.put(bound(who, ip(`10.0.0.${last}`), 'lan', 0, ms));
  const rows: [
    string,
    nodes: number,
    network: string | undefined,
    held: [who: number, last: number][],
    room: boolean,
  ][] = [
    [
      'no node draws from it',
      0,
      undefined,
      [
        [1, 4],
        [2, 5],
      ],
      true,
    ],
    [
      'one node: an address is left for it',
      1,
      undefined,
      [
        [1, 4],
        [2, 5],
      ],
      false,
    ],
    ['and beside it one for a stranger', 1, undefined, [[1, 4]], true],
    [
      'unless the node has one',
      1,
      undefined,
      [
        [1, 4],
        [200, 5],
      ],
      true,
    ],
    ['many nodes: half of it at most', 50, undefined, [[1, 4]], true],
    [
      'many nodes: the half is kept',
      50,
      undefined,
      [
        [1, 4],
        [2, 5],
      ],
      false,
    ],
    [
      'nodes of another network',
      50,
      'two',
      [
        [1, 4],
        [2, 5],
      ],
      true,
    ],
    [
      'nodes of this network',
      1,
      'lan',
      [
        [1, 4],
        [2, 5],
      ],
      false,
    ],
  ];
  for (const [what, nodes, network, held, room] of rows) {
    test(`${what}: ${room ? 'room' : 'no room'} for strangers`, () => {
      const book = bookOf(siteOf([lan, two], [kept, ...drawing(nodes, network)]));
      for (const [who, last] of held) take(book, machine(who), last);
      assert.equal(hasRoom(book, pool, 0), room);
      book.configure(siteOf([lan, two], [kept, ...drawing(nodes, network)]));
      assert.equal(hasRoom(book, pool, 0), room, 'the same after an edit');
      book.configure(siteOf([lan], [kept, ...drawing(nodes, network)]));
      assert.equal(hasRoom(book, pool, 0), room, 'the same after an edit of networks');
      assert.equal(hasRoom(book, pool, 60_000), true, 'all have expired');
      book.configure(siteOf([lan], [kept, ...drawing(nodes, network)]));
      assert.equal(hasRoom(book, pool, 60_000), true, 'and are still so after an edit');
    });
  }

  test('offers count, and what was declined', () => {
    const book = bookOf(siteOf([lan, two], [kept, ...drawing(1)]));
    book.offer('lan', machine(1), ip('10.0.0.4'), 0);
    assert.equal(hasRoom(book, pool, 0), true);
    book.put({ ...bound(machine(2), ip('10.0.0.5'), 'lan', 0, 60_000), state: 'declined' });
    assert.equal(hasRoom(book, pool, 0), false);
    book.withdraw('lan', machine(1));
    assert.equal(hasRoom(book, pool, 0), true);
  });

  test('its counts stay right whatever happens', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const book = bookOf(siteOf([lan, two], [kept, ...drawing(1)]));
        let now = 0;
        for (const step of played) {
          if (step.do === 'wait') now += step.ms;
          else if (step.do !== 'reload') {
            const who = machine(step.who);
            const address = chosen(book, lan, lan.pools, who, undefined, now);
            if (address === undefined) continue;
            if (step.do === 'discover') book.offer('lan', who, address, now);
            else {
              const state = step.do === 'release' ? 'released' : step.do === 'decline' ? 'declined' : 'bound';
              const undo = book.put({ ...bound(who, address, 'lan', now, 60_000), state });
              if (step.do === 'fail') undo();
            }
          }
        }
        // Once all is over, as much is free as there was in the beginning.
        now += 10_000_000;
        chosen(book, lan, lan.pools, machine(999), undefined, now);
        const free = new Set<Ipv4>();
        for (let n = 300; n < 310; n++) {
          const address = chosen(book, lan, lan.pools, machine(n), undefined, now);
          if (address === undefined) break;
          book.put(bound(machine(n), address, 'lan', now, 60_000));
          free.add(address);
          assert.equal(hasRoom(book, pool, now), free.size < 2);
        }
        assert.equal(free.size, 3);
      }),
      { numRuns: 500 },
    );
  });
});

test('what it is asked changes nothing: it proposes the same, however often and for whomever it did before', () => {
  const asking = fc.record({
    who: fc.nat(8),
    asks: fc.nat(8),
    do: fc.constantFrom('offer', 'bound', 'released', 'none'),
  });
  fc.assert(
    fc.property(fc.array(asking, { maxLength: 40 }), fc.nat(60_000), (played, ms) => {
      const [asked, left] = [bookOf(), bookOf()];
      let now = 0;
      for (const step of played) {
        now += ms;
        for (const book of [asked, left]) book.expire(now);
        for (const network of [lan, two]) {
          asked.propose(network, network.pools, machine(step.asks), network.pools[0]?.range.last, now);
          for (const pool of network.pools) asked.hasRoomForStrangers(pool);
        }
        const who = machine(step.who);
        const address = asked.propose(two, two.pools, who, undefined, now);
        assert.equal(address, left.propose(two, two.pools, who, undefined, now));
        if (address === undefined || step.do === 'none') continue;
        for (const book of [asked, left]) {
          if (step.do === 'offer') book.offer('two', who, address, now);
          else book.put({ ...bound(who, address, 'two', now, 60_000), state: step.do as 'bound' | 'released' });
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('addresses that an edit keeps are passed over at no cost, and are lent again after another', () => {
  const big = networkOf('big', '10.8.0.0/16', [['10.8.0.10-10.8.255.250', 'any']]);
  const keeping = (n: number) =>
    siteOf(
      [big],
      Array.from({ length: n }, (_, i) =>
        nodeOf(`n${i}`, [machine(i)], { ip: (ip('10.8.0.10') + i) as Ipv4, network: 'big' }),
      ),
    );
  const book = bookOf(keeping(0));
  book.configure(keeping(2000));
  const first = chosen(book, big, big.pools, machine(9001), undefined, 0);
  assert.equal(first, ip('10.8.0.10') + 2000);
  book.put(bound(machine(9001), first ?? assert.fail(), 'big', 0, 60_000));
  assert.equal(chosen(book, big, big.pools, machine(9002), undefined, 0), ip('10.8.0.10') + 2001);
  book.configure(keeping(0));
  const lent = new Set<Ipv4>();
  for (let n = 0; n < 66_000; n++) {
    const address = chosen(book, big, big.pools, machine(10_000 + n), undefined, 0);
    if (address === undefined) break;
    book.put(bound(machine(10_000 + n), address, 'big', 0, 60_000));
    lent.add(address);
  }
  assert.equal(lent.size, ip('10.8.255.250') - ip('10.8.0.10'), 'all but the one that is lent already');
});

type Step =
  | { readonly do: 'discover' | 'request' | 'fail' | 'release' | 'decline'; readonly who: number; readonly net: 0 | 1 }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'reload' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'discover' as const,
          'request' as const,
          'fail' as const,
          'release' as const,
          'decline' as const,
        ),
        who: fc.nat(8),
        net: fc.constantFrom(0 as const, 1 as const),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1000, 31_000, 61_000) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const) }) },
  ),
  { maxLength: 80 },
);

describe('the lease book', () => {
  test('never has an address held by two live clients, nor gives away what is kept, whatever happens', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const book = bookOf();
        let now = 1_000_000;
        /** What clients were told: by address, who may use it until when. */
        const inUse = new Map<Ipv4, { who: Mac; until: number }>();
        for (const step of played) {
          if (step.do === 'wait') now += step.ms;
          else if (step.do === 'reload') book.configure(site);
          else {
            const who = machine(step.who);
            const network = step.net === 0 ? lan : two;
            const mine = book.leaseOf(network.name, who);
            if (step.do === 'discover') {
              const address = chosen(book, network, network.pools, who, undefined, now);
              if (address !== undefined) book.offer(network.name, who, address, now);
            } else if (step.do === 'request' || step.do === 'fail') {
              const address = chosen(book, network, network.pools, who, undefined, now);
              if (address === undefined || !book.isFree(address, who, now)) continue;
              const holder = inUse.get(address);
              assert.ok(!holder || holder.who === who || holder.until <= now, 'an address was given to two');
              assert.ok(![1, 2, 3].map((n) => ip(`10.0.0.${n}`)).includes(address), 'a kept address was given away');
              const undo = book.put(bound(who, address, network.name, now, 60_000));
              if (step.do === 'fail') undo();
              else {
                for (const [other, use] of inUse) {
                  const sameNetwork = other >= ip('10.0.1.0') === address >= ip('10.0.1.0');
                  if (use.who === who && sameNetwork) inUse.delete(other);
                }
                inUse.set(address, { who, until: now + 60_000 });
              }
            } else if (mine?.state === 'bound') {
              const state = step.do === 'release' ? 'released' : 'declined';
              book.put({ ...mine, state, expires: step.do === 'release' ? now : now + 600_000 });
              if (inUse.get(mine.ip)?.who === who) inUse.delete(mine.ip);
            }
          }
          const owners = new Set<string>();
          for (const lease of book.leases()) {
            if (lease.state !== 'bound') continue;
            assert.equal(book.leaseOf(lease.network, lease.mac), lease);
            assert.ok(!owners.has(`${lease.network} ${lease.mac}`), 'a client has two leases in one network');
            owners.add(`${lease.network} ${lease.mac}`);
          }
          for (const [address, { who, until }] of inUse) {
            if (until > now) assert.equal(book.leaseAt(address)?.mac, who, 'a live lease was forgotten');
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  test('uses its pools up to the last address, and what comes back after', () => {
    const book = bookOf();
    const given = Array.from({ length: 6 }, (_, n) => {
      const address = chosen(book, two, two.pools, machine(n), undefined, 0);
      if (address !== undefined) book.put(bound(machine(n), address, 'two', 0, 60_000 + n));
      return address;
    });
    assert.deepEqual(given, [...[10, 11, 12, 20, 21].map((n) => ip(`10.0.1.${n}`)), undefined]);
    // The first three are over, in the order of their ends; the first client wants its own again.
    assert.equal(chosen(book, two, two.pools, machine(0), undefined, 60_002), ip('10.0.1.10'));
    assert.equal(chosen(book, two, two.pools, machine(9), undefined, 60_002), ip('10.0.1.10'));
    assert.equal(chosen(book, two, two.pools, machine(2), undefined, 60_002), ip('10.0.1.12'));
  });

  test('gives what was never used before what somebody may come back for', () => {
    const book = bookOf();
    book.put(bound(machine(1), ip('10.0.0.4'), 'lan', 0, 1000));
    assert.equal(chosen(book, lan, lan.pools, machine(2), undefined, 5000), ip('10.0.0.5'));
    assert.equal(chosen(book, lan, lan.pools, machine(1), undefined, 5000), ip('10.0.0.4'));
  });

  test('a /16 of clients comes and goes, and comes again; the last costs as little as the first', () => {
    const big = networkOf('big', '10.8.0.0/16', [['10.8.0.10-10.8.255.250', 'any']]);
    const book = bookOf(siteOf([big]));
    const all = 65_000;
    const part = all / 10;
    /** Processor time for each tenth of the clients, in microseconds: other programs do not count. */
    const costs: number[] = [];
    for (const [round, first] of [0, 100_000].entries()) {
      const now = round * 1_000_000;
      const given = new Set<Ipv4>();
      let begun = process.cpuUsage();
      for (let n = 0; n < all; n++) {
        const who = machine(first + n);
        const address = chosen(book, big, big.pools, who, undefined, now) ?? assert.fail('no address left');
        book.offer('big', who, address, now);
        book.put(bound(who, address, 'big', now, 60_000));
        given.add(address);
        if (given.size % part !== 0) continue;
        costs.push(process.cpuUsage(begun).user);
        begun = process.cpuUsage();
      }
      assert.equal(given.size, all);
    }
    // Were every search to pass over what is taken, the last tenth would cost nineteen times the first.
    const [least = 0, middle = 0] = [Math.min(...costs), costs.toSorted((a, b) => a - b)[costs.length / 2]];
    assert.ok(middle < 6 * least, `it grows with the pool: ${costs.join(' ')}`);
  });

  test('a failed save brings back what was there, in whatever order failures come', () => {
    const book = bookOf();
    const first = bound(machine(1), ip('10.0.0.4'), 'lan', 0, 60_000);
    book.put(first);
    const undoMove = book.put(bound(machine(1), ip('10.0.0.5'), 'lan', 1, 60_000));
    const undoRenewal = book.put(bound(machine(1), ip('10.0.0.5'), 'lan', 2, 60_000));
    undoMove();
    undoRenewal();
    assert.deepEqual([...book.leases()], [first]);
    assert.equal(book.isFree(ip('10.0.0.4'), machine(2), 10), false);
    assert.equal(book.isFree(ip('10.0.0.5'), machine(2), 10), true);
  });

  test('a client that asks on while the disk takes nothing costs no more each time, and gets back what it had', () => {
    const book = bookOf();
    const first = bound(machine(1), ip('10.0.0.4'), 'lan', 0, 60_000);
    book.put(first);
    const begun = process.cpuUsage();
    // The next one is always on its way when the one before fails.
    let undo = book.put(bound(machine(1), ip('10.0.0.4'), 'lan', 1, 60_000));
    for (let n = 2; n < 20_000; n++) {
      const next = book.put(bound(machine(1), ip('10.0.0.4'), 'lan', n, 60_000));
      undo();
      undo = next;
    }
    undo();
    assert.deepEqual([...book.leases()], [first]);
    // Many in one group fail newest first.
    const group = Array.from({ length: 8192 }, (_, n) => book.put(bound(machine(1), ip('10.0.0.4'), 'lan', n, 60_000)));
    for (const back of group.reverse()) back();
    assert.deepEqual([...book.leases()], [first]);
    assert.ok(process.cpuUsage(begun).user < 2_000_000, 'it does not grow');
  });

  test('a failed save does not bring back what somebody else has since', () => {
    const book = bookOf();
    book.put(bound(machine(1), ip('10.0.0.4'), 'lan', 0, 100));
    const undo = book.put(bound(machine(1), ip('10.0.0.5'), 'lan', 1, 60_000));
    const other = bound(machine(2), ip('10.0.0.4'), 'lan', 2, 60_000);
    book.put(other);
    undo();
    assert.deepEqual([...book.leases()], [other]);
  });

  test('of two saved leases of one client the later counts, in whatever order they come', () => {
    const old = { ...bound(machine(1), ip('10.0.0.4'), 'lan', 0, 10), state: 'released' } as const;
    const live = bound(machine(1), ip('10.0.0.5'), 'lan', 5, 60_000);
    for (const leases of [
      [old, live],
      [live, old],
    ]) {
      const book = bookOf();
      book.load(leases);
      assert.equal(book.leaseOf('lan', machine(1)), live);
    }
  });

  test('an address declined by its holder is nobody’s lease', () => {
    const book = bookOf();
    const lease = bound(machine(1), ip('10.0.0.4'), 'lan', 0, 60_000);
    book.put(lease);
    book.put({ ...lease, state: 'declined', expires: 600_000 });
    assert.equal(book.leaseOf('lan', machine(1)), undefined);
    assert.equal(chosen(book, lan, lan.pools, machine(1), undefined, 1), ip('10.0.0.5'));
    assert.equal(book.isFree(ip('10.0.0.4'), machine(2), 1), false);
    assert.equal(book.isFree(ip('10.0.0.4'), machine(2), 600_000), true);
  });
});

test('an edit of nodes alone leaves a book that lends as one does that is made anew', () => {
  const pool = lan.pools[0] ?? assert.fail();
  const known = (n: number, last?: number) =>
    nodeOf(`k${n}`, [machine(n)], last === undefined ? {} : { ip: ip(`10.0.0.${last}`), network: 'lan' });
  const sites = [[], [kept], [known(1, 4)], [known(1), known(2)], [kept, known(1, 5), known(2)]].map((nodes) =>
    siteOf([lan, two], nodes),
  );
  const step = fc.oneof(
    fc.record({ do: fc.constant('edit' as const), to: fc.nat(sites.length - 1) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(50_000) }),
    fc.record({
      do: fc.constantFrom('bound' as const, 'released' as const, 'declined' as const, 'offer' as const),
      who: fc.integer({ min: 1, max: 4 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (played) => {
      let [current = site] = sites;
      const book = bookOf(current);
      let now = 0;
      for (const one of played) {
        if (one.do === 'wait') now += one.ms;
        else if (one.do === 'edit') {
          current = sites[one.to] ?? current;
          book.configure(current);
        } else {
          const address = chosen(book, lan, lan.pools, machine(one.who), undefined, now);
          if (address === undefined) continue;
          if (one.do === 'offer') book.offer('lan', machine(one.who), address, now);
          else book.put({ ...bound(machine(one.who), address, 'lan', now, 60_000), state: one.do });
        }
      }
      // Offers are over by then; leases under them are taken back the next time.
      now += 30_000;
      hasRoom(book, pool, now);
      const anew = bookOf(current);
      anew.load([...book.leases()]);
      assert.equal(hasRoom(book, pool, now), hasRoom(anew, pool, now));
      const lent = (from: LeaseBook): readonly Ipv4[] => {
        const all: Ipv4[] = [];
        for (let n = 300; n < 310; n++) {
          const address = chosen(from, lan, lan.pools, machine(n), undefined, now);
          if (address === undefined || all.includes(address)) break;
          from.put(bound(machine(n), address, 'lan', now, 60_000));
          all.push(address);
        }
        return all.sort((a, b) => a - b);
      };
      assert.deepEqual(lent(book), lent(anew));
    }),
    { numRuns: 500 },
  );
});

test('expiries come out in their order, each address by its newest time', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(1000)), { maxLength: 300 }), fc.nat(1000), (pushed, now) => {
      const expiries = new Expiries();
      const newest = new Map<number, number>();
      for (const [address, expires] of pushed) {
        expiries.push(address as Ipv4, expires);
        newest.set(address, expires);
      }
      const due = [...newest].filter(([, expires]) => expires <= now);
      const taken = expiries.takeUntil(now);
      assert.deepEqual(
        [...taken].sort((a, b) => a[0] - b[0]),
        due.sort((a, b) => a[0] - b[0]),
      );
      assert.deepEqual(
        taken.map(([, expires]) => expires),
        taken.map(([, expires]) => expires).sort((a, b) => a - b),
      );
      assert.deepEqual(expiries.takeUntil(now), []);
    }),
  );
});
