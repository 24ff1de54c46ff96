import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { askRack } from './control.ts';
import { labSocket } from './hold.ts';

const FIXTURE = join(import.meta.dirname, 'testing/holdFixture.ts');

function newState(t: TestContext): string {
  const state = mkdtempSync(join(tmpdir(), 'hold-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  return state;
}

/** A process group that holds a rack; its printed lines come one by one. */
function holder(t: TestContext, ...words: string[]): { process: ChildProcess; line(): Promise<string> } {
  const process = spawn(globalThis.process.execPath, [FIXTURE, ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => process.kill('SIGKILL'));
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  return { process, line: async () => (await lines.next()).value ?? '' };
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a rack that is being set up reports so, refuses a second holder, and comes down with what it had started', async (t) => {
  const state = newState(t);
  const first = holder(t, state);
  const sleeper = Number(await first.line());
  assert.ok(runs(sleeper));
  const status = await askRack(labSocket(state), { op: 'status' });
  assert.deepEqual(status, {
    site: '/a/site',
    state,
    pid: first.process.pid,
    doing: 'fetching the moon',
    machines: [],
  });
  await assert.rejects(askRack(labSocket(state), { op: 'boot', names: [] }), /still being set up: fetching the moon/);
  assert.match(await holder(t, state).line(), /stands already, or is being set up/);

  const ended = once(first.process, 'exit');
  assert.equal((await askRack(labSocket(state), { op: 'down' }))?.pid, first.process.pid);
  assert.ok(!runs(sleeper));
  assert.equal(await askRack(labSocket(state), { op: 'status' }), undefined);
  assert.ok(!existsSync(labSocket(state)));
  assert.match(await first.line(), /taken down while it was being set up/);
  await ended;

  const next = holder(t, state);
  assert.ok(runs(Number(await next.line())), 'its place is free');
});

test('a rack whose set-up fails prints the reason and frees its place', async (t) => {
  const state = newState(t);
  const first = holder(t, state);
  process.kill(Number(await first.line()), 'SIGKILL');
  assert.equal(await first.line(), 'the sleeper ended');
  assert.equal(await askRack(labSocket(state), { op: 'status' }), undefined);
});

test('a rack whose holder was killed frees its place', async (t) => {
  const state = newState(t);
  const first = holder(t, state);
  await first.line();
  first.process.kill('SIGKILL');
  await once(first.process, 'exit');
  assert.equal(await askRack(labSocket(state), { op: 'status' }), undefined);
  assert.ok(runs(Number(await holder(t, state).line())));
});

test('a rack that is not needed any more is not set up', async (t) => {
  assert.match(await holder(t, newState(t), 'unwanted').line(), /taken down while it was being set up/);
});
