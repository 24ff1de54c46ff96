import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { CurrentBundles } from './currentBundles.ts';

test('bundles become known one after the other, anew when the site changes, and not those that were just sent', async () => {
  let version = 1;
  const rendered: string[] = [];
  const current = new CurrentBundles(
    () => ['a', 'b', 'broken'],
    async (node) => {
      rendered.push(`${node}${version}`);
      return node === 'broken' ? undefined : `${node}${version}`;
    },
  );
  assert.equal(current.of('a'), undefined);
  current.changed();
  await until(() => rendered.length === 3);
  assert.deepEqual(
    ['a', 'b', 'broken', 'none'].map((node) => current.of(node)),
    ['a1', 'b1', undefined, undefined],
  );

  version = 2;
  current.changed();
  current.note('b', 'sent');
  await until(() => rendered.length === 5);
  assert.deepEqual(
    ['a', 'b'].map((node) => current.of(node)),
    ['a2', 'sent'],
  );
  assert.deepEqual(rendered, ['a1', 'b1', 'broken1', 'a2', 'broken2']);
  current.close();
});

test('what was rendered from a site of before does not count', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked = 0;
  const current = new CurrentBundles(
    () => ['a'],
    async () => (asked++ === 0 ? promise : 'new'),
  );
  current.changed();
  current.changed();
  resolve('old');
  await until(() => current.of('a') !== undefined);
  assert.equal(current.of('a'), 'new');
  current.close();
});

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return after(20);
    await after(10);
  }
  throw new Error('waited 5 s in vain');
}
