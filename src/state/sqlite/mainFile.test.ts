import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lease } from '../../model/testing/fixture.ts';
import { aRoll } from '../../roll/testing/fixture.ts';
import { openPatientStore, openStore, type Store } from '../store.ts';
import { VERSION_7 } from '../testing/earlierStateFixture.ts';

const HOUR = 3_600_000;
let scratch: string;
let folders = 0;
const newFolder = (): string => join(scratch, `state${++folders}`);
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-main-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A patient store and the codes of what it reported. */
async function patient(folder: string, longestLeaseMs = HOUR): Promise<{ store: Store; codes: string[] }> {
  const codes: string[] = [];
  const store = await openPatientStore(folder, { longestLeaseMs, onNotice: ({ code }) => codes.push(code) });
  return { store, codes };
}

/** Fills a store so that every table has pages of its own. */
async function fill(store: Store, leases = 2000): Promise<void> {
  await store.leases.load();
  for (let from = 0; from < leases; from += 500)
    await store.leases.commit(
      Array.from({ length: 500 }, (_, i) => ({
        ...lease(from + i + 1, (from + i) % 250),
        network: `net${(from + i) >> 7}`,
      })),
    );
  for (let n = 0; n < 40; n++)
    await store.identities.keep(
      `node${n}`,
      new Map([
        ['machine-id', `id${n}`],
        ['ssh-rsa', `${n}${'k'.repeat(3000)}`],
      ]),
    );
  await store.certificates.keep('', { key: 'k', certificate: 'c' }, undefined);
}

const addresses = async (store: Store): Promise<number[]> =>
  (await store.leases.load()).map(({ ip }) => ip as number).sort((a, b) => a - b);
const damagedIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.includes('.damaged-'));

/** Overwrites the pages of one table, its indexes not among them. */
function damageTable(folder: string, table: string): void {
  const file = join(folder, 'reveille.db');
  const db = new DatabaseSync(file);
  db.exec('pragma wal_checkpoint(truncate)');
  const pages = db.prepare("select pageno from dbstat where name = ? and pagetype = 'leaf' order by pageno").all(table);
  db.close();
  assert(pages.length > 2, `${table} has ${pages.length} pages`);
  const handle = openSync(file, 'r+');
  const page = pages[1]?.pageno;
  writeSync(handle, new Uint8Array(4096).fill(0x5a), 0, 4096, (Number(page) - 1) * 4096);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    assert(tries < 1000, 'it does not come');
    await sleep(10);
  }
}

