import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../rig/random.ts';
import type { Server } from '../rig/server.ts';
import type { Disk } from './disk.ts';

/** What a disturbance may lay its hands on. */
export type Stage = {
  readonly server: Server;
  /** The disk with the state folder, which is `<disk>/state`. */
  readonly disk: Disk;
  readonly site: string;
  /** The file that sets the server's clock: an offset in seconds (see libfaketime). */
  readonly clock: string;
  readonly random: Random;
  /** Within this time after its end the server is up again, restart included, if nothing keeps it. */
  readonly upMs: number;
  /** From here on it lasts; until then all goes its way. */
  begun(): void;
  /** From here on the server can recover. */
  over(): void;
};

/** What the server must go on doing meanwhile. */
export type Served = 'nothing' | 'reserved' | 'all';

export type Disturbance = {
  readonly name: string;
  readonly served: Served;
  /** The process ends by it, and is started again. */
  readonly ends?: boolean;
  /** It destroys records: what the server does not bring back by itself is not called lost, and an operator brings back a copy. */
  readonly destroys?: boolean;
  /** Needs root of the machine: loop devices. */
  readonly needsRoot?: boolean;
  /** Does it, and puts all right again that is not the server's. */
  run(stage: Stage): Promise<void>;
};

export const database = (stage: Pick<Stage, 'disk'>): string => join(stage.disk.state, 'reveille.db');

/** Waits for a time between the two. */
export function linger(random: Random, least: number, most: number): Promise<void> {
  return sleep(random.between(least, most));
}

/** Waits until the server's process has ended. */
export async function untilDown(server: Server): Promise<void> {
  while (server.pid !== 0) await sleep(5);
}
