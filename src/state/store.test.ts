import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ReveilleError } from '../errors.ts';
import { lease, mac, offer } from '../model/testing/fixture.ts';
import type { Trouble } from '../model/trouble.ts';
import { aRoll } from '../roll/testing/fixture.ts';
import { migrate, VERSION } from './sqlite/migrations.ts';
import { openDatabase } from './sqlite/openDatabase.ts';
import { DatabaseThread } from './sqlite/thread.ts';
import { openPatientStore, openStore } from './store.ts';
import type { DamageSink } from './tables.ts';
import { brokenStore, fixedStore } from './testing/fakes.ts';

let scratch: string;
let folders = 0;
const newFolder = (): string => join(scratch, `state${++folders}`);
const unavailable = (words: RegExp) => (error: unknown) => {
  assert(error instanceof ReveilleError);
  assert.equal(error.code, 'STATE_UNAVAILABLE');
  assert.match(error.message, words);
  return true;
};

before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-state-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

describe('the SQLite store', () => {
  test('makes its folder for its owner and group alone', async () => {
    const folder = join(newFolder(), 'deep');
    const store = await openStore(folder);
    await store.close();
    assert.equal(statSync(folder).mode & 0o777, 0o750 & ~process.umask());
  });

  test('keeps its files for their owner alone, also where the folder, umask or an older program let others read', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    for (const name of ['reveille.db', 'reveille.lock', 'events.db', 'events.db-wal'])
      writeFileSync(join(folder, name), '', { mode: 0o666 });
    const umask = process.umask(0);
    try {
      const store = await openStore(folder);
      await store.identities.keep('node01', new Map([['ssh-rsa', 'secret']]));
      await store.events.save([offer(1)]);
      const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]);
      assert(modes.length >= 7, String(modes));
      for (const [name, mode] of modes) assert.equal(mode, 0o600, String(name));
      await store.close();
    } finally {
      process.umask(umask);
    }
  });

  test('remembers after closing', async () => {
    const folder = newFolder();
    const first = await openStore(folder);
    await Promise.all([
      first.leases.commit([lease(1, 1)]),
      first.leases.commit([lease(2, 2)]),
      first.events.save([offer(7)]),
    ]);
    await first.close();
    const second = await openStore(folder);
    assert.deepEqual(await second.leases.load(), [lease(1, 1), lease(2, 2)]);
    assert.deepEqual(await second.events.read({ limit: 5 }), [{ id: 1, event: offer(7) }]);
    await second.close();
  });

  test('finishes what was asked before it was closed', async () => {
    const folder = newFolder();
    const store = await openStore(folder);
    const commits = [1, 2, 3].map((n) => store.leases.commit([lease(n, n)]));
    await store.close();
    await Promise.all(commits);
    const again = await openStore(folder);
    assert.equal((await again.leases.load()).length, 3);
    await again.close();
  });

  test('keeps every acknowledged lease through kill -9, and the lock does not outlive the process', async () => {
    const folder = newFolder();
    const url = new URL('./store.ts', import.meta.url).href;
    const program = `
      const { openStore } = await import(${JSON.stringify(url)});
      const store = await openStore(${JSON.stringify(folder)});
      for (let n = 1; ; n++) {
        const mac = (m) => '52:54:00' + m.toString(16).padStart(6, '0').replace(/../g, ':$&');
        const lease = (m) => ({ ip: m, mac: mac(m), network: 'rack', state: 'bound', start: 0, expires: 1 });
        const group = [0, 1, 2].map((i) => lease(n * 3 + i));
        await store.leases.commit(group);
        process.stdout.write(n * 3 + 2 + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (printed.length > 2000 && !child.killed) {
        await assert.rejects(
          openStore(folder),
          unavailable(new RegExp(`another reveille \\(pid ${child.pid}\\) is serving`)),
        );
        child.kill('SIGKILL');
      }
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const highest = Math.max(...printed.split('\n').slice(0, -1).map(Number));
    const store = await openStore(folder);
    const leases = await store.leases.load();
    assert(leases.every(({ state }) => state === 'bound'));
    const ips = new Set(leases.map(({ ip }) => ip as number));
    for (let n = 3; n <= highest; n++) assert(ips.has(n), `lease ${n} of ${highest} is lost`);
    await store.close();
  });

  test('is read by others while it is open, who may not write', async () => {
    const folder = newFolder();
    const store = await openStore(folder);
    await store.leases.commit([lease(1, 1)]);
    const reader = await openStore(folder, { readOnly: true });
    assert.deepEqual(await reader.leases.load(), [lease(1, 1)]);
    await store.leases.commit([lease(2, 2)]);
    assert.equal((await reader.leases.load()).length, 2);
    await assert.rejects(reader.leases.commit([lease(3, 3)]), unavailable(/may only be read/));
    await reader.close();
    await store.close();
    const later = await openStore(folder, { readOnly: true });
    assert.equal((await later.leases.load()).length, 2);
    await later.close();
  });

  test('says what is wrong with a folder that cannot be used', async () => {
    const file = newFolder();
    writeFileSync(file, '');
    await assert.rejects(openStore(join(file, 'state')), unavailable(/part of its path is a file/));
    await assert.rejects(openStore(file), unavailable(/it is a file/));
    await assert.rejects(openStore('/proc/reveille/state'), unavailable(/the state folder .* cannot be used: ENOENT/));
    await assert.rejects(openStore(newFolder(), { readOnly: true }), unavailable(/there is no state in/));
  });

  test('says that a file is no database, and leaves it alone', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const file = join(folder, 'reveille.db');
    const text = 'not a database, but long enough to have had a header of one'.repeat(20);
    writeFileSync(file, text);
    await assert.rejects(openStore(folder), unavailable(/is not a database/));
    assert.equal(readFileSync(file, 'utf8'), text);
    rmSync(file);
    await (await openStore(folder)).close();
  });

  test('refuses the database of a newer program, to write and to read', async () => {
    const folder = newFolder();
    await (await openStore(folder)).close();
    const db = new DatabaseSync(join(folder, 'reveille.db'));
    db.prepare("update meta set value = ? where key = 'version'").run(String(VERSION + 1));
    db.close();
    const words = new RegExp(`newer program: its version is ${VERSION + 1}, and this program knows ${VERSION}`);
    await assert.rejects(openStore(folder), unavailable(words));
    await assert.rejects(openStore(folder, { readOnly: true }), unavailable(words));
  });

  test('fails what was under way when its thread dies, and starts another for the next call', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const dying = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ id, asked }) => {
        if (asked.length > 0) throw new Error('out of memory');
        parentPort.postMessage({ id, given: [] });
      });`;
    let started = 0;
    const database = await openDatabase({ folder, readOnly: false }, (data) =>
      started++ === 0
        ? new Worker(dying, { eval: true, execArgv: [] })
        : new Worker(new URL('./sqlite/databaseThread.ts', import.meta.url), { workerData: data, execArgv: [] }),
    );
    const count = [{ sql: 'select count(*) as leases from leases', rows: [[]] }];
    const both = [database.run(count), database.run(count)];
    for (const refused of both) await assert.rejects(refused, unavailable(/the thread that keeps .* has ended/));
    const [result] = await database.run(count);
    assert.deepEqual({ ...result?.rows[0] }, { leases: 0 });
    assert.equal(started, 2);
    await database.close();
  });

  test('releases who waits for a thread that hangs, refuses meanwhile, and goes on with another', async () => {
    const hanging = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ id, asked }) => {
        if (asked === 'hang') for (;;);
        parentPort.postMessage({ id, given: asked });
      });`;
    let started = 0;
    const start = () => {
      started++;
      return new Worker(hanging, { eval: true, execArgv: [] });
    };
    const thread = new DatabaseThread<string, string>({ folder: 'x', readOnly: false }, { start, patienceMs: 500 });
    assert.equal(await thread.ask('a'), 'a');
    const both = await Promise.allSettled([thread.ask('hang'), thread.ask('b')]);
    for (const one of both) {
      assert(one.status === 'rejected');
      unavailable(/does not answer/)(one.reason);
    }
    for (let tries = 0; ; tries++) {
      try {
        assert.equal(await thread.ask('c'), 'c');
        break;
      } catch (error) {
        unavailable(/does not answer/)(error);
        assert(tries < 500);
        await sleep(10);
      }
    }
    assert.equal(started, 2);
    await thread.close();
  });

  test('refuses what cannot be handed to its thread, and a thread that cannot be started, and goes on', async () => {
    const echo = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', (request) => {
        if (request === 'close') return parentPort.close();
        parentPort.postMessage({ id: request.id, given: request.asked });
      });`;
    let refuse = true;
    const start = () => {
      if (refuse) throw Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
      return new Worker(echo, { eval: true, execArgv: [] });
    };
    const thread = new DatabaseThread<unknown, unknown>({ folder: 'x', readOnly: false }, { start });
    await assert.rejects(thread.ask(1), unavailable(/EAGAIN/));
    refuse = false;
    await assert.rejects(
      thread.ask(() => {}),
      unavailable(/could not be cloned/),
    );
    assert.equal(await thread.ask(2), 2);
    await thread.close();
    await assert.rejects(thread.ask(3), unavailable(/closed/));
  });

  test('rolls a whole batch back when one statement fails', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const database = await openDatabase({ folder, readOnly: false });
    const insert = 'insert into meta (key, value) values (?, ?)';
    await assert.rejects(
      database.run([
        {
          sql: insert,
          rows: [
            ['a', '1'],
            ['version', 'twice'],
          ],
        },
      ]),
      unavailable(/UNIQUE constraint failed/),
    );
    const [result] = await database.run([{ sql: "select count(*) as n from meta where key = 'a'", rows: [[]] }]);
    assert.deepEqual({ ...result?.rows[0] }, { n: 0 });
    await database.close();
  });
});

