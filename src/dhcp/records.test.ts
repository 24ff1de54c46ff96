import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Happening } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { ip } from '../site/testing/fixture.ts';
import { leasesInMemory } from '../state/testing/fakes.ts';
import { LeaseBook } from './book.ts';
import { SteadyClock } from './clock.ts';
import type { LeaseStore } from './leaseStore.ts';
import { LeaseRecords, PATIENCE_MS } from './records.ts';
import { machine, networkOf, siteOf } from './testing/fixture.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TODAY = 1_800_000_000_000;
const OWN = ip('10.0.0.51');
const lan = networkOf('lan', '10.0.0.0/24', [['10.0.0.101-10.0.0.104', 'any']]);
const site = siteOf([lan]);

/** What is on disk, which a test may fill up, stop or take away. */
class Disk {
  readonly byIp = new Map<Ipv4, Lease>();
  state: 'well' | 'full' | 'hangs' = 'well';
  commits = 0;
  #waiting: (() => void)[] = [];

  readonly store = {
    load: async (): Promise<readonly Lease[]> => {
      if (this.state === 'hangs') await this.#hang();
      if (this.state === 'full') throw new Error('the disk is broken');
      return [...this.byIp.values()];
    },
    commit: async (leases: readonly Lease[]): Promise<readonly Lease[]> => {
      this.commits++;
      if (this.state === 'hangs') await this.#hang();
      if (this.state === 'full') throw new Error('the disk is full');
      for (const lease of leases) {
        if (lease.state === 'bound')
          for (const other of [...this.byIp.values()])
            if (other.mac === lease.mac && other.network === lease.network) this.byIp.delete(other.ip);
        this.byIp.set(lease.ip, lease);
      }
      return [];
    },
  };

