import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AppliedStore } from '../appliedStore.ts';

/** What every store of nodes' reports about their files must do. `open` gives a new empty one each time. */
export function appliedStoreContract(
  name: string,
  open: () => Promise<{ readonly store: AppliedStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of what nodes applied:`, () => {
    test("a node's report about its files replaces its earlier one, until it is forgotten", async () => {
      await using opened = await open();
      const { store } = opened;
      assert.equal((await store.read()).size, 0);
      const manifest = 'file\t0644\troot\troot\tx\t/etc/é\n';
      const first = { sha256: 'ab'.repeat(32), manifest, folders: true, drifted: 0, drift: [] } as const;
      const drift = [{ path: '/etc/a', what: 'access', access: { mode: '600', owner: 0, group: 7 } }] as const;
      const second = { at: 12, sha256: 'cd'.repeat(32), failed: 'hook: x', drifted: 3, drift };
      await store.save(new Map());
      await store.save(
        new Map([
          ['node01', { at: 10, ...first }],
          ['node02', { at: 11, ...first }],
        ]),
      );
      await store.save(new Map([['node01', second]]));
      const all = await store.read();
      assert.deepEqual(all.get('node01'), second);
      assert.deepEqual(all.get('node02'), { at: 11, ...first });
      await store.forget(['node01', 'node09']);
      await store.forget([]);
      assert.deepEqual([...(await store.read()).keys()], ['node02']);
    });
  });
}
