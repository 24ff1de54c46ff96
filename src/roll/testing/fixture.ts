import { type Roll, type RollNode, waitingNode } from '../record.ts';

/** The image that rolls of tests bring, and the one that was. */
export const NEW_IMAGE = 'b'.repeat(64);
export const OLD_IMAGE = 'a'.repeat(64);

/** A node of a roll that has not been begun. */
export function aRollNode(node: string, more: Partial<RollNode> = {}): RollNode {
  return { ...waitingNode(node, NEW_IMAGE, 0), before: OLD_IMAGE, ...more };
}

/** A roll over these nodes that is about to begin. */
export function aRoll(nodes: readonly string[], more: Partial<Roll> = {}): Roll {
  return {
    id: 'r1',
    begunAt: 0,
    endedAt: null,
    state: 'running',
    endsAs: 'stopped',
    note: null,
    maxUnavailable: 1,
    bootMs: 1_200_000,
    failures: 0,
    policy: 'wait',
    keepPins: false,
    takesBack: null,
    nodes: nodes.map((name) => aRollNode(name)),
    ...more,
  };
}
