import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askForLogs } from './askForLogs.ts';

test('a node that is not in service is asked for its logs after a while, then at growing intervals; a new boot starts again', () => {
  let now = 0;
  const asked: string[] = [];
  const ask = askForLogs(
    {
      give: async (node, { what }) => {
        asked.push(`${node} ${what} ${now / 1000}`);
        return true;
      },
    },
    () => now,
  );
  for (; now < 200_000; now += 5000) ask('node01', 1);
  assert.deepEqual(asked, ['node01 logs 30', 'node01 logs 90']);
  for (; now < 240_000; now += 5000) {
    ask('node02', 1);
    ask('node01', 2);
  }
  assert.deepEqual(asked.slice(2), ['node02 logs 230', 'node01 logs 230']);
});
