import { randomUUID } from 'node:crypto';
import type { Orders } from './orders.ts';

/** A node that is missed is asked again after this time, then after twice as long each time, up to the longest. */
const FIRST_MS = 30_000;
const LONGEST_MS = 15 * 60_000;
/** A node that is between two questions asks again within this time. */
const ABSENCE_MS = 5000;

/**
 * Asks running nodes what the logs of their services say: at once, and less and less often while it goes on. `askedFor` names
 * what it is about (the boot): another one begins anew. `now` is in milliseconds.
 */
export function askForLogs(orders: Pick<Orders, 'give'>, now: () => number): (node: string, askedFor: number) => void {
  const asked = new Map<string, { readonly askedFor: number; readonly next: number; readonly waitMs: number }>();
  return (node, askedFor) => {
    const last = asked.get(node);
    const again = last?.askedFor === askedFor ? last : undefined;
    if (again && now() < again.next) return;
    const waitMs = Math.min(again ? again.waitMs * 2 : FIRST_MS, LONGEST_MS);
    asked.set(node, { askedFor, next: now() + waitMs, waitMs });
    // A node that does not wait for orders is asked the next time.
    void orders.give(node, { id: randomUUID(), what: 'logs' }, AbortSignal.timeout(ABSENCE_MS));
  };
}
