import { randomUUID } from 'node:crypto';
import type { Orders } from './orders.ts';

/**
 * Most boots come into service without help within this time, and reporting logs costs a starting node seconds. A node that is
 * not in service then is asked, again after twice as long, and so on up to the longest interval.
 */
const FIRST_MS = 30_000;
const LONGEST_MS = 15 * 60_000;
/** A node between two requests asks again within this time. */
const ABSENCE_MS = 5000;

/**
 * Asks running nodes for the logs of their services: after a while, and at growing intervals while it goes on. `askedFor`
 * identifies the boot: another boot starts again. `now` is in milliseconds.
 */
export function askForLogs(orders: Pick<Orders, 'give'>, now: () => number): (node: string, askedFor: number) => void {
  const asked = new Map<string, { readonly askedFor: number; readonly next: number; readonly waitMs: number }>();
  return (node, askedFor) => {
    const last = asked.get(node);
    if (last?.askedFor !== askedFor) {
      asked.set(node, { askedFor, next: now() + FIRST_MS, waitMs: FIRST_MS });
      return;
    }
    if (now() < last.next) return;
    const waitMs = Math.min(last.waitMs * 2, LONGEST_MS);
    asked.set(node, { askedFor, next: now() + waitMs, waitMs });
    // A node without a waiting request is asked the next time.
    void orders.give(node, { id: randomUUID(), what: 'logs' }, AbortSignal.timeout(ABSENCE_MS));
  };
}
