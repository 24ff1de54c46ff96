import assert from 'node:assert/strict';
import type { BigIntStats } from 'node:fs';
import { test } from 'node:test';
import { createSmallFiles } from './smallFiles.ts';

const state = (ino: number, changes: object = {}) =>
  ({ dev: 1n, ino: BigInt(ino), size: 3n, mtimeNs: 5n, ctimeNs: 5n, ...changes }) as BigIntStats;
const file = (length: number) => ({ bytes: Buffer.alloc(length), sha256: '' });

test('a file is found in the very state it was kept in', () => {
  const files = createSmallFiles();
  const kept = file(3);
  files.keep(state(1), kept);
  assert.equal(files.find(state(1)), kept);
  const others: Partial<BigIntStats>[] = [{ dev: 2n }, { ino: 2n }, { size: 4n }, { mtimeNs: 6n }, { ctimeNs: 6n }];
  for (const other of others) assert.equal(files.find(state(1, other)), undefined, Object.keys(other).join());
});

test('a file that changed a moment ago is not kept', () => {
  const files = createSmallFiles();
  const now = state(1, { ctimeNs: BigInt(Date.now()) * 1_000_000n });
  files.keep(now, file(3));
  assert.equal(files.find(now), undefined);
});

test('the memory is bounded, the oldest go first', () => {
  const files = createSmallFiles();
  for (let ino = 0; ino < 1000; ino++) files.keep(state(ino), file(64 * 1024));
  let found = 0;
  for (let ino = 0; ino < 1000; ino++) if (files.find(state(ino))) found++;
  assert.ok(found > 200 && found <= 256, `${found} of 64 KiB each`);
  assert.ok(files.find(state(999)));
});