  /** Lets what hangs go on. */
  wake(state: 'well' | 'full' = 'well'): void {
    this.state = state;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #hang(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

let disk: Disk;
let events: Happening[];
let faults: unknown[];
let wall: number;
let monotonic: number;
let running: LeaseRecords[];

beforeEach(() => {
  [disk, events, faults, wall, monotonic, running] = [new Disk(), [], [], TODAY, 0, []];
});
afterEach(async () => {
  mock.timers.reset();
  disk.wake();
  for (const one of running) await one.close();
  assert.deepEqual(faults, []);
});

function open(store: LeaseStore = disk.store): { records: LeaseRecords; book: LeaseBook } {
  const book = new LeaseBook();
  book.configure(site);
  const clock = new SteadyClock(
    () => wall,
    () => monotonic,
  );
  const records = new LeaseRecords({
    store,
    book,
    clock,
    emit: (event) => events.push(event),
    faulted: (error) => faults.push(error),
    loaded: () => {},
  });
  running.push(records);
  return { records, book };
}

function leaseFor(who: Mac, address: Ipv4, now: number, ms = HOUR): Lease {
  return { ip: address, mac: who, network: 'lan', state: 'bound', start: now, expires: now + ms };
}

const pass = (ms: number): void => {
  wall += ms;
  monotonic += ms;
};
const turns = async (n = 10): Promise<void> => {
  for (let i = 0; i < n; i++) await turn();
};
const troubles = () => events.filter(({ kind }) => kind === 'server.trouble');

describe('a lease and its record', () => {
  test('of a pool: the client hears when it is on disk, and not at all where it does not get there', async () => {
    const { records, book } = open();
    await records.start();
    const told: string[] = [];
    const save = (n: number) =>
      records.save(
        leaseFor(machine(n), ip(`10.0.0.10${n}`), records.now()),
        () => told.push(`saved ${n}`),
        ({ code }) => told.push(`${n}: ${code}`),
      );
    save(1);
    assert.equal(told.length, 0);
    await turns();
    assert.deepEqual(told, ['saved 1']);
    disk.state = 'full';
    save(2);
    save(3);
    await turns();
    assert.deepEqual(told.slice(1), ['3: lease-unsaved', '2: lease-unsaved']);
    assert.deepEqual([...disk.byIp.keys()], [ip('10.0.0.101')]);
    assert.equal(book.leaseAt(ip('10.0.0.102')), undefined);
    assert.equal(troubles().length, 1, 'reported once, not for each lease');
    save(2);
    await turns();
    assert.equal(troubles().length, 1);
    disk.wake();
    save(2);
    await turns();
    assert.equal(told.at(-1), 'saved 2');
  });

  test('of a node’s own: answered although the disk is full, at once from then on, and written when it is well', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const { records, book } = open();
    void records.start();
    await turns();
    const told: string[] = [];
    disk.state = 'full';
    records.keep(leaseFor(machine(51), OWN, records.now()), () => told.push('first'));
    assert.equal(told.length, 0);
    await turns();
    assert.deepEqual(told, ['first']);
    assert.equal(book.leaseAt(OWN)?.mac, machine(51), 'it stays in the book');
    const before = disk.commits;
    for (let n = 0; n < 100; n++)
      records.keep(leaseFor(machine(51), OWN, records.now()), () => told.push(`again ${n}`));
    assert.equal(told.length, 101, 'at once');
    await turns();
    assert.equal(disk.commits, before, 'and asks nothing of the disk');
    assert.equal(troubles().length, 1);
    mock.timers.tick(5000);
    await turns();
    assert.equal(disk.commits, before + 1, 'the disk is tried again');
    assert.equal(disk.byIp.size, 0);
    disk.wake();
    mock.timers.tick(5000);
    await turns();
    assert.equal(disk.byIp.get(OWN)?.mac, machine(51));
    records.keep(leaseFor(machine(51), OWN, records.now()), () => told.push('well'));
    assert.notEqual(told.at(-1), 'well', 'what the disk takes is waited for again');
    await turns();
    assert.equal(told.at(-1), 'well');
  });

  test('of a node’s own: written with the next lease of a pool that the disk takes', async () => {
    const { records } = open();
    await records.start();
    disk.state = 'full';
    records.keep(leaseFor(machine(51), OWN, records.now()), () => {});
    await turns();
    disk.wake();
    records.save(
      leaseFor(machine(1), ip('10.0.0.101'), records.now()),
      () => {},
      () => assert.fail('refused'),
    );
    await turns();
    assert.deepEqual([...disk.byIp.keys()].sort(), [OWN, ip('10.0.0.101')].sort());
  });

  test('of a node’s own: a disk that hangs holds it up for a short while, and the next not at all', async () => {
    const { records } = open();
    await records.start();
    disk.state = 'hangs';
    const told: string[] = [];
    let refused = 0;
    const begun = performance.now();
    await new Promise<void>((resolve) => records.keep(leaseFor(machine(51), OWN, records.now()), resolve));
    const waited = performance.now() - begun;
    assert.ok(waited >= PATIENCE_MS - 5, `${waited} ms`);
    records.keep(leaseFor(machine(52), ip('10.0.0.52'), records.now()), () => told.push('second'));
    assert.deepEqual(told, ['second']);
    for (let n = 0; n < 8200; n++) {
      const lease = leaseFor(machine(1), ip('10.0.0.101'), records.now());
      records.save(
        lease,
        () => told.push('pool'),
        () => refused++,
      );
    }
    assert.equal(refused, 8200 - 8192, 'those of pools are refused once too many wait');
    records.keep(leaseFor(machine(53), ip('10.0.0.53'), records.now()), () => told.push('third'));
    assert.deepEqual(told, ['second', 'third']);
    disk.wake();
    await turns(30);
    assert.deepEqual([...disk.byIp.keys()].sort(), [OWN, ip('10.0.0.52'), ip('10.0.0.53'), ip('10.0.0.101')].sort());
  });

  test('what a callback throws is a fault, and the next lease is written', async () => {
    const { records } = open();
    await records.start();
    const bad = () => {
      throw new Error('a mistake');
    };
    records.save(leaseFor(machine(1), ip('10.0.0.101'), records.now()), bad, bad);
    records.keep(leaseFor(machine(51), OWN, records.now()), bad);
    await turns();
    let saved = false;
    records.save(
      leaseFor(machine(2), ip('10.0.0.102'), records.now()),
      () => {
        saved = true;
      },
      () => assert.fail('refused'),
    );
    await turns();
    assert.ok(saved);
    assert.equal(disk.byIp.size, 3);
    assert.deepEqual(faults.splice(0).map(String), ['Error: a mistake', 'Error: a mistake']);
  });
});

describe('a second server over the same leases', () => {
  const A = ip('10.0.0.101');
  const two = async () => {
    const table = new Map<Ipv4, Lease>();
    const both = [open(leasesInMemory(table)), open(leasesInMemory(table))] as const;
    for (const { records } of both) await records.start();
    return both;
  };
  const saveOn = async ({ records }: { records: LeaseRecords }, lease: Lease): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    records.save(
      lease,
      () => resolve('saved'),
      ({ code }) => resolve(code),
    );
    return promise;
  };

  test('lends an address that the first has lent to no other machine, and knows of it then', async () => {
    const [one, other] = await two();
    assert.equal(await saveOn(one, leaseFor(machine(1), A, one.records.now())), 'saved');
    const before = leaseFor(machine(2), ip('10.0.0.102'), other.records.now());
    assert.equal(await saveOn(other, before), 'saved');
    assert.ok(other.book.isFree(A, machine(2), other.records.now()), 'it does not know of the lease yet');
    assert.equal(await saveOn(other, leaseFor(machine(2), A, other.records.now())), 'address-taken');
    assert.equal(other.book.leaseAt(A)?.mac, machine(1));
    assert.deepEqual(other.book.leaseOf('lan', machine(2)), before, 'the machine has what it had');
    assert.ok(!other.book.isFree(A, machine(2), other.records.now()));
    pass(HOUR + 1000);
    assert.equal(await saveOn(other, leaseFor(machine(2), A, other.records.now())), 'saved');
  });

  test('does not answer a renewal of an address that the first has lent since, and does not write it later', async () => {
    const [one, other] = await two();
    assert.equal(await saveOn(other, leaseFor(machine(2), A, other.records.now())), 'saved');
    pass(HOUR + 1000);
    assert.equal(await saveOn(one, leaseFor(machine(1), A, one.records.now())), 'saved');
    let answered = false;
    other.records.keep(leaseFor(machine(2), A, other.records.now()), () => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS + 50));
    assert.equal(answered, false);
    assert.equal(other.book.leaseAt(A)?.mac, machine(1));
    assert.deepEqual(events, []);
  });
});

