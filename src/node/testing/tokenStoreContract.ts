import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TokenStore } from '../tokenStore.ts';

/** What every store of tokens must do. `open` gives a new empty one each time. */
export function tokenStoreContract(
  name: string,
  open: () => Promise<{ readonly store: TokenStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of tokens:`, () => {
    test('what is known of a token takes the place of what was, until it is forgotten', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.deepEqual(await store.read(), new Map());
      await store.save(new Map());
      await store.save(
        new Map([
          ['node01', 'é 1'],
          ['node02', 'b'],
          ['node03', null],
        ]),
      );
      await store.save(
        new Map([
          ['node01', 'c'],
          ['node02', null],
          ['node03', 'd'],
        ]),
      );
      assert.deepEqual([...(await store.read())].sort(), [
        ['node01', 'c'],
        ['node03', 'd'],
      ]);
    });
  });
}
