import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { hasLostTransactions } from './writtenAhead.ts';

let folder: string;
let path: string;
let log: Buffer;
const FRAME = 24 + 4096;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'reveille-log-'));
  path = join(folder, 'db-wal');
  const db = new DatabaseSync(join(folder, 'db'));
  db.exec('pragma journal_mode = wal; create table t (x)');
  // Two generations: after a checkpoint the log begins anew, and the old frames stay behind the new ones.
  const insert = db.prepare('insert into t values (?)');
  for (let n = 0; n < 60; n++) insert.run('y'.repeat(3000));
  db.exec('pragma wal_checkpoint');
  for (let n = 0; n < 20; n++) insert.run('z'.repeat(3000));
  log = readFileSync(path);
  db.close();
  assert(log.length > 60 * FRAME);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Whether transactions are lost from the log as `change` leaves it. */
function lostBy(change: (log: Buffer) => Buffer): boolean {
  const copy = Buffer.from(log);
  writeFileSync(path, change(copy));
  return hasLostTransactions(path);
}

/** The place of a frame of the newest generation. */
const frame = (n: number): number => 32 + n * FRAME;

test('a log as SQLite left it has lost nothing, nor has one whose end is torn', () => {
  assert.equal(
    lostBy((all) => all),
    false,
  );
  assert.equal(
    lostBy((all) => all.subarray(0, 0)),
    false,
  );
  for (let cut = 32; cut < frame(12); cut += 1009)
    assert.equal(
      lostBy((all) => all.subarray(0, cut)),
      false,
    );
});

test('a log with bytes overwritten has lost what came after them', () => {
  for (const n of [0, 1, 3, 7])
    for (const offset of [0, 8, 13, 16, 24, 2000, 4100])
      assert.equal(
        lostBy((all) => all.fill(0x5a, frame(n) + offset, frame(n) + offset + 8)),
        true,
        `${n} ${offset}`,
      );
  assert.equal(
    lostBy((all) => all.fill(0, 0, 4)),
    true,
  );
  assert.equal(
    lostBy((all) => all.fill(0, 16, 20)),
    true,
  );
  assert.equal(
    lostBy(() => Buffer.from('no log'.repeat(10_000))),
    true,
  );
});
