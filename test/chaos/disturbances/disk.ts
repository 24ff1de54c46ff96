import { setTimeout as sleep } from 'node:timers/promises';
import { type Disturbance, linger, type Stage, untilDown } from '../stage.ts';

/** Keeps the disk full for a time, whatever the server makes room for. */
async function keepFull({ disk }: Stage, ms: number): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) disk.fill();
}

export const diskFull: Disturbance = {
  name: 'disk full',
  served: 'reserved',
  async run(stage) {
    stage.disk.fill();
    stage.begun();
    await keepFull(stage, stage.random.between(2500, 4500));
    stage.disk.free();
    stage.over();
  },
};

/** The server is killed and starts on a full disk: nodes with addresses of their own boot all the same. */
export const diskFullAtStart: Disturbance = {
  name: 'disk full at start',
  served: 'reserved',
  ends: true,
  async run(stage) {
    const { disk, server, upMs } = stage;
    disk.fill();
    server.kill('SIGKILL');
    await untilDown(server);
    await keepFull(stage, upMs);
    stage.begun();
    await keepFull(stage, stage.random.between(2500, 4500));
    disk.free();
    stage.over();
  },
};

/** The kernel makes the file system read-only after an error; an operator checks and mounts it, and starts the server anew. */
export const diskAborted: Disturbance = {
  name: 'disk read-only',
  served: 'reserved',
  ends: true,
  needsRoot: true,
  async run({ disk, server, random, begun, over }) {
    begun();
    disk.abort();
    await linger(random, 2500, 4500);
    await server.stop('SIGKILL');
    disk.repair();
    over();
    void server.start().catch(() => {});
  },
};

/** The server starts on a disk that is mounted read-only, and the disk becomes writable then. */
export const diskReadOnlyAtStart: Disturbance = {
  name: 'disk read-only at start',
  served: 'reserved',
  ends: true,
  async run({ disk, server, random, upMs, begun, over }) {
    await server.stop('SIGKILL');
    disk.remount('ro');
    void server.start().catch(() => {});
    await sleep(upMs);
    begun();
    await linger(random, 2500, 4500);
    disk.remount('rw');
    over();
  },
};
