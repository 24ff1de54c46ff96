import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { NATIVE_VARIABLE } from '../net/native.ts';

/** What these prove of the addon, they prove of the code that serves without it. */
const FILES = ['hold', 'largeFiles', 'machinesServer'].map((name) => join(import.meta.dirname, `${name}.test.ts`));

test('without the addon the same tests pass', () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-timeout=120000', ...FILES];
  const { status, stdout } = spawnSync(process.execPath, args, {
    env: { ...env, [NATIVE_VARIABLE]: 'no' },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
});
