import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GroupCommit } from './groupCommit.ts';

/** Numbers on their way to a disk whose writes settle when the test says so. */
function numbers(goOn = true) {
  const groups: number[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const heard: string[] = [];
  let waiting: number[] = [];
  const commit = new GroupCommit<readonly number[]>({
    take: () => {
      const group = waiting;
      waiting = [];
      return group.length > 0 ? group : undefined;
    },
    write: (group) => {
      groups.push([...group]);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    },
    written: (group) => heard.push(`written ${group}`),
    lost: (group, error) => {
      heard.push(`lost ${group}: ${(error as Error).message}`);
      return goOn;
    },
  });
  const add = (...some: number[]): Promise<boolean> => {
    waiting.push(...some);
    return commit.run();
  };
  return { groups, gates, heard, commit, add };
}

test('what comes while a group is being written becomes one next group', async () => {
  const { groups, gates, heard, commit, add } = numbers();
  const settled: string[] = [];
  void add(1).then(() => settled.push('first'));
  await turn();
  assert.equal(typeof commit.since, 'number');
  void add(2, 3).then(() => settled.push('second'));
  const third = add(4);
  await turn();
  assert.deepEqual(groups, [[1]]);
  assert.deepEqual(heard, []);
  gates[0]?.resolve();
  await turn();
  assert.deepEqual(groups, [[1], [2, 3, 4]]);
  assert.deepEqual([heard, settled], [['written 1'], []]);
  gates[1]?.resolve();
  assert.equal(await third, true);
  assert.deepEqual(
    [heard, settled],
    [
      ['written 1', 'written 2,3,4'],
      ['first', 'second'],
    ],
  );
  assert.equal(commit.since, undefined);
});

test('what comes in the same turn is one group, also what comes as the last group ends', async () => {
  const { groups, gates, commit, add } = numbers();
  void add(1);
  const run = add(2);
  await turn();
  void run.then(() => add(3));
  gates[0]?.resolve();
  await run;
  await turn();
  await turn();
  assert.deepEqual(groups, [[1, 2], [3]]);
  gates[1]?.resolve();
  assert.equal(await commit.run(), true);
});

test('a group that fails is reported for all of its own and for none of the next', async () => {
  const { groups, gates, heard, add } = numbers();
  void add(1);
  const both = add(2);
  await turn();
  void add(3);
  gates[0]?.reject(new Error('full'));
  await turn();
  gates[1]?.resolve();
  assert.equal(await both, true);
  assert.deepEqual(groups, [[1, 2], [3]]);
  assert.deepEqual(heard, ['lost 1,2: full', 'written 3']);
});

test('where a failure ends the run, what collected waits for the next one', async () => {
  const { groups, gates, heard, commit, add } = numbers(false);
  const run = add(1);
  await turn();
  void add(2);
  gates[0]?.reject(new Error('full'));
  assert.equal(await run, false);
  assert.deepEqual(groups, [[1]]);
  const next = commit.run();
  await turn();
  gates[1]?.resolve();
  assert.equal(await next, true);
  assert.deepEqual(heard, ['lost 1: full', 'written 2']);
});

test('a write that throws at once is a failure as any other', async () => {
  let left = 1;
  const errors: unknown[] = [];
  const commit = new GroupCommit<number>({
    take: () => (left-- > 0 ? 1 : undefined),
    write: () => {
      throw new Error('broken');
    },
    lost: (_group, error) => errors.push(error) > 0,
  });
  assert.equal(await commit.run(), true);
  assert.match(String(errors), /broken/);
});
