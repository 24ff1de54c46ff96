import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ReveilleError } from '../../src/errors.ts';
import { openEventLog } from '../../src/state/eventLog.ts';
import { openStore } from '../../src/state/store.ts';
import { lease, offer } from '../../src/state/storeContract.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');

/** A disk of one megabyte, all for this test. */
let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'reveille-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
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
  writeFileSync(join(disk, 'filler'), new Uint8Array(bavail * bsize));
}

const numbered = (n: number) => ({ ...lease(n, n % 256), network: `network ${n >> 8}` });

test('a full disk refuses leases in words, loses none that it took, and goes on once there is room', async () => {
  const store = await openStore(join(disk, 'state'));
  const taken: number[] = [];
  for (let n = 1; n <= 20; n++) {
    await store.commit([numbered(n)]);
    taken.push(n);
  }
  fillDisk();
  let refused = 0;
  for (let n = 21; n <= 1000 && refused < 3; n++) {
    try {
      await store.commit([numbered(n)]);
      taken.push(n);
    } catch (error) {
      unavailable(/reveille\.db cannot grow: the disk is full/)(error);
      refused++;
    }
  }
  assert.equal(refused, 3);
  assert.deepEqual(new Set((await store.load()).map(({ ip }) => ip)), new Set(taken.map((n) => numbered(n).ip)));

  rmSync(join(disk, 'filler'));
  await store.commit([numbered(2000)]);
  taken.push(2000);
  await store.close();
  const again = await openStore(join(disk, 'state'));
  assert.deepEqual(new Set((await again.load()).map(({ ip }) => ip)), new Set(taken.map((n) => numbered(n).ip)));
  await again.close();
});

test('events wait while the disk is full', async () => {
  const store = await openStore(join(disk, 'state'));
  const log = openEventLog(store, { onDropped: () => assert.fail('nothing had to be dropped') });
  await store.saveEvents([offer(0)]);
  fillDisk();
  for (let at = 1; at < 2000; at++) log.append(offer(at, { node: `node${at}` }));
  await log.flush();
  const saved = (await store.events({ limit: 5000 })).length;
  assert(saved < 2000, 'the disk was full');
  rmSync(join(disk, 'filler'));
  await log.close();
  const events = await store.events({ limit: 5000 });
  assert.deepEqual(
    events.map(({ at }) => at),
    Array.from({ length: 2000 }, (_, at) => at),
  );
  await store.close();
});

test('a disk that is full from the start, and one that is mounted read-only, are told in words', async () => {
  fillDisk();
  await assert.rejects(openStore(join(disk, 'state')), unavailable(/the disk is full/));
  const readOnly = mkdtempSync(join(tmpdir(), 'reveille-read-only-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', readOnly]);
  await assert.rejects(openStore(join(readOnly, 'state')), unavailable(/its file system is mounted read-only/));
  await assert.rejects(openStore(readOnly), unavailable(/its file system is mounted read-only/));
  execFileSync('umount', [readOnly]);
  rmSync(readOnly, { recursive: true });
});
