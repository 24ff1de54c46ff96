import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CertificateStore } from '../certificateStore.ts';

/** What every store of certificates must do. `open` gives a new empty one each time. */
export function certificateStoreContract(
  name: string,
  open: () => Promise<{ readonly store: CertificateStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of certificates:`, () => {
    test('a certificate takes the place of the one that it renews, and of no other', async () => {
      await using opened = await open();
      const { store } = opened;
      const [a, b, c] = ['a', 'b', 'c'].map((one) => ({ key: `key ${one}`, certificate: `certificate ${one}` }));
      assert(a && b && c);
      assert.equal(await store.read('node01'), undefined);
      const both = await Promise.all([store.keep('node01', a, undefined), store.keep('node01', b, undefined)]);
      assert.deepEqual(both, [a, a]);
      assert.deepEqual(await store.keep('node01', b, a), b);
      assert.deepEqual(await store.keep('node01', c, a), b);
      assert.deepEqual(await store.read('node01'), b);
      assert.equal(await store.read(''), undefined);
      assert.deepEqual(await store.keep('', c, undefined), c);
    });
  });
}
