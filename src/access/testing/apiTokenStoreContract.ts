import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiToken } from '../apiToken.ts';
import type { ApiTokenStore } from '../apiTokenStore.ts';

/** A token with values that no other of these has. */
export function apiToken(n: number, changes: Partial<ApiToken> = {}): ApiToken {
  const hash = n.toString(16).padStart(64, '0');
  return { name: `t${n}`, role: 'viewer', hash, createdAt: n, expiresAt: null, ...changes };
}

/** What every store of the API's tokens must do. `open` gives a new empty one each time. */
export function apiTokenStoreContract(
  name: string,
  open: () => Promise<{ readonly store: ApiTokenStore } & AsyncDisposable>,
): void {
  const sorted = async (store: ApiTokenStore) => (await store.read()).toSorted((a, b) => (a.name < b.name ? -1 : 1));

  describe(`${name} keeps the contract of a store of API tokens:`, () => {
    test('tokens come back as they were added, until they are removed', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.deepEqual(await store.read(), []);
      const admin = apiToken(2, { role: 'admin', createdAt: 1.7e12, expiresAt: 1.8e12 });
      assert.equal(await store.add(apiToken(1)), true);
      assert.equal(await store.add(admin), true);
      assert.deepEqual(await sorted(store), [apiToken(1), admin]);
      assert.equal(await store.remove('t1'), true);
      assert.equal(await store.remove('t1'), false);
      assert.deepEqual(await store.read(), [admin]);
    });

    test('a name is given once: the second of two at once is refused, and the first stays', async () => {
      await using opened = await open();
      const { store } = opened;
      const other = apiToken(9, { name: 't1', role: 'admin' });
      assert.deepEqual(await Promise.all([store.add(apiToken(1)), store.add(other)]), [true, false]);
      assert.deepEqual(await store.read(), [apiToken(1)]);
    });
  });
}
