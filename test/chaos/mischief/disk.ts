import { setTimeout as sleep } from 'node:timers/promises';
import { linger, type Mischief, type Stage, untilDown } from '../stage.ts';

/** Keeps the disk full for a time, whatever the server makes room for. */
async function keepFull({ disk, random }: Stage): Promise<void> {
  for (const end = Date.now() + random.between(2500, 4500); Date.now() < end; await sleep(100)) disk.fill();
}

export const diskFull: Mischief = {
  name: 'disk full',
  served: 'reserved',
  async run(stage) {
    stage.disk.fill();
    stage.begun();
    await keepFull(stage);
    stage.disk.free();
    stage.over();
  },
};

/** The server is killed and starts on a full disk. */
export const diskFullAtStart: Mischief = {
  name: 'disk full at start',
  served: 'nothing',
  ends: true,
  async run(stage) {
    const { disk, server } = stage;
    disk.fill();
    stage.begun();
    server.kill('SIGKILL');
    await untilDown(server);
    await keepFull(stage);
    await keepFull(stage);
    disk.free();
    stage.over();
  },
};

/** The kernel makes the file system read-only after an error; an operator checks and mounts it, and starts the server anew. */
export const diskAborted: Mischief = {
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
export const diskReadOnlyAtStart: Mischief = {
  name: 'disk read-only at start',
  served: 'nothing',
  ends: true,
  async run({ disk, server, random, begun, over }) {
    begun();
    await server.stop('SIGKILL');
    disk.remount('ro');
    void server.start().catch(() => {});
    await linger(random, 4000, 6000);
    disk.remount('rw');
    over();
  },
};
