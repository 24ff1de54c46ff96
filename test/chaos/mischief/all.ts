import type { Mischief } from '../stage.ts';
import { clockSteps } from './clock.ts';
import { databaseBroken, databaseLocked } from './database.ts';
import { noDescriptors } from './descriptors.ts';
import { diskAborted, diskFull, diskFullAtStart, diskReadOnlyAtStart } from './disk.ts';
import { killed, killedTwice, paused } from './kill.ts';
import { interfaceLoss } from './network.ts';
import { siteBroken } from './site.ts';

/** By kind: each kind is as likely as another. */
export const MISCHIEFS: Readonly<Record<string, readonly Mischief[]>> = {
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
