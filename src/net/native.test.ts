import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addonPath, native } from './native.ts';

const loads = (env: Record<string, string>) =>
  execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import('${import.meta.dirname}/native.ts').then((m) => console.log(typeof m.native()))`,
    ],
    { env: { ...process.env, ...env }, encoding: 'utf8' },
  ).trim();

describe('the addon', () => {
  it('is compiled where tests run, and loaded', () => {
    assert.ok(existsSync(addonPath()), `${addonPath()} is missing: setup/native compiles it`);
    assert.equal(typeof native()?.lowerPriority, 'function');
  });

  it('is left out where the environment says so', () => {
    assert.deepEqual([loads({}), loads({ REVEILLE_NATIVE: 'no' })], ['object', 'undefined']);
  });

  it('checks what it is given', () => {
    const lower = native()?.lowerPriority as (...args: unknown[]) => void;
    for (const args of [[], [-1], [20], [1.5], ['5'], [Number.NaN], [2 ** 60]]) {
      assert.throws(() => lower(...args), TypeError, JSON.stringify(args));
    }
  });

  it('gives the thread that asks another priority, and no other thread', async () => {
    const niceness = () =>
      Number(
        readFileSync('/proc/thread-self/stat', 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[16],
      );
    const before = niceness();
    const thread = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { readFileSync } = require('node:fs');
       require(workerData).lowerPriority(7);
       parentPort.postMessage(readFileSync('/proc/thread-self/stat', 'utf8').replace(/^.*\\) /, '').split(' ')[16]);`,
      { eval: true, workerData: addonPath() },
    );
    const its = await new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject));
    assert.deepEqual([its, niceness()], ['7', before]);
  });
});
