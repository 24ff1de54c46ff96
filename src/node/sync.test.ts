import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { News } from './news.ts';
import { type Order, Orders } from './orders.ts';
import { type SyncOptions, type SyncResult, syncNodes } from './sync.ts';

const NEVER = new AbortController().signal;
const apply = (id: string): Order => ({ id, what: 'apply' });

test('an order reaches a node that waits at once, and one that does not as soon as it asks', async () => {
  const orders = new Orders();
  const waits = orders.next('a', 60, NEVER);
  assert.ok(orders.isWaiting('a'));
  assert.equal(await orders.give('a', apply('1'), NEVER), true);
  assert.deepEqual(await waits, apply('1'));
  assert.equal(orders.isWaiting('a'), false);

  const second = orders.give('a', apply('2'), NEVER);
  const third = orders.give('a', apply('3'), NEVER);
  assert.deepEqual(await orders.next('a', 60, NEVER), apply('2'));
  assert.deepEqual(await orders.next('a', 60, NEVER), apply('3'));
  assert.deepEqual(await Promise.all([second, third]), [true, true]);
});

test('who gives up takes his order back; who leaves, asks anew or has waited long enough gets none', async () => {
  const orders = new Orders();
  const giver = new AbortController();
  const given = orders.give('a', apply('1'), giver.signal);
  giver.abort();
  assert.equal(await given, false);
  assert.equal(await orders.give('a', apply('1'), giver.signal), false);
  assert.equal(await orders.next('a', 0, NEVER), undefined);

  const asker = new AbortController();
  const left = orders.next('a', 60, asker.signal);
  asker.abort();
  assert.equal(await left, undefined);
  assert.equal(orders.isWaiting('a'), false);

  const rebooted = orders.next('a', 60, NEVER);
  orders.left('a');
  orders.left('b');
  assert.equal(await rebooted, undefined);
  assert.equal(orders.isWaiting('a'), false);

  const first = orders.next('a', 60, NEVER);
  const anew = orders.next('a', 60, NEVER);
  assert.equal(await first, undefined);
  await orders.give('a', apply('2'), NEVER);
  assert.deepEqual(await anew, apply('2'));
});

test('all nodes follow, some fail, some are not there: each has its result', async () => {
  const rack = nodes({ a: 'done', b: 'failed', off: 'off' });
  const results = await all(rack, ['a', 'off', 'b'], {});
  assert.deepEqual(
    new Map(results.map(({ node, result, changed, detail }) => [node, [result, changed, detail]])),
    new Map([
      ['a', ['done', 2, null]],
      ['b', ['failed', 2, 'hook: broken']],
      ['off', ['not reachable', 0, 'it does not ask for orders: off, booting, or its image has an older agent']],
    ]),
  );
  assert.equal(results.at(-1)?.node, 'off', 'results come as nodes finish');
  assert.equal(await rack.orders.next('off', 0, NEVER), undefined, 'no order is left behind');
});

test('one that takes an order and says nothing, and one that is waited for in vain, end with the patience', async () => {
  const rack = nodes({ silent: 'silent', off: 'off' });
  const results = await all(rack, ['silent', 'off'], { wait: true, patienceMs: 100 });
  assert.deepEqual(results.map(({ node, result }) => `${node} ${result}`).sort(), [
    'off not reachable',
    'silent no answer',
  ]);
});

test('many nodes work in turns, and the requester may leave', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `n${i}`);
  const rack = nodes(Object.fromEntries(names.map((name) => [name, 'done'])));
  const results = await all(rack, names, {});
  assert.equal(results.length, 500);
  assert.ok(rack.most() <= 64, `${rack.most()} at once`);

  const asker = new AbortController();
  const absent = nodes(Object.fromEntries(names.map((name) => [name, 'off'])));
  const ends = all(absent, names, { wait: true, gone: asker.signal });
  asker.abort();
  assert.ok((await ends).every(({ result }) => result === 'not reachable'));
});

type Manner = 'done' | 'failed' | 'silent' | 'off';

/** Nodes that wait for orders and behave as the test sets. */
function nodes(manners: Readonly<Record<string, Manner>>) {
  const orders = new Orders();
  const listeners = new Set<(node: string, news: News) => void>();
  let busy = 0;
  let most = 0;
  for (const [node, manner] of Object.entries(manners)) {
    if (manner === 'off') continue;
    void orders.next(node, 60, NEVER).then(async (order) => {
      if (!order || manner === 'silent') return;
      most = Math.max(most, ++busy);
      await new Promise((resolve) => setImmediate(resolve));
      busy--;
      const failed = manner === 'failed' ? { failed: 'hook: broken' } : {};
      const applied = { sha256: 'ab'.repeat(32), drifted: 0, drift: [], ...failed };
      for (const listener of listeners) listener(node, { applied, changed: 2, removed: 0, ms: 5, sync: order.id });
    });
  }
  const feed = (listener: (node: string, news: News) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { orders, feed, most: () => most };
}

async function all(
  { orders, feed }: ReturnType<typeof nodes>,
  names: readonly string[],
  options: Partial<SyncOptions>,
): Promise<SyncResult[]> {
  const results: SyncResult[] = [];
  const asked = { what: 'apply', wait: false, patienceMs: 20_000, gone: NEVER, ...options } as const;
  for await (const result of syncNodes(names, asked, orders, feed)) results.push(result);
  return results;
}
