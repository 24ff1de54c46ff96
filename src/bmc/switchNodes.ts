import { type ErrorCode, ReveilleError } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import type { SiteSecrets } from '../node/siteSecrets.ts';
import { carryOut, type PowerOrder } from './carryOut.ts';
import { openBmc } from './open.ts';
import type { Power } from './session.ts';

/** How one node's BMC followed. `power` is how it said the machine is at last, null where it did not. */
export type PowerResult = {
  readonly node: string;
  /** `ipmi 10.1.0.51`; null for a node without. */
  readonly bmc: string | null;
  readonly power: Power | null;
  readonly result: 'done' | 'failed' | 'would be done';
  readonly detail: string | null;
  readonly code: ErrorCode | null;
};

export type SwitchFrom = {
  readonly secrets: SiteSecrets;
  readonly dryRun?: boolean;
  /** Ends the giving of orders; those that were given are carried out. */
  readonly gone?: AbortSignal;
};

/** So many BMCs are asked at once: each is a process of ipmitool. */
const AT_ONCE = 16;

const DONE_WORDS: { readonly [O in PowerOrder]: string } = {
  status: '',
  on: '',
  off: '',
  cycle: 'power cycled',
  pxe: 'the next start is from the network',
};

/** Gives an order to the BMCs of nodes, some at once. Results come as they follow. */
export async function* switchNodes(
  nodes: readonly SiteNode[],
  order: PowerOrder,
  { secrets, dryRun = false, gone }: SwitchFrom,
): AsyncGenerator<PowerResult> {
  const waiting = [...nodes];
  const running = new Map<string, Promise<PowerResult>>();
  for (;;) {
    for (let next = waiting[0]; next && running.size < AT_ONCE && !gone?.aborted; next = waiting[0]) {
      waiting.shift();
      running.set(next.name, switchNode(next, order, secrets, dryRun));
    }
    if (running.size === 0) return;
    const result = await Promise.race(running.values());
    running.delete(result.node);
    yield result;
  }
}

async function switchNode(
  node: SiteNode,
  order: PowerOrder,
  secrets: SiteSecrets,
  dryRun: boolean,
): Promise<PowerResult> {
  const named = { node: node.name, bmc: node.bmc ? `${node.bmc.kind} ${node.bmc.address}` : null };
  try {
    const session = await openBmc(node, secrets);
    if (dryRun && order !== 'status')
      return { ...named, power: null, result: 'would be done', detail: null, code: null };
    const power = await carryOut(session, order);
    return { ...named, power, result: 'done', detail: DONE_WORDS[order] || null, code: null };
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    const detail = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
    return { ...named, power: null, result: 'failed', detail, code: error.code };
  }
}
