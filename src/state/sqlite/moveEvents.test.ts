import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Event } from '../../model/event.ts';
import type { Mac } from '../../model/mac.ts';
import { offer } from '../../model/testing/fixture.ts';
import { openStore, type Store } from '../store.ts';
import { VERSION_7 } from '../testing/earlierStateFixture.ts';

let scratch: string;
let folders = 0;
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-earlier-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

const eventsIn = async ({ events }: Store): Promise<Event[]> =>
  (await events.read({ limit: 10 })).map(({ event }) => event);

/** A state folder of version 7 with these events. */
function earlierState(events: readonly Event[]): string {
  const folder = join(scratch, `state${++folders}`);
  mkdirSync(folder);
  const db = new DatabaseSync(join(folder, 'reveille.db'));
  db.exec('pragma journal_mode = wal; pragma synchronous = off');
  db.exec(VERSION_7);
  const insert = db.prepare('insert into events (at, node, mac, subject, body) values (?, ?, ?, ?, ?)');
  db.exec('begin');
  for (const event of events) {
    const { at, node, mac } = event;
    insert.run(at, node ?? null, mac ?? null, node ?? mac ?? '', JSON.stringify(event));
  }
  db.exec('commit');
  db.close();
  return folder;
}

describe('a state of the version that had the events beside the leases', () => {
  test('opens with all that it held, its events too', async () => {
    const events = [offer(1, { node: 'node01' }), offer(2, { mac: '52:54:00:00:00:02' as Mac }), offer(3)];
    const folder = earlierState(events);
    for (let opened = 0; opened < 2; opened++) {
      const store = await openStore(folder);
      assert.deepEqual(await eventsIn(store), events);
      const [lease] = await store.leases.load();
      assert.equal(lease?.hostname, 'node01');
      assert.deepEqual(await store.identities.read('node01'), new Map([['machine-id', 'abc']]));
      assert.equal((await store.certificates.read(''))?.key, 'key');
      assert.deepEqual([...(await store.rolls.pins())], [['node01', 'aa']]);
      assert.equal((await store.boots.read()).get('node01')?.seenAt, 9);
      assert.equal((await store.inventories.read()).size, 1);
      await store.close();
    }
    const store = await openStore(folder);
    await store.events.save([offer(4)]);
    assert.deepEqual(await eventsIn(store), [...events, offer(4)]);
    await store.close();
    const db = new DatabaseSync(join(folder, 'reveille.db'), { readOnly: true });
    assert.equal(db.prepare("select count(*) as n from sqlite_master where name like 'events%'").get()?.n, 0);
    db.close();
  });

  test('gives back the room of its events, of which the newest are kept', async () => {
    const message = 'y'.repeat(15_000);
    const flood = Array.from(
      { length: 10_000 },
      (_, at): Event => ({ kind: 'server.trouble', code: 'SERVER_FAILED', message, at }),
    );
    const folder = earlierState(flood);
    assert(statSync(join(folder, 'reveille.db')).size > 150_000_000);
    const store = await openStore(folder);
    assert(statSync(join(folder, 'reveille.db')).size < 10_000_000);
    const kept = await store.events.read({ limit: 100_000 });
    assert(kept.length > 1000 && kept.length < 5000, `${kept.length} kept`);
    assert.equal(kept.at(-1)?.event.at, flood.at(-1)?.at);
    assert.equal(kept[0]?.event.at, flood.at(-kept.length)?.at);
    assert(statSync(join(folder, 'events.db')).size < 100_000_000);
    assert.equal((await store.leases.load()).length, 1);
    await store.close();
  });

  test('is moved once, also where moving was interrupted before the events were deleted, or failed at first', async () => {
    const events = [offer(1), offer(2)];
    const folder = earlierState(events);
    await (await openStore(folder)).close();
    // As if the program had ended between the copy and the deletion.
    const interrupted = earlierState(events);
    rmSync(join(interrupted, 'events.db'), { force: true });
    const apart = new DatabaseSync(join(folder, 'events.db'));
    apart.exec(`vacuum into '${join(interrupted, 'events.db')}'`);
    apart.close();
    const store = await openStore(interrupted);
    assert.deepEqual(await eventsIn(store), events);
    await store.close();

    // Where moving failed, new events are in the file by the time it is done.
    const late = earlierState(events);
    const other = join(scratch, `state${++folders}`);
    const fresh = await openStore(other);
    await fresh.events.save([offer(3), offer(4), offer(5)]);
    await fresh.close();
    const newer = new DatabaseSync(join(other, 'events.db'));
    newer.exec(`vacuum into '${join(late, 'events.db')}'`);
    newer.close();
    const moved = await openStore(late);
    assert.deepEqual(
      await eventsIn(moved),
      [1, 2, 3, 4, 5].map((at) => offer(at)),
    );
    await moved.close();
  });

  test('opens where its events cannot be moved, and keeps them for the next time', async () => {
    const events = [offer(1), offer(2)];
    const folder = earlierState(events);
    // No file can be made of that name.
    mkdirSync(join(folder, 'events.db'));
    const store = await openStore(folder);
    assert.equal((await store.leases.load()).length, 1);
    await assert.rejects(store.events.save([offer(3)]));
    await store.close();
    rmSync(join(folder, 'events.db'), { recursive: true });
    const again = await openStore(folder);
    assert.deepEqual(await eventsIn(again), events);
    await again.close();
  });

  test('is read without a server as far as it is brought up to date', async () => {
    const folder = earlierState([offer(1)]);
    await assert.rejects(openStore(folder, { readOnly: true }), /older program/);
    await (await openStore(folder)).close();
    rmSync(join(folder, 'events.db'));
    assert(!existsSync(join(folder, 'events.db')));
    const store = await openStore(folder, { readOnly: true });
    assert.deepEqual(await eventsIn(store), []);
    assert.equal((await store.leases.load()).length, 1);
    await store.close();
  });
});
