import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { LeaseJournal } from './journal.ts';
import type { LeaseStore } from './leaseStore.ts';
import { machine } from './testing/fixture.ts';

const lease = (n: number): Lease => ({
  ip: n as Ipv4,
  mac: machine(n),
  network: 'lan',
  state: 'bound',
  start: 0,
  expires: 1,
});

const unexpected = (error: unknown): never => assert.fail(`an exception: ${error}`);

/** A store whose commits settle when the test says so. */
function slowStore() {
  const commits: {
    leases: readonly Lease[];
    resolve: (others?: readonly Lease[]) => void;
    reject: (error: Error) => void;
  }[] = [];
  const store: LeaseStore = {
    load: async () => [],
    commit: (leases) =>
      new Promise((resolve, reject) => commits.push({ leases, resolve: (others = []) => resolve(others), reject })),
  };
  return { store, commits };
}

test('leases that come together go to disk together, and nobody is told before they are there', async () => {
  const { store, commits } = slowStore();
  const journal = new LeaseJournal(store, unexpected);
  const told: string[] = [];
  const add = (n: number) =>
    journal.add(lease(n), {
      saved: () => told.push(`saved ${n}`),
      taken: ({ mac }) => told.push(`taken ${n} by ${mac}`),
      lost: () => told.push(`lost ${n}`),
    });
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

test('of a group, those leases whose addresses another server has lent hear of it alone', async () => {
  const { store, commits } = slowStore();
  const journal = new LeaseJournal(store, unexpected);
  const told: string[] = [];
  for (const n of [1, 2, 3])
    journal.add(lease(n), {
      saved: () => told.push(`saved ${n}`),
      taken: ({ mac }) => told.push(`taken ${n} by ${mac}`),
      lost: () => told.push(`lost ${n}`),
    });
  await turn();
  commits[0]?.resolve([{ ...lease(2), mac: machine(9) }]);
  await journal.drain();
  assert.deepEqual(told, ['saved 1', `taken 2 by ${machine(9)}`, 'saved 3']);
});

test('a store that throws at once loses the group and no more', async () => {
  const commit = () => {
    throw new Error('broken');
  };
  const journal = new LeaseJournal({ commit }, unexpected);
  const told: unknown[] = [];
  journal.add(lease(1), {
    saved: () => told.push('saved'),
    taken: () => told.push('taken'),
    lost: (error) => told.push(error),
  });
  await journal.drain();
  assert.match(String(told[0]), /broken/);
});

test('beyond 8192 waiting, leases are refused', async () => {
  const { store, commits } = slowStore();
  const journal = new LeaseJournal(store, unexpected);
  let saved = 0;
  const add = (n: number) =>
    journal.add(lease(n), { saved: () => saved++, taken: () => assert.fail('taken'), lost: () => assert.fail('lost') });
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

test('a callback that throws is a fault of its own: the others of its group hear, and the next groups are written', async () => {
  const { store, commits } = slowStore();
  const faults: string[] = [];
  const journal = new LeaseJournal(store, (error) => faults.push(String(error)));
  const told: string[] = [];
  const add = (n: number, throws = false) => {
    const tell = (what: string) => () => {
      if (throws) throw new Error(`${what} ${n}`);
      told.push(`${what} ${n}`);
    };
    assert.ok(journal.add(lease(n), { saved: tell('saved'), taken: tell('taken'), lost: tell('lost') }));
  };
  add(1, true);
  add(2);
  await turn();
  add(3, true);
  add(4);
  commits[0]?.resolve();
  await turn();
  commits[1]?.reject(new Error('disk full'));
  await journal.drain();
  add(5);
  await turn();
  commits[2]?.resolve();
  await journal.drain();
  assert.deepEqual(told, ['saved 2', 'lost 4', 'saved 5']);
  assert.deepEqual(faults, ['Error: saved 1', 'Error: lost 3']);
});
