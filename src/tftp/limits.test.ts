import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admissionLimits } from './limits.ts';

test('transfers take no more descriptors than they may, whatever the site allows', () => {
  for (const descriptors of [1, 16, 40, 302, 1000, 100_000]) {
    for (const maxTransfers of [1, 2, 1024, 100_000]) {
      const { maxUnheard, ...got } = admissionLimits({ maxTransfers, maxTransfersPerClient: 16 }, descriptors);
      assert.ok(got.maxTransfers >= 1 && maxUnheard >= 1);
      assert.ok(got.maxTransfers <= maxTransfers && maxUnheard <= 512);
      if (descriptors >= 16) assert.ok(2 * (got.maxTransfers + maxUnheard) <= descriptors, `${descriptors}`);
    }
  }
  assert.deepEqual(admissionLimits({ maxTransfers: 1024, maxTransfersPerClient: 16 }), {
    maxTransfers: 1024,
    maxTransfersPerClient: 16,
    maxUnheard: 512,
  });
});