test('records of leases whose network has another name are written anew, after an edit and after a restart', async () => {
  const { records } = open();
  await records.start();
  records.save(
    leaseFor(machine(1), ip('10.0.0.101'), records.now()),
    () => {},
    () => assert.fail('refused'),
  );
  await turns();
  const [, network] = [...site.networks][0] ?? assert.fail();
  const named = (name: string) => ({ ...site, networks: new Map([[name, { ...network, name }]]) });
  const onDisk = () => disk.byIp.get(ip('10.0.0.101'))?.network;
  records.configure(named('other'));
  await turns();
  assert.equal(onDisk(), 'other');
  disk.state = 'full';
  records.configure(named('third'));
  await turns();
  assert.equal(onDisk(), 'other');
  disk.wake();
  const next = open();
  next.records.configure(named('third'));
  await next.records.start();
  await turns();
  assert.equal(onDisk(), 'third');
});

describe('leases on disk that cannot be read at the start', () => {
  test('are read later; what nodes were given meanwhile is newer', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const old = leaseFor(machine(1), ip('10.0.0.101'), TODAY - MINUTE);
    const stale = leaseFor(machine(51), ip('10.0.0.102'), TODAY - MINUTE);
    for (const lease of [old, stale]) disk.byIp.set(lease.ip, lease);
    disk.state = 'full';
    const { records, book } = open();
    const started = records.start();
    await turns();
    mock.timers.tick(2000);
    await started;
    assert.equal(records.isLoaded, false);
    assert.equal(troubles().length, 1);
    records.keep(leaseFor(machine(51), OWN, records.now()), () => {});
    disk.wake();
    mock.timers.tick(5000);
    await turns();
    assert.equal(records.isLoaded, true);
    assert.deepEqual(book.leaseAt(old.ip), old);
    assert.equal(book.leaseOf('lan', machine(51))?.ip, OWN);
  });

  test('hang: the start waits for two seconds', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    disk.state = 'hangs';
    const { records } = open();
    const started = records.start();
    await turns();
    mock.timers.tick(2000);
    await started;
    assert.equal(records.isLoaded, false);
    disk.wake();
    await turns();
    assert.equal(records.isLoaded, true);
  });
});

