import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../../model/event.ts';
import { lease, mac, offer } from '../../model/testing/fixture.ts';
import type { StoredEvent } from '../../timeline/eventStore.ts';
import { openStore } from '../store.ts';
import { EVENTS_KEPT } from './eventsFile.ts';
import type { EventsKept } from './messages.ts';

let scratch: string;
let folders = 0;
const newFolder = (): string => join(scratch, `state${++folders}`);
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-events-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

const times = (events: readonly StoredEvent[]): number[] => events.map(({ event }) => event.at);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const keep = (more: Partial<EventsKept>): EventsKept => ({ ...EVENTS_KEPT, ...more });
const report = (at: number, node: string, status: 'done' | 'failed', output: string): Event => ({
  kind: 'node.step',
  code: 'other',
  subject: 'a',
  status,
  output,
  node,
  at,
});

/** Bytes of all files whose name begins so. */
function sizeOf(folder: string, start: string): number {
  const files = readdirSync(folder).filter((name) => name.startsWith(start));
  return files.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

describe('the events that stay', () => {
  test('are the newest of each subject, its classes apart', async () => {
    const store = await openStore(newFolder(), { keep: keep({ perSubject: 3 }) });
    await store.events.save([offer(1, { node: 'node01' }), offer(2, { node: 'node01' })]);
    await store.events.save([report(3, 'node02', 'failed', ''), offer(4), offer(5)]);
    for (let n = 10; n < 1000; n += 10)
      await store.events.save(range(n, n + 10).map((at) => report(at, 'node02', 'done', '')));
    assert.deepEqual(times(await store.events.read({ limit: 2000 })), [1, 2, 3, 4, 5, 997, 998, 999]);
    await store.close();
  });

  test('are the newest of those that are no node’s, and of all', async () => {
    const folder = newFolder();
    const store = await openStore(folder, { keep: keep({ total: 100, strangers: 20 }) });
    await store.events.save(range(0, 50).map((n) => offer(n, { node: `node${n}` })));
    for (let n = 100; n < 1100; n += 100)
      await store.events.save(range(n, n + 100).map((at) => offer(at, { mac: mac(at % 250) })));
    assert.deepEqual(times(await store.events.read({ limit: 2000 })), [...range(0, 50), ...range(1080, 1100)]);
    await store.events.save(range(2000, 2200).map((n) => offer(n, { node: `node${n}` })));
    assert.deepEqual(times(await store.events.read({ limit: 2000 })), range(2100, 2200));
    await store.close();
    // Another bound holds for what is there already, without a further event.
    const less = await openStore(folder, { keep: keep({ total: 10 }) });
    await less.events.read({ limit: 1 });
    for (let tries = 0; (await less.events.read({ limit: 2000 })).length > 10; tries++) {
      assert(tries < 500);
      await sleep(10);
    }
    assert.deepEqual(times(await less.events.read({ limit: 2000 })), range(2190, 2200));
    await less.close();
  });

  test('take bounded room through half a gigabyte of reports, and give it back', { timeout: 300_000 }, async () => {
    const folder = newFolder();
    const most = 24 * 1024 * 1024;
    const store = await openStore(folder, { keep: keep({ bytes: most }) });
    const output = 'y'.repeat(16_000);
    let largest = 0;
    let leases = 0;
    let stop = false;
    const leasing = (async () => {
      for (; !stop; leases++) await store.leases.commit([lease(leases % 200, leases % 200)]);
    })();
    for (let at = 0; at < 32_000; at += 64) {
      await store.events.save(
        range(at, at + 64).map((n) => report(n, `node${n % 40}`, n % 2 ? 'failed' : 'done', output)),
      );
      largest = Math.max(largest, sizeOf(folder, 'events.db'));
    }
    stop = true;
    await leasing;
    assert(leases > 100, `${leases} leases`);
    // What SQLite writes ahead comes on top.
    assert(largest < most + 24 * 1024 * 1024, `${largest} bytes`);
    assert(sizeOf(folder, 'reveille.db') < 24 * 1024 * 1024);
    const newest = await store.events.read({ limit: 100 });
    assert.deepEqual(times(newest), range(31_900, 32_000));
    await store.close();

    const less = await openStore(folder, { keep: keep({ bytes: most / 8 }) });
    await less.events.read({ limit: 1 });
    for (let tries = 0; sizeOf(folder, 'events.db') > most / 4; tries++) {
      assert(tries < 3000, `${sizeOf(folder, 'events.db')} bytes`);
      await sleep(10);
    }
    assert.equal((await less.events.read({ limit: 1 }))[0]?.event.at, 31_999);
    await less.close();
  });
});

describe('the file of the events', () => {
  test('does not affect the leases when it is no database, and is set aside for a new one', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const text = 'not a database, but long enough to have had a header of one'.repeat(200);
    writeFileSync(join(folder, 'events.db'), text);
    const store = await openStore(folder);
    await store.leases.commit([lease(1, 1)]);
    await assert.rejects(store.events.save([offer(1)]), { code: 'STATE_UNAVAILABLE' });
    await store.events.save([offer(2)]);
    assert.deepEqual(times(await store.events.read({ limit: 5 })), [2]);
    assert.equal(readFileSync(join(folder, 'events.db.damaged'), 'utf8'), text);
    await store.close();
  });

  test('is set aside when it turns out to be damaged while it is used', async () => {
    const folder = newFolder();
    const store = await openStore(folder);
    const output = 'y'.repeat(3000);
    await store.events.save(range(0, 3000).map((at) => report(at, `node${at % 7}`, 'done', output)));
    await store.close();
    const file = join(folder, 'events.db');
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 8192, bytes.length - 4096);
    writeFileSync(file, bytes);
    const again = await openStore(folder);
    await again.leases.commit([lease(1, 1)]);
    let saved = 0;
    for (let tries = 0; tries < 3; tries++) {
      await again.events.save([offer(tries)]).then(
        () => saved++,
        () => {},
      );
    }
    assert(saved >= 1);
    assert(existsSync(join(folder, 'events.db.damaged')));
    assert.equal((await again.events.read({ limit: 9 })).length, saved);
    await again.close();
  });

  test('is written on while a reader holds its transaction, up to a bound, and goes on afterwards', {
    timeout: 120_000,
  }, async () => {
    const folder = newFolder();
    const store = await openStore(folder);
    await store.events.save([offer(0)]);
    const reader = new DatabaseSync(join(folder, 'events.db'), { readOnly: true });
    reader.exec('begin');
    reader.prepare('select count(*) from events').get();
    const output = 'y'.repeat(16_000);
    let refused: unknown;
    for (let at = 1; at < 6000 && !refused; at += 50) {
      await store.events.save(range(at, at + 50).map((n) => report(n, `node${n}`, 'done', output))).catch((error) => {
        refused = error;
      });
    }
    assert.match(String(refused), /another program reads/);
    assert(sizeOf(folder, 'events.db-wal') < 40 * 1024 * 1024);
    reader.exec('rollback');
    reader.close();
    await store.events.save([offer(9999)]);
    assert.equal((await store.events.read({ limit: 1 }))[0]?.event.at, 9999);
    await store.close();
  });
});
