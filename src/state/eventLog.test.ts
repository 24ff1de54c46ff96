import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../model/event.ts';
import { offer } from '../model/testing/fixture.ts';
import type { EventStore } from '../timeline/eventStore.ts';
import { EventLog, withoutOldest } from './eventLog.ts';
import { brokenStore, emptyStore } from './testing/fakes.ts';

const times = (events: readonly Event[]): number[] => events.map(({ at }) => at);
const saved = async (store: EventStore, limit: number): Promise<Event[]> =>
  (await store.read({ limit })).map(({ event }) => event);

test('events are saved soon, in order and together', async () => {
  const store = emptyStore().events;
  let batches = 0;
  const counting: EventStore = {
    ...store,
    save: (events) => {
      batches++;
      return store.save(events);
    },
  };
  const log = new EventLog(counting);
  for (let at = 1; at <= 50; at++) log.append(offer(at));
  assert.deepEqual(await saved(store, 100), []);
  // The log does not keep a process alive by itself.
  await sleep(400);
  assert.deepEqual(
    times(await saved(store, 100)),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  assert.equal(batches, 1);
  await log.close();
});

test('flush and close save at once, in batches, what comes meanwhile too', async () => {
  const store = emptyStore().events;
  const log = new EventLog(store);
  for (let at = 0; at < 2500; at++) log.append(offer(at));
  const flushed = log.flush();
  log.append(offer(2500));
  await flushed;
  assert.equal((await saved(store, 5000)).length, 2501);
  log.append(offer(2501));
  await log.close();
  log.append(offer(9999));
  await log.flush();
  assert.deepEqual(times(await saved(store, 1)), [2501]);
});

test('while the disk fails no event is lost, as long as there is room to wait, and their order stays', async () => {
  const store = emptyStore().events;
  let full = true;
  const failing: EventStore = { ...store, save: (events) => (full ? brokenStore().events : store).save(events) };
  const log = new EventLog(failing, { onDropped: () => assert.fail('nothing had to be dropped') });
  for (let at = 1; at <= 1500; at++) log.append(offer(at));
  await log.flush();
  log.append(offer(1501));
  full = false;
  await log.flush();
  assert.deepEqual(
    times(await saved(store, 2000)),
    Array.from({ length: 1501 }, (_, i) => i + 1),
  );
  await log.close();
});

test('a full log gives up strangers first, counts them, and stays within its bound', async () => {
  const store = emptyStore().events;
  let full = true;
  let dropped = 0;
  const failing: EventStore = { ...store, save: (events) => (full ? brokenStore().events : store).save(events) };
  const log = new EventLog(failing, { capacity: 80, onDropped: (count) => (dropped += count) });
  for (let at = 0; at < 40; at++) log.append(offer(at, { node: 'node01' }));
  for (let at = 40; at < 10_000; at++) log.append(offer(at));
  full = false;
  await log.flush();
  const kept = times(await saved(store, 1000));
  assert(kept.length <= 80);
  assert.deepEqual(
    kept.slice(0, 40),
    Array.from({ length: 40 }, (_, i) => i),
  );
  assert.equal(kept.at(-1), 9999);
  await log.close();
  assert.equal(kept.length + dropped, 10_000);
});

test('with a broken disk neither append nor flush nor close throws', async () => {
  const log = new EventLog(brokenStore().events);
  log.append(offer(1));
  await log.flush();
  await log.close();
});

test('a log that holds much text gives up events too', async () => {
  let full = true;
  const store = emptyStore().events;
  const failing: EventStore = { ...store, save: (events) => (full ? brokenStore().events : store).save(events) };
  let dropped = 0;
  const log = new EventLog(failing, { capacityOfText: 100_000, onDropped: (count) => (dropped += count) });
  const long = (at: number): Event => ({
    kind: 'server.trouble',
    code: 'SERVER_FAILED',
    message: 'y'.repeat(9000),
    at,
  });
  for (let at = 0; at < 200; at++) log.append(long(at));
  full = false;
  await log.close();
  const kept = await saved(store, 1000);
  assert(kept.length >= 5 && kept.length <= 11, `${kept.length} saved`);
  assert.equal(kept.length + dropped, 200);
  assert.equal(kept.at(-1)?.at, 199);
});

test('a log that gave events up while others were on their way holds as much as before', async () => {
  const store = emptyStore().events;
  const gates: PromiseWithResolvers<void>[] = [];
  const slow: Pick<EventStore, 'save'> = {
    save: async (events) => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      await store.save(events);
    },
  };
  const log = new EventLog(slow, { capacityOfText: 100_000 });
  const add = (count: number): void => {
    for (let at = 0; at < count; at++)
      log.append({ kind: 'server.trouble', code: 'SERVER_FAILED', message: 'y'.repeat(9000), at });
  };
  const flushed = async (): Promise<void> => {
    const flush = log.flush().then(() => 'done');
    while ((await Promise.race([flush, sleep(2, 'open')])) === 'open')
      for (const gate of gates.splice(0)) gate.resolve();
  };
  add(10);
  const first = log.flush();
  while (gates.length === 0) await sleep(1);
  add(30);
  await flushed();
  await first;
  const before = (await saved(store, 1000)).length;
  add(20);
  await flushed();
  const more = (await saved(store, 1000)).length - before;
  assert(more >= 5 && more <= 11, `${more} waited`);
  await log.close();
});

test('a batch is bounded by its text', async () => {
  const store = emptyStore().events;
  const batches: number[] = [];
  const counting: EventStore = {
    ...store,
    save: (events) => {
      batches.push(events.length);
      return store.save(events);
    },
  };
  const log = new EventLog(counting);
  const message = 'y'.repeat(8000);
  for (let at = 0; at < 200; at++) log.append({ kind: 'server.trouble', code: 'SERVER_FAILED', message, at });
  await log.close();
  assert(Math.max(...batches) < 70 && batches.length < 6, String(batches));
  assert.equal((await saved(store, 1000)).length, 200);
});

test('the oldest go where no strangers are left', () => {
  const events = [offer(1, { node: 'a' }), offer(2), offer(3, { node: 'a' }), offer(4)];
  assert.deepEqual(times(withoutOldest(events, 1)), [1, 3, 4]);
  assert.deepEqual(times(withoutOldest(events, 3)), [3]);
  assert.deepEqual(times(withoutOldest(events, 9)), []);
});
