import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Happening } from '../model/event.ts';
import { EventBatches, newTaken, noteTaken } from './eventBatches.ts';
import { packError, type Seen, unpackError } from './messages.ts';
import { ServiceThread } from './serviceThread.ts';
import type { EchoShape } from './testing/echoThread.ts';

const MODULE = new URL('./testing/echoThread.ts', import.meta.url);

async function echo(t: TestContext, start: EchoShape['start'] = {}) {
  const seen: { happenings: Happening[]; texts: string[]; faults: unknown[] } = {
    happenings: [],
    texts: [],
    faults: [],
  };
  const broken = Promise.withResolvers<Error>();
  const thread = await ServiceThread.start<EchoShape>({
    name: 'echo',
    module: MODULE,
    start,
    events: (happening) => seen.happenings.push(happening),
    faulted: (error) => seen.faults.push(error),
    broken: (error) => broken.resolve(error as Error),
    received: ({ text }) => seen.texts.push(text),
  });
  t.after(() => thread.close());
  return { thread, seen, broken: broken.promise };
}

test('messages, events and answers come in order, and a closed service has sent all of its events', async (t) => {
  const { thread, seen } = await echo(t);
  for (const text of ['a', 'b', 'c']) thread.send({ text });
  assert.equal(await thread.ask('double', 21), 42);
  assert.deepEqual(seen.texts, ['a', 'b', 'c']);
  await thread.close();
  assert.deepEqual(
    seen.happenings.map((happening) => happening.kind === 'server.restarted' && happening.service),
    ['a', 'b', 'c', 'closed'],
  );
  await assert.rejects(thread.ask('double', 1), /closed/);
});

test('a start that is refused rejects with the error that the service threw: code, message and hint', async (t) => {
  await assert.rejects(echo(t, { refuse: true }), {
    name: 'ReveilleError',
    code: 'PORT_IN_USE',
    message: 'the port is held',
    hint: 'stop the holder',
  });
});

test('an answer that is refused keeps its code', async (t) => {
  const { thread } = await echo(t);
  await assert.rejects(thread.ask('double', -1), { code: 'REQUEST_INVALID', message: '-1 is negative' });
});

test('an exception in taking a message is a fault, and the service goes on', async (t) => {
  const { thread, seen } = await echo(t);
  thread.send({ fail: 'contained' });
  assert.equal(await thread.ask('double', 1), 2);
  assert.deepEqual(
    seen.faults.map((fault) => (fault as Error).message),
    ['contained'],
  );
});

test('an exception in the event loop of the thread breaks the service, which goes on until it is closed', async (t) => {
  const { thread, broken } = await echo(t);
  thread.send({ fail: 'thrown' });
  assert.equal((await broken).message, 'thrown');
  assert.equal(await thread.ask('double', 1), 2);
});

test('a thread that ends is broken, and whoever waits for its answer hears of it', async (t) => {
  const { thread, broken } = await echo(t);
  const waiting = assert.rejects(thread.ask('never', undefined), /ended with 3/);
  thread.send({ fail: 'exit' });
  assert.match((await broken).message, /ended with 3/);
  await waiting;
});

test('gauges are those of a moment ago', async (t) => {
  const { thread } = await echo(t);
  assert.deepEqual(thread.gauges, { received: 0, droppedEvents: 0 });
});

test('events of a few milliseconds go in one message, and those before an answer have come with it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sizes: number[] = [];
  const batches = new EventBatches(newTaken(), (events) => sizes.push(events.length));
  for (let ms = 0; ms < 4; ms++) {
    batches.add({ kind: 'server.restarted', service: 'one' });
    t.mock.timers.tick(1);
  }
  assert.deepEqual(sizes, []);
  t.mock.timers.tick(1);
  assert.deepEqual(sizes, [4]);
  t.mock.timers.reset();
  const { thread, seen } = await echo(t);
  thread.send({ text: 'a' });
  await thread.ask('double', 1);
  assert.equal(seen.happenings.length, 1);
});

test('events beyond those that the receiver takes in are dropped and counted', () => {
  const taken = newTaken();
  const sent: Seen[] = [];
  const batches = new EventBatches(taken, (events) => sent.push(...events), 10);
  const add = (count: number) => {
    for (let i = 0; i < count; i++) batches.add({ kind: 'server.restarted', service: 'one' });
    batches.flush();
  };
  add(12);
  assert.equal(sent.length, 10);
  assert.equal(batches.dropped, 2);
  noteTaken(taken, 10);
  add(5);
  assert.equal(sent.length, 15);
});

test('errors of the system keep their code, and what is no error its text', () => {
  const error = Object.assign(new Error('no'), { code: 'EACCES' });
  assert.deepEqual(unpackError(packError(error)), error);
  assert.equal((unpackError(packError(error)) as NodeJS.ErrnoException).code, 'EACCES');
  assert.equal(unpackError(packError('text')).message, 'text');
});
