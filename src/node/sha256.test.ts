import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { makeBundle, packBundle } from './bundle.ts';
import { hashesOfLarge, joinInSteps, sha256InSteps } from './sha256.ts';

const MB = 1024 * 1024;

/** How often the event loop turned while `work` went on. */
async function turnsOf<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  let [turns, isOver] = [0, false];
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const result = await work();
  isOver = true;
  return [result, turns];
}

test('many bytes are hashed and joined in steps, with the same result', async () => {
  for (const length of [0, 1, MB - 1, MB, MB + 1, 5 * MB + 7]) {
    const bytes = randomBytes(length);
    const [sha256, turns] = await turnsOf(() => sha256InSteps(bytes));
    assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'), `${length}`);
    assert.ok(turns >= Math.floor(length / MB), `${turns} turns for ${length} bytes`);
  }
  const parts = [3 * MB, 0, 10, MB, 700_000, 700_000, 5].map((length) => randomBytes(length));
  const [joined, turns] = await turnsOf(() => joinInSteps(parts));
  assert.deepEqual(joined, Buffer.concat(parts));
  assert.ok(turns >= 4);
});

test('a bundle with large files is made and packed with requests in between', async () => {
  const content = randomBytes(12 * MB);
  const files = ['/a', '/b'].map((path) => ({ path, mode: 0o644, owner: 'root', group: 'root', origin: 'x', content }));
  const [hashes, hashing] = await turnsOf(() => hashesOfLarge(files.map((file) => file.content)));
  assert.equal(hashes.size, 1, 'the same content is hashed once');
  assert.ok(hashing >= 12);
  const bundle = makeBundle(files, [], undefined, {}, hashes);
  assert.deepEqual(bundle, makeBundle(files, []));
  const [{ tar, sha256 }, packing] = await turnsOf(() => packBundle(bundle));
  assert.equal(sha256, createHash('sha256').update(tar).digest('hex'));
  assert.ok(packing >= 24, 'joined and hashed');
});
