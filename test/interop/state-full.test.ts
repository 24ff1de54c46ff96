import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReveilleError } from '../../src/errors.ts';
import { lease, offer } from '../../src/model/testing/fixture.ts';
import type { Trouble } from '../../src/model/trouble.ts';
import { EventLog } from '../../src/state/eventLog.ts';
import { openPatientStore, openStore, type Store } from '../../src/state/store.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');

/** A disk of one megabyte, all for this test. */
let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'reveille-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1280k', 'tmpfs', disk]);
});
afterEach(() => {
  execFileSync('umount', ['-l', disk]);
  rmSync(disk, { recursive: true });
});

const unavailable = (words: RegExp) => (error: unknown) => {
  assert(error instanceof ReveilleError);
  assert.equal(error.code, 'STATE_UNAVAILABLE');
  assert.match(error.message, words);
  return true;
};

/** Takes all room that is left. */
function fillDisk(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), new Uint8Array(bavail * bsize), { flag: 'a' });
}

const numbered = (n: number) => ({ ...lease(n, n % 256), network: `network ${n >> 8}` });

test('a full disk refuses leases in words, loses none that it took, and goes on once there is room', async () => {
  const store = await openStore(join(disk, 'state'));
  const taken: number[] = [];
  for (let n = 1; n <= 20; n++) {
    await store.leases.commit([numbered(n)]);
    taken.push(n);
  }
  fillDisk();
  let refused = 0;
  for (let n = 21; n <= 1000 && refused < 3; n++) {
    try {
      await store.leases.commit([numbered(n)]);
      taken.push(n);
    } catch (error) {
      unavailable(/reveille\.db cannot grow: the disk is full/)(error);
      refused++;
    }
  }
  assert.equal(refused, 3);
  assert.deepEqual(new Set((await store.leases.load()).map(({ ip }) => ip)), new Set(taken.map((n) => numbered(n).ip)));

  rmSync(join(disk, 'filler'));
  await store.leases.commit([numbered(2000)]);
  taken.push(2000);
  await store.close();
  const again = await openStore(join(disk, 'state'));
  assert.deepEqual(new Set((await again.leases.load()).map(({ ip }) => ip)), new Set(taken.map((n) => numbered(n).ip)));
  await again.close();
});

test('events wait while the disk is full', async () => {
  const store = await openStore(join(disk, 'state'));
  const log = new EventLog(store.events, { onDropped: () => assert.fail('nothing had to be dropped') });
  await store.events.save([offer(0)]);
  fillDisk();
  for (let at = 1; at < 2000; at++) log.append(offer(at, { node: `node${at}` }));
  await log.flush();
  const saved = (await store.events.read({ limit: 5000 })).length;
  assert(saved < 2000, 'the disk was full');
  rmSync(join(disk, 'filler'));
  await log.close();
  const events = await store.events.read({ limit: 5000 });
  assert.deepEqual(
    events.map(({ event }) => event.at),
    Array.from({ length: 2000 }, (_, at) => at),
  );
  await store.close();
});

test('a disk that is full from the start, and one that is mounted read-only, are named in the error', async () => {
  fillDisk();
  await assert.rejects(openStore(join(disk, 'state')), unavailable(/the disk is full/));
  const readOnly = mkdtempSync(join(tmpdir(), 'reveille-read-only-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', readOnly]);
  await assert.rejects(openStore(join(readOnly, 'state')), unavailable(/its file system is mounted read-only/));
  await assert.rejects(openStore(readOnly), unavailable(/its file system is mounted read-only/));
  execFileSync('umount', [readOnly]);
  rmSync(readOnly, { recursive: true });
});

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; !(await condition()); tries++) {
    assert(tries < 1000, 'it does not come');
    await sleep(10);
  }
};

/** A store as the server opens it, on a disk of 128 MB, and what it reported. */
async function served(): Promise<{ store: Store; codes: string[] }> {
  const codes: string[] = [];
  const onNotice = ({ code }: Trouble) => void codes.push(code);
  const store = await openPatientStore(join(disk, 'state'), { longestLeaseMs: 3_600_000, onNotice });
  return { store, codes };
}

const remount = (options: string): void => void execFileSync('mount', ['-o', `remount,${options}`, disk]);
const commits = (store: Store, n: number): Promise<boolean> =>
  store.leases.commit([numbered(n)]).then(
    () => true,
    () => false,
  );

