import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Ipv4 } from '../../model/ipv4.ts';
import type { Lease } from '../../model/lease.ts';
import { lease } from '../../model/testing/fixture.ts';
import type { LeaseStore } from '../leaseStore.ts';

type Opened = { readonly store: LeaseStore; readonly other: LeaseStore } & AsyncDisposable;

const byIp = (leases: readonly Lease[]): Lease[] => [...leases].sort((a, b) => a.ip - b.ip);

/** What every store of leases must do. `open` gives a new empty one each time, and what another server has of the same state. */
export function leaseStoreContract(name: string, open: () => Promise<Opened>): void {
  describe(`${name} keeps the contract of a store of leases:`, () => {
    let opened: Opened;
    let other: LeaseStore;
    let store: LeaseStore;
    beforeEach(async () => {
      opened = await open();
      ({ store, other } = opened);
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

    test('an address that another server has lent is not taken, and what stands there is given back', async () => {
      assert.deepEqual(await other.commit([lease(51, 1), lease(52, 2)]), []);
      const refused = await store.commit([lease(51, 3), lease(53, 4)]);
      assert.deepEqual(refused, [lease(51, 1)]);
      assert.deepEqual(byIp(await store.load()), [lease(51, 1), lease(52, 2), lease(53, 4)]);
      // The machine has its lease of before.
      await store.commit([lease(54, 3)]);
      assert.deepEqual(await store.commit([lease(52, 3)]), [], 'it has read what stands there by now');
      assert.deepEqual(await other.commit([lease(52, 5)]), [lease(52, 3)], 'and the other has not');
      assert.deepEqual(byIp(await other.load()), [lease(51, 1), lease(52, 3), lease(53, 4)]);
    });

    test('a machine that is refused an address keeps the one that it had', async () => {
      await other.commit([lease(51, 1)]);
      await store.commit([lease(60, 3)]);
      assert.deepEqual(await store.commit([lease(51, 3)]), [lease(51, 1)]);
      assert.deepEqual(byIp(await store.load()), [lease(51, 1), lease(60, 3)]);
    });

    test('not disputed: the address of the same machine, one that ended, one given back, one that the site keeps', async () => {
      const { start, expires } = lease(1, 1);
      const over = { start: start - 10, expires: start };
      await other.commit([
        lease(51, 1),
        lease(52, 2, over),
        lease(53, 3, { state: 'released' }),
        lease(54, 4),
        lease(55, 5, { state: 'declined', ...over }),
      ]);
      const mine = [
        lease(51, 1, { expires: expires + 1 }),
        lease(52, 12),
        lease(53, 13),
        lease(54, 14, { reserved: true }),
        lease(55, 15),
      ];
      assert.deepEqual(await store.commit(mine), []);
      assert.deepEqual(byIp(await store.load()), mine);
    });

    test('an address that is set aside is not taken, unless it is known to be', async () => {
      await other.commit([lease(51, 1, { state: 'declined' })]);
      assert.deepEqual(await store.commit([lease(51, 2)]), [lease(51, 1, { state: 'declined' })]);
      await store.load();
      assert.deepEqual(await store.commit([lease(51, 2)]), []);
    });

    test('of two servers that lend from one pool at the same time, each address goes to one machine', async () => {
      const lend = async (from: LeaseStore, owner: number): Promise<(readonly [number, number])[]> => {
        const lent: (readonly [number, number])[] = [];
        for (let last = 1; last <= 40; last++) {
          const refused = await from.commit([lease(last, owner + last)]);
          if (refused.length === 0) lent.push([last, owner + last]);
        }
        return lent;
      };
      const lent = (await Promise.all([lend(store, 0), lend(other, 100)])).flat();
      assert.deepEqual(
        lent.map(([last]) => last).sort((a, b) => a - b),
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
      const recorded = byIp(await store.load()).map(({ ip, mac }) => [ip, mac]);
      const told = lent.map(([last, owner]) => lease(last, owner)).sort((a, b) => a.ip - b.ip);
      assert.deepEqual(
        recorded,
        told.map(({ ip, mac }) => [ip, mac]),
      );
    });
  });
}
