import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { IdentityStore } from '../identityStore.ts';

/** What every store of identities must do. `open` gives a new empty one each time. */
export function identityStoreContract(
  name: string,
  open: () => Promise<{ readonly store: IdentityStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of identities:`, () => {
    let opened: { readonly store: IdentityStore } & AsyncDisposable;
    let store: IdentityStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    test('an identity is kept once: the second is given what the first kept', async () => {
      assert.deepEqual(await store.read('node01'), new Map());
      const first = new Map([
        ['machine-id', 'a'],
        ['ssh-rsa', 'line\nfile\n'],
      ]);
      const both = await Promise.all([
        store.keep('node01', first),
        store.keep('node01', new Map([['machine-id', 'b']])),
      ]);
      assert.deepEqual(both, [first, first]);
      assert.deepEqual(await store.keep('node01', new Map()), first);
      assert.deepEqual(await store.read('node01'), first);
      assert.deepEqual(await store.read('node02'), new Map());
    });

    test('no two nodes are ever the same', async () => {
      await store.keep('node01', new Map([['machine-id', 'a']]));
      const parts = new Map([
        ['machine-id', 'a'],
        ['compute-id', 'a'],
      ]);
      assert.deepEqual(await store.keep('node02', parts), new Map([['compute-id', 'a']]));
    });
  });
}
