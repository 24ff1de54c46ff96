import { randomUUID } from 'node:crypto';
import type { WithCloud } from '../cloud/expected.ts';
import { confirmMove, disableService, enableService, migrateCold, migrateLive } from '../cloud/instances.ts';
import { ReveilleError } from '../errors.ts';
import type { Orders } from '../node/orders.ts';
import type { Action, Failure } from './actions.ts';

/** A node that was seen waiting takes its order within this time, or has just turned away. */
const TAKEN_MS = 5000;

/** Does what a roll decided; gives what went wrong in words. */
export function createAct(
  withCloud: WithCloud,
  orders: Pick<Orders, 'give'>,
): (action: Action) => Promise<Failure | undefined> {
  return async (action) => {
    if (action.kind === 'reboot') {
      const order = { id: randomUUID(), what: 'reboot' } as const;
      const taken = await orders.give(action.node, order, AbortSignal.timeout(TAKEN_MS));
      return taken ? undefined : { refused: true, words: 'it did not take the order to reboot' };
    }
    try {
      await withCloud((session) => {
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
      return undefined;
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
      return { refused: error.code === 'CLOUD_REFUSED', words: error.message };
    }
  };
}