describe('a state whose file comes to harm while it is served from', () => {
  const harms: readonly [string, (folder: string) => void][] = [
    ['is removed', (folder) => unlinkSync(join(folder, 'reveille.db'))],
    [
      'is removed with all beside it',
      (folder) => {
        for (const name of readdirSync(folder)) if (name.startsWith('reveille.db')) unlinkSync(join(folder, name));
      },
    ],
    ['loses some of its strangers', (folder) => damageTable(folder, 'strangers')],
  ];
  for (const [name, harm] of harms) {
    test(`${name}: no lease is lost, and no identity`, async () => {
      const folder = newFolder();
      const { store, codes } = await patient(folder);
      await fill(store);
      const seen = Array.from({ length: 400 }, (_, n) => ({
        mac: `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as never,
        firstSeen: 1,
        lastSeen: 2,
        count: 1,
        triedToBoot: true,
        machine: { hostname: 'y'.repeat(200) },
      }));
      await store.strangers.save(seen, []);
      const held = await addresses(store);
      harm(folder);
      const given: number[] = [];
      await until(async () => {
        const one = { ...lease(5000 + given.length, 1), network: `late${given.length}` };
        await store.leases.commit([one]).then(
          () => given.push(one.ip),
          () => {},
        );
        await store.strangers.save(seen, []).catch(() => {});
        return given.length >= 20 && codes.includes('STATE_REBUILT');
      });
      await store.leases.commit([lease(9999, 9)]);
      const all = [...held, ...given, lease(9999, 9).ip as number].sort((a, b) => a - b);
      assert.deepEqual(await addresses(store), all);
      assert.equal((await store.identities.read('node7')).get('machine-id'), 'id7');
      await store.close();
      const again = await openStore(folder);
      assert.deepEqual(await addresses(again), all);
      assert.equal((await again.identities.read('node39')).get('ssh-rsa')?.length, 3002);
      assert.equal((await again.certificates.read(''))?.key, 'k');
      await again.close();
    });
  }

  test('is replaced by an older copy: its leases are those that were committed since', async () => {
    const folder = newFolder();
    const { store, codes } = await patient(folder);
    await store.leases.load();
    await store.leases.commit([lease(1, 1), lease(2, 2)]);
    await store.close();
    copyFileSync(join(folder, 'reveille.db'), join(folder, 'copy'));
    const second = await patient(folder);
    await second.store.leases.load();
    await second.store.leases.commit([lease(3, 3)]);
    await second.store.leases.commit([lease(4, 2)]);
    renameSync(join(folder, 'copy'), join(folder, 'reveille.db'));
    await second.store.leases.commit([lease(5, 5)]);
    await second.store.leases.commit([]);
    assert.deepEqual(second.codes.filter((code) => code === 'STATE_CHANGED').length, 1);
    const expected = [lease(1, 1), lease(3, 3), lease(4, 2), lease(5, 5)].map(({ ip }) => ip as number);
    await until(async () => (await addresses(second.store)).join() === expected.join());
    await second.store.close();
    assert.deepEqual(codes, []);
  });

  for (const [name, harm] of [
    ['loses its log', (file: string) => unlinkSync(`${file}-wal`)],
    [
      'has another log',
      (file: string) => {
        writeFileSync(`${file}-other`, 'no log'.repeat(10_000));
        renameSync(`${file}-other`, `${file}-wal`);
      },
    ],
    [
      'has bytes of its log overwritten',
      (file: string) => {
        const handle = openSync(`${file}-wal`, 'r+');
        writeSync(handle, new Uint8Array(200).fill(0x5a), 0, 200, 30_000);
      },
    ],
    [
      'is replaced by junk',
      (file: string) => {
        writeFileSync(`${file}.junk`, 'junk'.repeat(10_000));
        renameSync(`${file}.junk`, file);
      },
    ],
  ] as const) {
    test(`${name}: what is committed afterwards outlasts a kill`, async () => {
      const folder = newFolder();
      const { store, codes } = await patient(folder);
      await fill(store, 500);
      await sleep(20);
      harm(join(folder, 'reveille.db'));
      await until(async () => codes.length > 0);
      const given: number[] = [];
      await until(async () => {
        const one = { ...lease(5000 + given.length, 1), network: `late${given.length}` };
        await store.leases.commit([one]).then(
          () => given.push(one.ip),
          () => {},
        );
        return given.length >= 50;
      });
      const all = await addresses(store);
      assert.equal(all.length, 550);
      assert.equal((await store.identities.read('node7')).get('machine-id'), 'id7');
      // As it would be found after a kill.
      const copy = newFolder();
      mkdirSync(copy);
      for (const end of ['', '-wal']) copyFileSync(join(folder, `reveille.db${end}`), join(copy, `reveille.db${end}`));
      const again = await openStore(copy);
      assert.deepEqual(await addresses(again), all);
      assert.equal((await again.identities.read('node7')).get('machine-id'), 'id7');
      await again.close();
      await store.close();
    });
  }

  const losses: readonly [string, (file: string) => void][] = [
    ['is cut off', (file) => truncateSync(file, 200 * 1024)],
    ['is emptied', (file) => truncateSync(file)],
    ['is overwritten with something else', (file) => writeFileSync(file, 'no database'.repeat(50_000))],
  ];
  for (const [name, harm] of losses) {
    test(`${name}: no lease is lost; keys that are gone are not made anew before an operator says so`, async () => {
      const folder = newFolder();
      const { store, codes } = await patient(folder);
      await fill(store);
      const held = await addresses(store);
      await store.close();
      const second = await patient(folder);
      await second.store.leases.load();
      harm(join(folder, 'reveille.db'));
      const given: number[] = [];
      await until(async () => {
        const one = { ...lease(5000 + given.length, 1), network: `late${given.length}` };
        await second.store.leases.commit([one]).then(
          () => given.push(one.ip),
          () => {},
        );
        return given.length >= 5 && second.codes.includes('STATE_REBUILT');
      });
      await second.store.leases.commit([lease(9999, 9)]);
      const all = [...held, ...given, lease(9999, 9).ip as number].sort((a, b) => a - b);
      assert.deepEqual(await addresses(second.store), all);
      const gone = async () => (await second.store.identities.read('node39')).size === 0;
      if (await gone())
        await assert.rejects(
          second.store.identities.keep('node39', new Map([['machine-id', 'new']])),
          /no keys are made/,
        );
      await assert.rejects(
        second.store.identities.keep('node99', new Map([['machine-id', 'new']])),
        /no keys are made/,
      );
      await second.store.close();
      const third = await patient(folder);
      assert.deepEqual(await addresses(third.store), all);
      await assert.rejects(
        third.store.certificates.keep('n', { key: '', certificate: '' }, undefined),
        /no keys are made/,
      );
      for (const damaged of damagedIn(folder)) rmSync(join(folder, damaged));
      assert.equal(
        (await third.store.identities.keep('node99', new Map([['machine-id', 'new']]))).get('machine-id'),
        'new',
      );
      await third.store.close();
      assert.deepEqual(codes, []);
    });
  }
});

describe('a state whose file is found harmed', () => {
  test('without some of its leases: none counts as known until the longest has run out', async () => {
    const folder = newFolder();
    const first = await patient(folder);
    await fill(first.store);
    await first.store.close();
    damageTable(folder, 'leases');
    const { store, codes } = await patient(folder, 1500);
    assert.deepEqual(codes, ['STATE_REBUILT']);
    await assert.rejects(store.leases.load(), /leases were lost with their records/);
    // A node's own address needs no other lease to be known.
    await store.leases.commit([lease(9000, 9)]);
    assert.equal((await store.identities.read('node7')).get('machine-id'), 'id7');
    await until(async () =>
      store.leases.load().then(
        () => true,
        () => false,
      ),
    );
    const left = await addresses(store);
    assert(left.includes(lease(9000, 9).ip) && left.length > 1000 && left.length < 2001, `${left.length} leases`);
    await store.close();
    const [damaged] = damagedIn(folder);
    assert(damaged && statSync(join(folder, damaged)).size > 100_000);
    assert.equal(statSync(join(folder, damaged)).mode & 0o777, 0o600);
  });

  for (const [name, harm] of [
    ['gone', (file: string) => unlinkSync(file)],
    ['empty', (file: string) => truncateSync(file)],
  ] as const) {
    test(`${name}, in a folder that had a state: leases that were lost are waited for`, async () => {
      const folder = newFolder();
      const first = await patient(folder);
      await first.store.leases.load();
      await first.store.leases.commit([lease(1, 1)]);
      await first.store.close();
      harm(join(folder, 'reveille.db'));
      const { store, codes } = await patient(folder, 1200);
      assert.deepEqual(codes, ['STATE_GONE']);
      await assert.rejects(store.leases.load(), /leases were lost/);
      await store.leases.commit([lease(2, 2)]);
      await until(async () =>
        store.leases.load().then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual(await addresses(store), [lease(2, 2).ip]);
      await store.close();
    });
  }

  const afterCrash: readonly [string, (log: string) => void, boolean][] = [
    ['as it was left', () => {}, false],
    ['with its end torn', (log) => truncateSync(log, statSync(log).size - 100), false],
    ['gone', (log) => unlinkSync(log), true],
    [
      'overwritten in its midst',
      (log) => writeSync(openSync(log, 'r+'), new Uint8Array(100).fill(0x5a), 0, 100, 20_000),
      true,
    ],
    ['something else', (log) => writeFileSync(log, 'no log'.repeat(20_000)), true],
  ];
  for (const [name, harm, loses] of afterCrash) {
    test(`after a crash, its log ${name}: ${loses ? 'leases that may be lost are waited for' : 'all is known'}`, async () => {
      const folder = newFolder();
      await (await openStore(folder)).close();
      const url = new URL('../store.ts', import.meta.url).href;
      const program = `
        const { openStore } = await import(${JSON.stringify(url)});
        const store = await openStore(${JSON.stringify(folder)});
        for (let n = 1; n <= 50; n++) await store.leases.commit([{ ip: n, mac: 'mac' + n, network: 'rack', state: 'bound', start: 0, expires: 1 }]);
        process.kill(process.pid, 'SIGKILL');`;
      assert.throws(() => execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' }));
      harm(join(folder, 'reveille.db-wal'));
      const { store, codes } = await patient(folder, 1500);
      assert.deepEqual(codes, loses ? ['STATE_LOST'] : []);
      if (loses) {
        await assert.rejects(store.leases.load(), /leases were lost/);
        await assert.rejects(store.identities.keep('node01', new Map([['machine-id', 'x']])), /no keys are made/);
        await until(async () =>
          store.leases.load().then(
            () => true,
            () => false,
          ),
        );
      } else assert((await store.leases.load()).length >= 49);
      await store.close();
      const again = await patient(folder);
      assert.deepEqual(again.codes, []);
      await again.store.close();
    });
  }

  test('of an earlier release, and damaged where its version stands: what it says is taken over', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const file = join(folder, 'reveille.db');
    const db = new DatabaseSync(file);
    db.exec(VERSION_7);
    const roll = aRoll(['node01']);
    db.prepare('insert into rolls (id, at, body) values (?, ?, ?)').run(roll.id, roll.begunAt, JSON.stringify(roll));
    const page = Number(db.prepare("select rootpage from sqlite_master where name = 'meta'").get()?.rootpage);
    db.close();
    const handle = openSync(file, 'r+');
    writeSync(handle, new Uint8Array(4096).fill(0x5a), 0, 4096, (page - 1) * 4096);
    const { store, codes } = await patient(folder);
    await until(async () => codes.includes('STATE_REBUILT'));
    assert.deepEqual(await addresses(store), [167772211]);
    assert.deepEqual(await store.rolls.rolls(), [roll]);
    assert.deepEqual([...(await store.rolls.pins())], [['node01', 'aa']]);
    await store.close();
  });

  test('no database at all: it is kept, and what is put in its place is used', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const text = 'not a database, but long enough to have had a header of one'.repeat(200);
    const file = join(folder, 'reveille.db');
    writeFileSync(file, text);
    const { store, codes } = await patient(folder);
    assert.deepEqual(codes, ['STATE_REBUILT']);
    await assert.rejects(store.leases.load(), /leases were lost/);
    await store.leases.commit([lease(1, 1)]);
    const [damaged] = damagedIn(folder);
    assert.equal(readFileSync(join(folder, damaged ?? ''), 'utf8'), text);
    const other = newFolder();
    const copy = await openStore(other);
    await copy.leases.commit([lease(2, 2)]);
    await copy.close();
    renameSync(join(other, 'reveille.db'), file);
    await until(async () =>
      store.leases.commit([lease(3, 3)]).then(
        () => true,
        () => false,
      ),
    );
    assert.deepEqual(await addresses(store), [lease(2, 2).ip, lease(3, 3).ip]);
    assert.deepEqual(codes, ['STATE_REBUILT', 'STATE_CHANGED']);
    await store.close();
  });

  test('rebuilt by a program that ended before it was in its place', async () => {
    const folder = newFolder();
    const first = await patient(folder);
    await first.store.leases.load();
    await first.store.leases.commit([lease(1, 1)]);
    await first.store.close();
    const file = join(folder, 'reveille.db');
    renameSync(file, `${file}.rebuilt-2026-01-01T000000000Z`);
    writeFileSync(file, 'damaged');
    writeFileSync(`${file}-wal`, 'of the damaged one');
    const { store, codes } = await patient(folder);
    assert.deepEqual(await addresses(store), [lease(1, 1).ip]);
    assert.deepEqual(codes, []);
    assert.equal(damagedIn(folder).length, 2);
    await store.close();
  });

  test('damaged again and again: a few of the damaged files stay', async () => {
    const folder = newFolder();
    for (let time = 0; time < 8; time++) {
      const { store } = await patient(folder, 1);
      await fill(store, 500);
      await store.close();
      damageTable(folder, 'leases');
      await sleep(5);
    }
    const { store } = await patient(folder, 1);
    await store.close();
    assert.equal(damagedIn(folder).filter((name) => name.endsWith('Z')).length, 5);
  });
});

test('a folder that was removed and has another server by now is left to that one', async () => {
  const folder = newFolder();
  const first = await patient(folder);
  await first.store.leases.load();
  await first.store.leases.commit([lease(1, 1)]);
  await until(
    async () => statSync(join(folder, 'reveille.reserve'), { throwIfNoEntry: false })?.size === 16 * 1024 * 1024,
  );
  // It looks after its files every two seconds.
  await sleep(100);
  rmSync(folder, { recursive: true });
  const second = await patient(folder);
  await second.store.leases.load();
  await second.store.leases.commit([lease(2, 2)]);
  await assert.rejects(first.store.leases.commit([lease(3, 3)]), /another reveille/);
  await sleep(2500);
  await assert.rejects(first.store.leases.commit([lease(3, 3)]), /another reveille/);
  assert.deepEqual(await addresses(second.store), [lease(2, 2).ip]);
  assert.deepEqual(second.codes, []);
  await second.store.close();
  // When that one has ended the folder is free again.
  await until(async () =>
    first.store.leases.commit([lease(3, 3)]).then(
      () => true,
      () => false,
    ),
  );
  assert.deepEqual(
    await addresses(first.store),
    [lease(1, 1), lease(3, 3)].map(({ ip }) => ip as number),
  );
  await first.store.close();
});

test('another program that has the state, and a newer one that wrote it, are not waited for', async () => {
  const folder = newFolder();
  const { store } = await patient(folder);
  await assert.rejects(patient(folder), /another reveille/);
  await store.close();
  const db = new DatabaseSync(join(folder, 'reveille.db'));
  db.exec("update meta set value = '999' where key = 'version'");
  db.close();
  await assert.rejects(patient(folder), /newer program/);
});
