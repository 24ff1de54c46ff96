import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootStore } from '../bootStore.ts';

/** What every store of boots must do. `open` gives a new empty one each time. */
export function bootStoreContract(
  name: string,
  open: () => Promise<{ readonly store: BootStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of boots:`, () => {
    test('the newest boot of a node takes the place of the one before', async () => {
      await using opened = await open();
      const { store } = opened;
      const boot = {
        startedAt: 1,
        updatedAt: 2,
        state: 'booting',
        steps: [{ at: 1, code: 'other', subject: 'é', status: 'done' }],
      } as const;
      await store.save(new Map());
      assert.equal((await store.read()).size, 0);
      await store.save(new Map(['node01', 'node02'].map((node) => [node, { boot, seenAt: 2 }])));
      const later = { boot: { ...boot, state: 'ready' }, seenAt: 9 } as const;
      await store.save(new Map([['node02', later]]));
      assert.deepEqual([...(await store.read())].sort(), [
        ['node01', { boot, seenAt: 2 }],
        ['node02', later],
      ]);
    });
  });
}
