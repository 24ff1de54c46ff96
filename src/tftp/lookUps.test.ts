import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LookUps } from './lookUps.ts';

type Job = { name: string; finish: () => void; result: Promise<string | undefined> };

class Jobs {
  readonly lookUps: LookUps;
  readonly begun: string[] = [];
  readonly stale = new Set<string>();
  readonly jobs = new Map<string, Job>();

  constructor(atOnce: number, waiting: number) {
    this.lookUps = new LookUps(atOnce, waiting);
  }

  ask(name: string, known = false): void {
    const { promise, resolve } = Promise.withResolvers<string>();
    const work = (): Promise<string> => {
      this.begun.push(name);
      return promise;
    };
    const result = this.lookUps.run({ known, isStale: () => this.stale.has(name), work });
    this.jobs.set(name, { name, finish: () => resolve(name), result });
  }

  async finish(name: string): Promise<void> {
    this.jobs.get(name)?.finish();
    await this.jobs.get(name)?.result;
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('so many at once, the known ones first, the others in the order in which they came', async () => {
  const jobs = new Jobs(2, 10);
  for (const name of ['a', 'b', 'c', 'd']) jobs.ask(name);
  jobs.ask('node', true);
  await settled();
  assert.deepEqual(jobs.begun, ['a', 'b']);
  await jobs.finish('b');
  assert.deepEqual(jobs.begun, ['a', 'b', 'node']);
  await jobs.finish('a');
  await jobs.finish('node');
  assert.deepEqual(jobs.begun, ['a', 'b', 'node', 'c', 'd']);
});

test('too many are shed: a stranger that comes, or for a known one the oldest stranger that waits', async () => {
  const jobs = new Jobs(1, 2);
  for (const name of ['a', 'b', 'c', 'd']) jobs.ask(name);
  assert.equal(await jobs.jobs.get('d')?.result, undefined);
  jobs.ask('node', true);
  assert.equal(await jobs.jobs.get('b')?.result, undefined);
  await jobs.finish('a');
  await jobs.finish('node');
  await jobs.finish('c');
  assert.deepEqual(jobs.begun, ['a', 'node', 'c']);
  jobs.ask('e');
  assert.deepEqual(jobs.begun, ['a', 'node', 'c', 'e']);
});

test('what has gone stale is not begun and keeps no place', async () => {
  const jobs = new Jobs(1, 2);
  for (const name of ['a', 'b', 'c']) jobs.ask(name);
  jobs.stale.add('b').add('c');
  jobs.ask('d');
  assert.equal(await jobs.jobs.get('b')?.result, undefined);
  jobs.stale.add('d');
  await jobs.finish('a');
  assert.equal(await jobs.jobs.get('d')?.result, undefined);
  jobs.ask('e');
  assert.deepEqual(jobs.begun, ['a', 'e']);
});

test('work that fails gives its place on', async () => {
  const lookUps = new LookUps(1, 2);
  const failing = lookUps.run({
    known: false,
    isStale: () => false,
    work: () => Promise.reject(new Error('disk on fire')),
  });
  const next = lookUps.run({ known: false, isStale: () => false, work: async () => 'found' });
  await assert.rejects(failing, /disk on fire/);
  assert.equal(await next, 'found');
});
