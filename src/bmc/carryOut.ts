import { setTimeout as after } from 'node:timers/promises';
import { ReveilleError } from '../errors.ts';
import type { BmcSession, Power } from './session.ts';

/** What an operator asks of a machine's BMC. */
export const POWER_ORDERS = ['status', 'on', 'off', 'cycle', 'pxe'] as const;
export type PowerOrder = (typeof POWER_ORDERS)[number];

/** How long a machine may take to follow, and how often it is polled meanwhile; milliseconds. */
const FOLLOWS_MS = 60_000;
const LOOK_MS = 1000;

type Wait = (ms: number) => Promise<unknown>;

/**
 * Carries out an order and returns the machine's power state afterwards. A state that is reached already is not ordered again;
 * `cycle` starts a machine that is off. Throws as the session does, and BMC_REFUSED if the machine does not follow.
 */
export async function carryOut(bmc: BmcSession, order: PowerOrder, wait: Wait = after): Promise<Power> {
  if (order === 'pxe') await bmc.bootFromNetworkOnce();
  const power = await bmc.power();
  if (order === 'status' || order === 'pxe' || order === power) return power;
  if (order !== 'cycle') return become(bmc, order, wait);
  if (power === 'off') return become(bmc, 'on', wait);
  try {
    await bmc.change('cycle');
    return await follows(bmc, 'on', wait);
  } catch (error) {
    // Power cycle is optional for a BMC (IPMI 2.0, 28.3).
    if (!(error instanceof ReveilleError) || error.code !== 'BMC_UNSUPPORTED') throw error;
    await become(bmc, 'off', wait);
    return become(bmc, 'on', wait);
  }
}

/**
 * Restarts a machine that hangs, from the network. If the BMC cannot choose the boot device, the firmware's own order decides.
 */
export async function restartFromNetwork(bmc: BmcSession, wait: Wait = after): Promise<void> {
  await bmc.bootFromNetworkOnce().catch((error: unknown) => {
    if (!(error instanceof ReveilleError) || error.code !== 'BMC_UNSUPPORTED') throw error;
  });
  await carryOut(bmc, 'cycle', wait);
}

async function become(bmc: BmcSession, wanted: Power, wait: Wait): Promise<Power> {
  await bmc.change(wanted);
  return follows(bmc, wanted, wait);
}

async function follows(bmc: BmcSession, wanted: Power, wait: Wait): Promise<Power> {
  for (let waited = 0; waited < FOLLOWS_MS; waited += LOOK_MS) {
    if ((await bmc.power()) === wanted) return wanted;
    await wait(LOOK_MS);
  }
  throw new ReveilleError(
    'BMC_REFUSED',
    `it took the order, and the machine is not ${wanted} after ${FOLLOWS_MS / 1000} s`,
  );
}
