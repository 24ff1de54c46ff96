import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Random } from '../../rig/random.ts';
import { type Disturbance, database, linger, untilDown } from '../stage.ts';

type Damage = readonly [what: string, damage: (file: string, random: Random) => void];

const DAMAGES: readonly Damage[] = [
  ['bytes overwritten', overwrite],
  ['header overwritten', (file, random) => put(file, 0, random.bytes(100))],
  ['cut', (file, random) => truncateSync(file, random.pick([0, 50, 4096, 10_000]))],
  ['replaced by junk', replace],
  ['WAL removed', (file) => rmSync(`${file}-wal`, { force: true })],
  ['WAL overwritten', (file, random) => existsSync(`${file}-wal`) && overwrite(`${file}-wal`, random)],
];

const whileRunning = ([what, damage]: Damage): Disturbance => ({
  name: `database: ${what}`,
  served: 'reserved',
  destroys: true,
  async run(stage) {
    stage.begun();
    damage(database(stage), stage.random);
    await linger(stage.random, 1500, 3000);
    stage.over();
  },
});

const whileStopped = ([what, damage]: Damage): Disturbance => ({
  name: `database: ${what}, stopped`,
  served: 'nothing',
  ends: true,
  destroys: true,
  async run(stage) {
    stage.begun();
    stage.server.kill('SIGKILL');
    await untilDown(stage.server);
    damage(database(stage), stage.random);
    stage.over();
  },
});

/** Another program holds the database for a while. */
export const databaseLocked: Disturbance = {
  name: 'database: locked',
  served: 'reserved',
  async run(stage) {
    const db = new DatabaseSync(database(stage), { timeout: 5000 });
    db.exec('begin immediate');
    stage.begun();
    await linger(stage.random, 2500, 4500);
    db.exec('rollback');
    db.close();
    stage.over();
  },
};

export const databaseBroken: readonly Disturbance[] = [...DAMAGES.map(whileRunning), ...DAMAGES.map(whileStopped)];

function overwrite(file: string, random: Random): void {
  const fd = openSync(file, 'r');
  const { size } = fstatSync(fd);
  closeSync(fd);
  for (let i = random.between(1, 20); i > 0; i--)
    put(file, random.below(Math.max(1, size)), random.bytes(random.between(1, 512)));
}

function put(file: string, at: number, bytes: Buffer): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

function replace(file: string, random: Random): void {
  writeFileSync(`${file}.junk`, random.bytes(20_000));
  renameSync(`${file}.junk`, file);
}