test('a disk that others fill does not stop leases, nor a start, and the reserve is taken again', async () => {
  remount('size=128m');
  const { store, codes } = await served();
  await store.leases.load();
  await store.leases.commit([numbered(1)]);
  const reserve = join(disk, 'state', 'reveille.reserve');
  await until(() => statSync(reserve, { throwIfNoEntry: false })?.size === 8 * 1024 * 1024);
  assert.equal(statSync(reserve).mode & 0o777, 0o600);
  fillDisk();
  // Events stop first, and leases do not: at the rate of a busy rack for a while.
  await assert.rejects(store.events.save([offer(1)]), unavailable(/is for leases|disk is full/));
  for (let n = 2; n <= 3000; n++) await store.leases.commit([numbered(n)]);
  await store.close();

  fillDisk();
  const again = await served();
  assert.equal((await again.store.leases.load()).length, 3000);
  for (let n = 3001; n <= 6000; n++) await again.store.leases.commit([numbered(n)]);
  await assert.rejects(again.store.events.save([offer(1)]), unavailable(/is for leases|disk is full/));
  assert.deepEqual(
    [...codes, ...again.codes].filter((code) => code !== 'DISK_FULL'),
    [],
  );

  rmSync(join(disk, 'filler'));
  await until(() => existsSync(reserve) && statSync(reserve).size === 8 * 1024 * 1024);
  await again.store.events.save([offer(2)]);
  await again.store.close();
  const last = await openStore(join(disk, 'state'));
  assert.equal((await last.leases.load()).length, 6000);
  await last.close();
});

test('a disk that is full to the last byte, its reserve used up: what is there is read, and writing heals with the disk', async () => {
  remount('size=128m');
  const first = await served();
  await first.store.leases.load();
  for (let n = 1; n <= 100; n++) await first.store.leases.commit([numbered(n)]);
  await first.store.identities.keep('node01', new Map([['machine-id', 'a']]));
  await first.store.close();
  rmSync(join(disk, 'state', 'reveille.reserve'), { force: true });
  fillDisk();
  for (const name of ['reveille.db-wal', 'reveille.db-shm']) assert(!existsSync(join(disk, 'state', name)));
  const { store, codes } = await served();
  assert.equal((await store.leases.load()).length, 100);
  assert.equal((await store.identities.read('node01')).get('machine-id'), 'a');
  await assert.rejects(store.leases.commit([numbered(200)]), { code: 'STATE_UNAVAILABLE' });
  assert.deepEqual(codes, ['STATE_UNAVAILABLE']);
  rmSync(join(disk, 'filler'));
  await until(() => commits(store, 200));
  await until(() => codes.includes('STATE_AVAILABLE'));
  assert.equal((await store.leases.load()).length, 101);
  await store.close();
});

test('a disk that may only be read: what is there is read, also after a crash, and writing heals with it', async () => {
  remount('size=128m');
  const url = new URL('../../src/state/store.ts', import.meta.url).href;
  // Killed: the last leases are in the log alone.
  const program = `
    const { openStore } = await import(${JSON.stringify(url)});
    const store = await openStore(${JSON.stringify(join(disk, 'state'))});
    for (let n = 1; n <= 50; n++) await store.leases.commit([{ ip: n, mac: '52:54:00:00:00:' + String(n).padStart(2, '0'), network: 'rack', state: 'bound', start: 0, expires: 1 }]);
    process.kill(process.pid, 'SIGKILL');`;
  assert.throws(() => execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' }));
  remount('ro');
  const { store, codes } = await served();
  assert.equal((await store.leases.load()).length, 50);
  await assert.rejects(store.leases.commit([numbered(60)]), { code: 'STATE_UNAVAILABLE' });
  await store.events.save([offer(1)]).then(() => assert.fail('it may not be written'), unavailable(/./));
  assert.deepEqual(new Set(codes), new Set(['STATE_UNAVAILABLE']));
  remount('rw');
  await until(() => commits(store, 60));
  assert.equal((await store.leases.load()).length, 51);
  await until(() => codes.includes('STATE_AVAILABLE'));
  await store.close();
});

test('a folder that cannot be made yet is made once it can', async () => {
  remount('ro');
  const { store, codes } = await served();
  await assert.rejects(store.leases.load(), unavailable(/./));
  await assert.rejects(store.leases.commit([numbered(1)]), unavailable(/./));
  remount('rw');
  await until(() => commits(store, 1));
  assert.equal((await store.leases.load()).length, 1);
  assert(codes.includes('STATE_AVAILABLE'));
  await store.close();
});