describe('records that cannot be read', () => {
  const KEPT = { boot: { startedAt: 1, updatedAt: 2, state: 'ready', steps: [] }, seenAt: 2 } as const;
  const stranger = (last: number) =>
    ({ mac: mac(last), firstSeen: 1, lastSeen: 1, count: 1, triedToBoot: false, machine: {} }) as const;

  /** A folder with two records in each table, the second of which was changed to something else. */
  async function damagedState(): Promise<string> {
    const folder = newFolder();
    const store = await openStore(folder);
    await store.leases.commit([lease(1, 1), lease(2, 2), lease(3, 3)]);
    await store.events.save([offer(1), offer(2)]);
    await store.boots.save(new Map(['node01', 'node02'].map((node) => [node, KEPT])));
    await store.strangers.save([stranger(1), stranger(2)], []);
    const inventory = { system: {}, cpu: {}, nics: [], disks: [] };
    for (const last of [1, 2]) await store.inventories.save(mac(last), 1, inventory);
    const applied = { at: 1, sha256: 'ab', drifted: 0, drift: [] };
    await store.applied.save(new Map(['node01', 'node02'].map((node) => [node, applied])));
    for (const id of ['r1', 'r2']) await store.rolls.save(aRoll(['node01'], { id }), new Map(), []);
    await store.close();
    const main = new DatabaseSync(join(folder, 'reveille.db'));
    main.exec(`
      update leases set state = 'lent' where mac = '${mac(2)}';
      update leases set mac = 'no address' where mac = '${mac(3)}';
      update boots set body = '{"startedAt":1' where node = 'node02';
      update strangers set body = '[]' where mac = '${mac(2)}';
      update inventory set body = '{"nics":[{}]}' where mac = '${mac(2)}';
      update applied set body = 'null' where node = 'node02';
      update rolls set body = '{"id":"r2"}' where id = 'r2'`);
    main.close();
    const events = new DatabaseSync(join(folder, 'events.db'));
    events.exec("update events set body = '{}' where id = 2");
    events.close();
    return folder;
  }

  test('are reported once and left out, and the addresses of such leases are set aside', async () => {
    const folder = await damagedState();
    const notices: Trouble[] = [];
    const store = await openPatientStore(folder, {
      longestLeaseMs: 1000,
      onNotice: (trouble) => notices.push(trouble),
    });
    for (let twice = 0; twice < 2; twice++) {
      const { start, expires } = lease(2, 2);
      const aside = { mac: '00:00:00:00:00:00', network: '', state: 'declined', start, expires };
      assert.deepEqual(
        [...(await store.leases.load())].sort((a, b) => a.ip - b.ip),
        [lease(1, 1), { ip: lease(2, 2).ip, ...aside }, { ip: lease(3, 3).ip, ...aside }],
      );
      assert.deepEqual(await store.events.read({ limit: 5 }), [{ id: 1, event: offer(1) }]);
      assert.deepEqual(await store.boots.read(), new Map([['node01', KEPT]]));
      assert.deepEqual(await store.strangers.read(), [stranger(1)]);
      assert.deepEqual([...(await store.inventories.read()).keys()], [mac(1)]);
      assert.deepEqual([...(await store.applied.read()).keys()], ['node01']);
      assert.deepEqual(
        (await store.rolls.rolls()).map(({ id }) => id),
        ['r1'],
      );
    }
    const refused = await store.leases.commit([lease(2, 4), lease(9, 5)]);
    assert.deepEqual(
      refused.map(({ ip, mac }) => [ip, mac]),
      [[lease(2, 2).ip, '00:00:00:00:00:00']],
    );
    const ended = lease(2, 2).expires;
    assert.deepEqual(await store.leases.commit([lease(2, 4, { start: ended, expires: ended + 1 })]), []);
    const held = (await store.leases.load()).filter(({ state }) => state === 'bound');
    assert.deepEqual(held.map(({ mac }) => mac).sort(), [mac(1), mac(4), mac(5)]);
    await store.close();
    const damage: readonly (readonly [string, ...string[]])[] = [
      ['leases', String(lease(2, 2).ip), String(lease(3, 3).ip)],
      ['events', '2'],
      ['boots', 'node02'],
      ['strangers', mac(2)],
      ['inventory', mac(2)],
      ['applied', 'node02'],
      ['rolls', 'r2'],
    ];
    assert.deepEqual(
      notices.slice(0, 7),
      damage.map(([table, ...rows]) => ({ code: 'STATE_DAMAGED', table, count: rows.length, rows })),
    );
  });

  test('fail who needs all of them, and no one else', async () => {
    const folder = await damagedState();
    const refuse: DamageSink = ({ table, rows }) => {
      throw new ReveilleError('STATE_UNAVAILABLE', `table ${table}: ${rows}`);
    };
    const store = await openStore(folder, { readOnly: true, onDamaged: refuse });
    await assert.rejects(store.rolls.rolls(), unavailable(/^table rolls: r2$/));
    assert.deepEqual(await store.rolls.pins(), new Map());
    await store.close();
  });
});

describe('migrations', () => {
  test('run once each, and a step that fails leaves the database as it was before it', () => {
    const db = new DatabaseSync(':memory:');
    const steps = ['create table a (x)', 'create table b (x)'];
    migrate(db, steps);
    migrate(db, steps);
    assert.throws(() => migrate(db, [...steps, 'create table c (x); create table a (x)']), /already exists/);
    assert.deepEqual(
      db
        .prepare("select name from sqlite_master where type = 'table' and name <> 'meta' order by name")
        .all()
        .map((row) => row.name),
      ['a', 'b'],
    );
    migrate(db, [...steps, 'create table c (x)']);
    assert.equal(db.prepare("select value from meta where key = 'version'").get()?.value, '3');
    db.close();
  });
});

test('the fakes: one holds what it was given, one refuses everything', async () => {
  assert.deepEqual(await fixedStore({ leases: [lease(1, 1)] }).leases.load(), [lease(1, 1)]);
  const broken = brokenStore();
  await assert.rejects(broken.leases.commit([lease(1, 1)]), unavailable(/full/));
  await assert.rejects(broken.leases.load(), unavailable(/full/));
  await broken.close();
});
