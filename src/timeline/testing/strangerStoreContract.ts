import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mac } from '../../model/testing/fixture.ts';
import type { StrangerStore } from '../strangerStore.ts';
import type { Stranger } from '../strangers.ts';

/** What every store of strangers must do. `open` gives a new empty one each time. */
export function strangerStoreContract(
  name: string,
  open: () => Promise<{ readonly store: StrangerStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of strangers:`, () => {
    test('strangers are kept as they were last seen, until they are forgotten', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.deepEqual(await store.read(), []);
      const seen = (last: number, count: number): Stranger => ({
        mac: mac(last),
        firstSeen: 1,
        lastSeen: count,
        count,
        triedToBoot: true,
        machine: { hostname: 'x', architectures: [7] },
      });
      await store.save([seen(1, 1), seen(2, 1)], [mac(9)]);
      await store.save([seen(2, 5), seen(3, 1)], [mac(1)]);
      await store.save([], []);
      const byMac = (await store.read()).toSorted((a, b) => (a.mac < b.mac ? -1 : 1));
      assert.deepEqual(byMac, [seen(2, 5), seen(3, 1)]);
    });
  });
}
