import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ReveilleError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { createOperatorsServer, type OperatorsFrom } from './operators.ts';
import { operatorsFixture } from './testing/operatorsFixture.ts';
import { until } from './testing/serverFixture.ts';

/** The server over a store, and what happens there: events are kept and then heard, as the server has it. */
async function rig(t: TestContext, changes: Partial<OperatorsFrom> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'stream-'));
  const socketPath = join(folder, 'reveille.sock');
  const { events: store } = emptyStore();
  const listeners = new Set<(event: Event) => void>();
  const faults: unknown[] = [];
  const server = createOperatorsServer(
    operatorsFixture({
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      nodesNamed: (set) => [set],
      keptEvents: (filter) => store.read(filter),
      faulted: (error) => faults.push(error),
      ...changes,
    }),
  );
  await server.listen(socketPath);
  t.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  let next = 1;
  const tell = (event: Event) => listeners.forEach((hear) => void hear(event));
  const happen = async (...events: readonly Omit<Event, 'at' | 'id'>[]) => {
    for (const one of events) {
      const event = { ...one, at: 1, id: next++ } as Event;
      await store.save([event]);
      tell(event);
    }
  };
  const open = async (query: string, headers: object = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const sent = request(
      { socketPath, path: `/api/v1/events${query}`, headers: { accept: 'text/event-stream', ...headers } },
      resolve,
    );
    sent.once('error', reject).end();
    const response = await promise;
    sent.on('error', () => {});
    response.on('error', () => {});
    return { response, leave: () => sent.destroy() };
  };
  /** A reader that takes what comes. */
  const read = async (query: string, headers: object = {}) => {
    const { response, leave } = await open(query, headers);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    const seen = { text: '' };
    response.setEncoding('utf8').on('data', (piece) => (seen.text += piece));
    const ids = () => [...seen.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    return { seen, ids, leave };
  };
  return { read, open, happen, tell, listeners, faults, store };
}

const OF = (node: string) => ({ kind: 'server.started', node }) as const;
const BIG = { kind: 'server.trouble', code: 'SERVER_FAILED', message: 'x'.repeat(3000) } as const;

describe('a stream of events', () => {
  it('gives what comes, each event as a frame with its id', async (t) => {
    const { read, happen, listeners } = await rig(t);
    await happen(OF('early'));
    const reader = await read('');
    await until('it listens', () => listeners.size === 1);
    await happen(OF('a'), OF('b'));
    await until('both', () => reader.ids().length === 2);
    assert.deepEqual(reader.ids(), [2, 3]);
    assert.match(reader.seen.text, /^retry: 2000\n\nid: 2\ndata: \{"kind":"server.started","node":"a",.*\}\n\n/);
    reader.leave();
    await until('it left', () => listeners.size === 0);
  });

  it('resumes after the last id that a reader has, with no gap and none twice, while more come', async (t) => {
    const { read, happen, store } = await rig(t);
    await happen(...Array.from({ length: 1200 }, (_, i) => OF(`n${i}`)));
    const reader = await read('', { 'last-event-id': '100' });
    await happen(...Array.from({ length: 50 }, (_, i) => OF(`m${i}`)));
    await until('all', () => reader.ids().length >= 1150);
    await delay(100);
    assert.deepEqual(
      reader.ids(),
      Array.from({ length: 1150 }, (_, i) => i + 101),
    );
    assert.equal((await store.read({ limit: 2000 })).length, 1250);
    reader.leave();
  });

  it('filters by node and kind, what was as what comes', async (t) => {
    const { read, happen } = await rig(t);
    await happen(OF('a'), { ...BIG, node: 'a' }, OF('b'));
    const reader = await read('?since=0&node=a&kind=server.started');
    await happen(OF('a'), OF('b'), { ...BIG, node: 'a' }, OF('a'));
    await until('three', () => reader.ids().length === 3);
    assert.deepEqual(reader.ids(), [1, 4, 7]);
    reader.leave();
  });

  it('drops what a slow reader does not take, says so, and goes on; memory stays bounded', async (t) => {
    const { open, tell, listeners } = await rig(t);
    const { response, leave } = await open('');
    await until('it listens', () => listeners.size === 1);
    response.pause();
    let id = 1;
    const flood = () => tell({ ...BIG, at: 1, id: id++ } as Event);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (let i = 0; i < 20_000; i++) flood();
    const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before;
    assert.ok(grown < 60_000_000, `${grown} bytes for 60 MB that were not read`);
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => (text += piece));
    response.resume();
    await until('the reset', () => text.includes('event: reset\n'));
    const last = id;
    flood();
    await until('what comes after it', () => text.includes(`id: ${last}\n`));
    assert.ok(text.indexOf('event: reset') < text.indexOf(`id: ${last}\n`));
    leave();
  });

  it('is refused where events cannot be read, where the id is none, and beyond so many streams', async (t) => {
    let works = false;
    const { open, listeners } = await rig(t, {
      keptEvents: async () => {
        if (works) return [];
        throw new ReveilleError('STATE_UNAVAILABLE', 'the disk is gone');
      },
    });
    const status = async (query: string, headers: object = {}) => (await open(query, headers)).response.statusCode;
    assert.equal(await status('', { 'last-event-id': '5' }), 503);
    assert.equal(await status('', { 'last-event-id': 'x' }), 400);
    assert.equal(await status('?kind=dhcp.%25'), 400);
    assert.equal(listeners.size, 0);
    works = true;
    const opened = [];
    for (let i = 0; i < 16; i++) opened.push(await open(''));
    assert.deepEqual(new Set(opened.map(({ response }) => response.statusCode)), new Set([200]));
    assert.equal(await status(''), 503);
    opened[0]?.leave();
    await until('its place is free', () => listeners.size === 15);
    assert.equal(await status(''), 200);
    for (const { leave } of opened) leave();
  });
});
