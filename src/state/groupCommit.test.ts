import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupCommit } from './groupCommit.ts';

test('what comes while a group is being written becomes one next group', async () => {
  const groups: number[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const write = groupCommit<number>((group) => {
    groups.push([...group]);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  });
  const settled: string[] = [];
  const first = write([1]).then(() => settled.push('first'));
  await new Promise(setImmediate);
  const second = write([2, 3]).then(() => settled.push('second'));
  const third = write([4]).then(() => settled.push('third'));
  await new Promise(setImmediate);
  assert.deepEqual(groups, [[1]]);
  assert.deepEqual(settled, []);
  gates[0]?.resolve();
  await first;
  await new Promise(setImmediate);
  assert.deepEqual(groups, [[1], [2, 3, 4]]);
  assert.deepEqual(settled, ['first']);
  gates[1]?.resolve();
  await Promise.all([second, third]);
});

test('a group that fails is told to all of its own and to none of the next', async () => {
  let fails = true;
  const write = groupCommit<number>(async () => {
    if (fails) throw new Error('full');
  });
  const results = await Promise.allSettled([write([1]), write([2])]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  fails = false;
  await write([3]);
});
