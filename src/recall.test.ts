import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ReveilleError } from './errors.ts';
import { recall, startWhenPossible } from './recall.ts';

test('what cannot be read is read again until it can, its first failure reported', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const failures: unknown[] = [];
  let attempts = 0;
  await recall(
    async () => {
      if (++attempts < 3) throw attempts;
    },
    (error) => failures.push(error),
  );
  assert.equal(attempts, 1);
  for (let i = 0; i < 5; i++) {
    t.mock.timers.tick(2000);
    await setImmediate();
  }
  assert.deepEqual([attempts, failures], [3, [1]]);
});

test('reading ends when it is stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let attempts = 0;
  const stop = await recall(
    async () => {
      attempts++;
      throw new Error('never');
    },
    () => {},
  );
  stop();
  t.mock.timers.tick(60_000);
  await setImmediate();
  assert.equal(attempts, 1);
});

test('what cannot be started yet is started later, and closed as what was started at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const did: string[] = [];
  const running = await startWhenPossible(
    async () => {
      did.push('start');
      if (did.length < 2) throw Object.assign(new Error('read-only'), { code: 'EROFS' });
      return {
        close: async () => {
          did.push('close');
        },
      };
    },
    () => did.push('failed'),
  );
  t.mock.timers.tick(2000);
  await setImmediate();
  await running.close();
  assert.deepEqual(did, ['start', 'failed', 'start', 'close']);
});

test('an error of ours does not pass by itself', async () => {
  const taken = new ReveilleError('PORT_IN_USE', 'another server answers');
  await assert.rejects(
    startWhenPossible(
      async () => {
        throw taken;
      },
      () => assert.fail('it is not tried again'),
    ),
    taken,
  );
});
