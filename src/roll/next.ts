import type { ActionFailure, NodeNote, RollNote } from '../model/rollNote.ts';
import type { Action, Failure } from './actions.ts';
import { advance, begin, isBeforeReboot, restore, type Step } from './node.ts';
import { isUnderWay, type PinChanges, type Roll, type RollLimits, type RollNode } from './record.ts';
import type { Seen } from './seen.ts';

/** The record after one more look: it is to be kept, with the pins, before any of the actions is done. */
export type Next = { readonly roll: Roll; readonly actions: readonly Action[]; readonly pins: PinChanges };

/**
 * One turn of a roll: every node under way takes its step, then as many new ones are begun as may be out of service. A roll
 * whose failures are used up begins no more: nodes not yet rebooted go back into service, the others end. Pure.
 */
export function next(roll: Roll, seen: Seen): Next {
  const { now } = seen;
  const actions: Action[] = [];
  const pins = new Map<string, string | null>();
  const nodes = [...roll.nodes];
  let stop: RollNote | undefined;
  const take = (index: number, step: Step): void => {
    nodes[index] = step.node;
    actions.push(...step.actions);
    if (step.pin !== undefined) pins.set(step.node.node, step.pin);
    if (step.stop) stop = { code: 'stopped-by-node', node: step.node.node, why: step.node.note };
  };
  const each = (visit: (node: RollNode, index: number) => void): void => [...nodes].forEach(visit);

  each((node, i) => {
    if (isUnderWay(node)) take(i, advance(roll, node, seen));
  });

  const failed = nodes.filter(hasFailed).length;
  if (roll.state === 'running' && failed > roll.failures) {
    stop ??= { code: 'too-many-failed', failed, allowed: roll.failures };
  }
  let current: Roll =
    stop !== undefined && roll.state === 'running' ? { ...roll, state: 'stopping', note: stop } : roll;

  if (current.state === 'stopping') {
    each((node, i) => {
      if (isBeforeReboot(node)) take(i, restore(node, 'left', { code: 'stopped-before-reboot' }, now));
    });
  } else {
    // One that an earlier attempt left out of service takes no more of it away.
    const free = () => current.maxUnavailable - nodes.filter(({ out }) => out).length;
    each((node, i) => {
      if (node.phase === 'waiting' && (node.out || free() > 0))
        take(i, begin(roll, node, seen.nodes.get(node.node), now));
    });
    const isBlocked = !nodes.some(isUnderWay) && free() <= 0 && nodes.some(({ phase }) => phase === 'waiting');
    if (isBlocked) {
      const out = nodes.filter((node) => node.out).length;
      current = { ...current, state: 'stopping', note: { code: 'too-many-out', out } };
    }
  }
  return { roll: ended({ ...current, nodes }, now), actions, pins };
}

/** The record once an action has failed; what has been done shows by itself at the next look. */
export function noted(roll: Roll, action: Action, { refused, why }: Failure): Roll {
  const note: NodeNote = { code: 'action-failed', failure: why };
  const change = (node: RollNode): RollNode => {
    if (node.node !== action.node) return node;
    if (action.kind === 'reboot') return { ...node, askedAt: null, orders: node.orders - 1, note };
    if (action.kind === 'power-cycle') return cycleFailed(node, refused, messageOf(why));
    const move = 'instance' in action ? node.moves[action.instance] : undefined;
    if (!move || action.kind === 'confirm' || !('instance' in action)) return { ...node, note };
    // Only an answered request counts as a try.
    const after = refused ? { ...move, refused: messageOf(why) } : { ...move, tries: move.tries - 1 };
    return { ...node, note, moves: { ...node.moves, [action.instance]: after } };
  };
  return { ...roll, nodes: roll.nodes.map(change) };
}

/** What the cloud, the node or the BMC answered. */
function messageOf(failure: ActionFailure): string {
  return failure.code === 'error' ? failure.message : '';
}

/** A refused action was not done. Whether a BMC acted that did not answer is not known: it is asked again. */
function cycleFailed(node: RollNode, refused: boolean, message: string): RollNode {
  const note: NodeNote = { code: 'cycle-failed', message };
  if (!refused) return { ...node, note, cycle: null };
  return { ...node, note, orders: node.orders - 1, cycle: { askedAt: node.askedAt ?? node.since, refused: message } };
}

/** Begins no more nodes; those that have not been rebooted go back into service. */
export function aborted(roll: Roll): Roll {
  return { ...roll, state: 'stopping', endsAs: 'aborted', note: { code: 'aborted' } };
}

/** A roll that stopped goes on, within its limits but for those given anew: nodes that failed or were left are tried again. */
export function resumed(roll: Roll, limits: Partial<RollLimits>, now: number): Roll {
  const again = (node: RollNode): RollNode =>
    node.phase === 'failed' || node.phase === 'left'
      ? { ...node, phase: 'waiting', since: now, note: { code: 'tried-again' }, askedAt: null }
      : node;
  const nodes = roll.nodes.map(again);
  return { ...roll, ...limits, state: 'running', endsAs: 'stopped', endedAt: null, note: null, nodes };
}

function hasFailed({ phase, restoreTo }: RollNode): boolean {
  return phase === 'failed' || (phase === 'restoring' && restoreTo === 'failed');
}

function ended(roll: Roll, now: number): Roll {
  const { nodes } = roll;
  if (nodes.some(isUnderWay)) return roll;
  const waits = nodes.some(({ phase }) => phase === 'waiting');
  if (roll.state === 'running') {
    if (waits) return roll;
    const failed = nodes.filter(({ phase }) => phase === 'failed').length;
    const note: RollNote | null = failed === 0 ? null : { code: 'some-failed', failed };
    return { ...roll, state: 'done', endedAt: now, note };
  }
  const leave = (node: RollNode): RollNode =>
    node.phase === 'waiting' ? { ...node, phase: 'left', since: now, note: { code: 'not-begun' } } : node;
  return { ...roll, state: roll.endsAs, endedAt: now, nodes: nodes.map(leave) };
}
