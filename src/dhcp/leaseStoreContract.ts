import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { lease } from '../model/fixture.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { LeaseStore } from './leaseStore.ts';

const byIp = (leases: readonly Lease[]): Lease[] => [...leases].sort((a, b) => a.ip - b.ip);

/** What every store of leases must do. `open` gives a new empty one each time. */
export function leaseStoreContract(
  name: string,
  open: () => Promise<{ readonly store: LeaseStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of leases:`, () => {
    let opened: { readonly store: LeaseStore } & AsyncDisposable;
    let store: LeaseStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    test('at first there is nothing', async () => {
      assert.deepEqual(await store.load(), []);
    });

    test('a lease comes back as it was, with every field and with none that may lack', async () => {
      const full = lease(51, 1, { clientId: Uint8Array.of(1, 0, 255), hostname: 'node01', reserved: true });
      const bare = lease(52, 2, { state: 'released' });
      const highest: Lease = { ...lease(0, 3), ip: 0xfffffffe as Ipv4, state: 'declined' };
      await store.commit([full, bare, highest]);
      assert.deepEqual(byIp(await store.load()), [full, bare, highest]);
    });

    test('an address has one lease: the last', async () => {
      await store.commit([lease(51, 1, { hostname: 'old', clientId: Uint8Array.of(1) }), lease(51, 2)]);
      assert.deepEqual(await store.load(), [lease(51, 2)]);
      await store.commit([lease(51, 1, { state: 'released' })]);
      assert.deepEqual(await store.load(), [lease(51, 1, { state: 'released' })]);
    });

    test('a MAC is bound to one address in each network: the last', async () => {
      await store.commit([lease(51, 1)]);
      await store.commit([lease(52, 1), lease(53, 1), lease(61, 1, { network: 'lan' })]);
      assert.deepEqual(byIp(await store.load()), [lease(53, 1), lease(61, 1, { network: 'lan' })]);
    });

    test('what is committed later counts, in one group too', async () => {
      const released = lease(51, 1, { state: 'released' });
      await store.commit([lease(51, 2)]);
      await store.commit([lease(52, 1), released]);
      assert.deepEqual(byIp(await store.load()), [released, lease(52, 1)]);
      await store.commit([lease(51, 1), lease(53, 1), lease(53, 2)]);
      assert.deepEqual(await store.load(), [lease(53, 2)]);
    });

    test('an address that a MAC declined stays set aside when that MAC gets another', async () => {
      const declined = lease(51, 1, { state: 'declined' });
      await store.commit([declined, lease(52, 1)]);
      assert.deepEqual(byIp(await store.load()), [declined, lease(52, 1)]);
    });

    test('commits that overlap all last, the later one over the earlier', async () => {
      const all = Array.from({ length: 200 }, (_, i) => lease(i + 1, i));
      const renewed = lease(200, 199, { expires: 1_900_000_000_000 });
      await Promise.all([...all, renewed].map((one) => store.commit([one])));
      assert.deepEqual(byIp(await store.load()), [...all.slice(0, -1), renewed]);
    });

    test('an empty commit is nothing', async () => {
      await store.commit([]);
      assert.deepEqual(await store.load(), []);
    });

    test('after any commits an address has its last lease and a MAC one bound address', async () => {
      const anyLease = fc
        .record({
          last: fc.integer({ min: 1, max: 4 }),
          owner: fc.integer({ min: 1, max: 3 }),
          state: fc.constantFrom('bound', 'released', 'declined'),
          network: fc.constantFrom('rack', 'lan'),
        })
        .map(({ last, owner, state, network }) => lease(last, owner, { state, network }));
      await fc.assert(
        fc.asyncProperty(fc.array(anyLease, { maxLength: 8 }), async (leases) => {
          await store.commit(leases);
          const loaded = await store.load();
          const bound = loaded.filter((one) => one.state === 'bound').map((one) => `${one.network} ${one.mac}`);
          assert.equal(new Set(bound).size, bound.length);
          assert.equal(new Set(loaded.map((one) => one.ip)).size, loaded.length);
          const last = leases.at(-1);
          if (last)
            assert(loaded.some((one) => one.ip === last.ip && one.mac === last.mac && one.state === last.state));
        }),
        { numRuns: 30 },
      );
    });
  });
}
