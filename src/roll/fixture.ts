import type { Roll, RollNode } from './record.ts';

/** The image that rolls of tests bring, and the one that was. */
export const NEW_IMAGE = 'b'.repeat(64);
export const OLD_IMAGE = 'a'.repeat(64);

/** A node of a roll that has not been begun. */
export function aRollNode(node: string, more: Partial<RollNode> = {}): RollNode {
  return {
    node,
    phase: 'waiting',
    since: 0,
    words: '',
    image: NEW_IMAGE,
    before: OLD_IMAGE,
    pinBefore: null,
    out: false,
    disabled: false,
    askedAt: null,
    attempts: 0,
    orders: 0,
    remaining: null,
    rebootFrom: null,
    moves: {},
    restoreTo: 'failed',
    ...more,
  };
}

/** A roll over these nodes that is about to begin. */
export function aRoll(nodes: readonly string[], more: Partial<Roll> = {}): Roll {
  return {
    id: 'r1',
    begunAt: 0,
    endedAt: null,
    state: 'running',
    endsAs: 'stopped',
    words: '',
    maxUnavailable: 1,
    failures: 0,
    policy: 'wait',
    keepPins: false,
    takesBack: null,
    nodes: nodes.map((name) => aRollNode(name)),
    ...more,
  };
}
