import type { Disturbance } from '../stage.ts';
import { clockSteps } from './clock.ts';
import { databaseBroken, databaseLocked } from './database.ts';
import { noDescriptors } from './descriptors.ts';
import { diskAborted, diskFull, diskFullAtStart, diskReadOnlyAtStart } from './disk.ts';
import { killed, killedTwice, paused } from './kill.ts';
import { interfaceLoss } from './network.ts';
import { siteBroken } from './site.ts';

/** By kind: each kind is as likely as another. */
export const DISTURBANCES: Readonly<Record<string, readonly Disturbance[]>> = {
  kill: [killed, killed, killedTwice],
  pause: [paused],
  full: [diskFull, diskFullAtStart],
  readOnly: [diskAborted, diskReadOnlyAtStart],
  database: [...databaseBroken, databaseLocked],
  descriptors: [noDescriptors],
  clock: clockSteps,
  interface: interfaceLoss,
  site: [siteBroken],
};
