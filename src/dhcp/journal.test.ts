import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Ipv4 } from '../net/ipv4.ts';
import { machine } from './fixtures.ts';
import { LeaseJournal } from './journal.ts';
import type { Lease, LeaseStore } from './lease.ts';

const lease = (n: number): Lease => ({
  ip: n as Ipv4,
  mac: machine(n),
  network: 'lan',
  state: 'bound',
  start: 0,
  expires: 1,
});

/** A store whose commits settle when the test says so. */
function slowStore() {
  const commits: { leases: readonly Lease[]; resolve: () => void; reject: (error: Error) => void }[] = [];
  const store: LeaseStore = {
    load: async () => [],
    commit: (leases) => new Promise((resolve, reject) => commits.push({ leases, resolve, reject })),
  };
  return { store, commits };
}

test('leases that come together go to disk together, and nobody is told before they are there', async () => {
  const { store, commits } = slowStore();
  const journal = new LeaseJournal(store);
  const told: string[] = [];
  const add = (n: number) =>
    journal.add(
      lease(n),
      () => told.push(`saved ${n}`),
      () => told.push(`lost ${n}`),
    );
  add(1);
  add(2);
  await turn();
  add(3);
  add(4);
  await turn();
  assert.deepEqual(
    commits.map(({ leases }) => leases.map(({ ip }) => ip)),
    [[1, 2]],
  );
  assert.deepEqual(told, []);

  commits[0]?.resolve();
  await turn();
  assert.deepEqual(told, ['saved 1', 'saved 2']);
  assert.deepEqual(
    commits.map(({ leases }) => leases.length),
    [2, 2],
  );

  // The newest is taken back first, so that what it replaced is there to be taken back in its turn.
  commits[1]?.reject(new Error('disk full'));
  await turn();
  assert.deepEqual(told, ['saved 1', 'saved 2', 'lost 4', 'lost 3']);

  add(5);
  await turn();
  commits[2]?.resolve();
  await journal.drain();
  assert.equal(told.at(-1), 'saved 5');
});

test('a store that throws at once loses the group and no more', async () => {
  const journal = new LeaseJournal({
    load: async () => [],
    commit: () => {
      throw new Error('broken');
    },
  });
  const told: unknown[] = [];
  journal.add(
    lease(1),
    () => told.push('saved'),
    (error) => told.push(error),
  );
  await journal.drain();
  assert.match(String(told[0]), /broken/);
});

test('beyond 8192 waiting, leases are refused', async () => {
  const { store, commits } = slowStore();
  const journal = new LeaseJournal(store);
  let saved = 0;
  const add = (n: number) =>
    journal.add(
      lease(n),
      () => saved++,
      () => assert.fail('lost'),
    );
  for (let n = 0; n < 8192; n++) assert.ok(add(n));
  assert.equal(add(8192), false);
  await turn();
  assert.ok(add(8193));
  commits[0]?.resolve();
  await turn();
  commits[1]?.resolve();
  await journal.drain();
  assert.equal(saved, 8193);
});
