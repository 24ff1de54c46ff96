import { type Disturbance, linger, type Stage, untilDown } from '../stage.ts';

async function kill({ server, begun, over }: Stage): Promise<void> {
  begun();
  server.kill('SIGKILL');
  await untilDown(server);
  over();
}

/** `kill -9` at any moment under load. */
export const killed: Disturbance = { name: 'kill -9', served: 'nothing', ends: true, run: kill };

/** `kill -9` again while it starts: in the middle of reading the state or binding its ports. */
export const killedTwice: Disturbance = {
  name: 'kill -9, again at start',
  served: 'nothing',
  ends: true,
  async run(stage) {
    stage.begun();
    stage.server.kill('SIGKILL');
    await untilDown(stage.server);
    while (stage.server.pid === 0) await linger(stage.random, 5, 10);
    await linger(stage.random, 50, 1500);
    stage.server.kill('SIGKILL');
    await untilDown(stage.server);
    stage.over();
  },
};

/** The whole process stands still, as a machine that swaps or a guest that is moved. */
export const paused: Disturbance = {
  name: 'pause',
  served: 'nothing',
  async run({ server, random, begun, over }) {
    begun();
    server.kill('SIGSTOP');
    await linger(random, 1000, 4000);
    server.kill('SIGCONT');
    over();
  },
};
