import { randomUUID } from 'node:crypto';
import type { WithCloud } from '../cloud/expected.ts';
import { confirmMove, disableService, enableService, migrateCold, migrateLive } from '../cloud/instances.ts';
import { type ErrorCode, ReveilleError } from '../errors.ts';
import type { Orders } from '../node/orders.ts';
import type { Action, CloudAction, Failure } from './actions.ts';

/** A node that was seen waiting takes its order within this time, or has just turned away. */
const TAKEN_MS = 5000;

/** What a BMC cannot or may not do now it will not do when it is asked again; wrong passwords may lock an account besides. */
const IN_VAIN: ReadonlySet<ErrorCode> = new Set([
  'BMC_LOGIN_REFUSED',
  'BMC_UNSUPPORTED',
  'BMC_MISSING',
  'FILE_MISSING',
  'SECRET_INVALID',
  'SECRET_MISSING',
  'TOOL_MISSING',
]);

/** Does what a roll decided; gives what went wrong. `powerCycle` has a node start anew from the network, by its BMC. */
export function createAct(
  withCloud: WithCloud,
  orders: Pick<Orders, 'give'>,
  powerCycle: (node: string) => Promise<void>,
): (action: Action) => Promise<Failure | undefined> {
  return async (action) => {
    if (action.kind === 'reboot') {
      const order = { id: randomUUID(), what: 'reboot' } as const;
      const taken = await orders.give(action.node, order, AbortSignal.timeout(TAKEN_MS));
      return taken ? undefined : { refused: true, why: { code: 'order-untaken' } };
    }
    try {
      await (action.kind === 'power-cycle' ? powerCycle(action.node) : inCloud(withCloud, action));
      return undefined;
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
      const { code, message } = error;
      const why = { code: 'error', error: code, message } as const;
      return { refused: code === 'CLOUD_REFUSED' || IN_VAIN.has(code), why };
    }
  };
}

function inCloud(withCloud: WithCloud, action: CloudAction): Promise<void> {
  return withCloud((session) => {
    switch (action.kind) {
      case 'disable':
        return disableService(session, action.service, action.reason);
      case 'enable':
        return enableService(session, action.service);
      case 'migrate-live':
        return migrateLive(session, action.instance);
      case 'migrate-cold':
        return migrateCold(session, action.instance);
      case 'confirm':
        return confirmMove(session, action.instance);
    }
  });
}