describe('a wall clock that is set', () => {
  const rows: [string, at: number, step: number][] = [
    ['back an hour', TODAY, -HOUR],
    ['from 1970 to today', 9000, TODAY],
    ['a day ahead', TODAY, 24 * HOUR],
  ];
  for (const [what, at, step] of rows) {
    test(`${what}: leases keep the time that they have left, also after a restart`, async () => {
      wall = at;
      const { records, book } = open();
      await records.start();
      const address = ip('10.0.0.101');
      records.save(
        leaseFor(machine(1), address, records.now()),
        () => {},
        () => assert.fail('refused'),
      );
      await turns();
      pass(10 * MINUTE);
      wall += step;
      const now = records.now();
      assert.equal((book.leaseAt(address)?.expires ?? 0) - now, 50 * MINUTE);
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'server.clock'),
        [{ kind: 'server.clock', steppedMs: step }],
      );
      await turns();
      assert.equal(disk.byIp.get(address)?.expires, wall + 50 * MINUTE, 'the record follows the wall clock');
      await records.close();
      const next = open();
      await next.records.start();
      assert.equal((next.book.leaseAt(address)?.expires ?? 0) - next.records.now(), 50 * MINUTE);
    });
  }

  test('while a lease is on its way to disk: its record is written again', async () => {
    const { records } = open();
    await records.start();
    disk.state = 'hangs';
    const address = ip('10.0.0.101');
    records.save(
      leaseFor(machine(1), address, records.now()),
      () => {},
      () => assert.fail('refused'),
    );
    await turns();
    wall -= HOUR;
    records.now();
    disk.wake();
    await turns();
    assert.equal(disk.byIp.get(address)?.expires, wall + HOUR);
  });

  type Step =
    | { readonly do: 'ask'; readonly who: number }
    | { readonly do: 'pass'; readonly ms: number }
    | { readonly do: 'set'; readonly ms: number }
    | { readonly do: 'restart'; readonly ms: number };
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), who: fc.nat(7) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('pass' as const),
          ms: fc.constantFrom(1000, MINUTE, 20 * MINUTE, HOUR),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('set' as const),
          ms: fc.constantFrom(-TODAY / 2, -HOUR, -MINUTE, -1000, 1000, MINUTE, HOUR, 30 * 24 * HOUR),
        }),
      },
      // While nothing runs the clock may be set back, too.
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('restart' as const), ms: fc.constantFrom(0, -MINUTE, -HOUR) }),
      },
    ),
    { maxLength: 60 },
  );

  test('never makes two clients share an address, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        [disk, wall, monotonic] = [new Disk(), TODAY, 0];
        let { records, book } = open();
        await records.start();
        /** Who may use an address until when, by a clock that nobody sets. */
        const inUse = new Map<Ipv4, { who: Mac; until: number }>();
        for (const step of played) {
          if (step.do === 'pass') pass(step.ms);
          else if (step.do === 'set') {
            wall += step.ms;
            records.now();
          } else if (step.do === 'restart') {
            await records.close();
            wall += step.ms;
            ({ records, book } = open());
            await records.start();
          } else {
            const who = machine(step.who);
            const now = records.now();
            book.expire(now);
            const address = book.propose(lan, lan.pools, who, undefined, now);
            if (address === undefined) continue;
            const lease = leaseFor(who, address, now);
            const got = await new Promise<boolean>((resolve) =>
              records.save(
                lease,
                () => resolve(true),
                () => resolve(false),
              ),
            );
            if (!got) continue;
            const holder = inUse.get(address);
            assert.ok(!holder || holder.who === who || holder.until <= monotonic, 'an address was given to two');
            for (const [other, use] of inUse) if (use.who === who) inUse.delete(other);
            inUse.set(address, { who, until: monotonic + HOUR });
          }
        }
        // None of them is used up by it either: an hour later all are free.
        pass(HOUR + MINUTE);
        const now = records.now();
        book.expire(now);
        const free = [0, 1, 2, 3].map((n) => {
          const address = book.propose(lan, lan.pools, machine(100 + n), undefined, now);
          if (address !== undefined) book.put(leaseFor(machine(100 + n), address, now));
          return address;
        });
        assert.equal(new Set(free).size, 4);
        assert.ok(!free.includes(undefined));
        await records.close();
      }),
      { numRuns: 500 },
    );
  });
});
