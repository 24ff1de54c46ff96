import type { ComputeService } from '../cloud/view.ts';
import type { BootProgress, NodeNote, NotRebooted, Phase } from '../model/rollNote.ts';
import type { Action } from './actions.ts';
import { confirmMoves, drain } from './drain.ts';
import { disabledReason, isOurReason, type Roll, type RollNode } from './record.ts';
import type { Seen, SeenNode } from './seen.ts';

/** What a step made of a node. `pin` is there where its pin changes; `stop` where the roll must stop for it. */
export type Step = {
  readonly node: RollNode;
  readonly actions: readonly Action[];
  readonly pin?: string | null;
  readonly stop?: true;
};

const MINUTE = 60_000;
/** How long a phase may last, or, while a host is emptied, may last without an instance leaving. */
const LIMITS: { readonly [P in Phase]?: number } = {
  disabling: 5 * MINUTE,
  draining: 60 * MINUTE,
  rebooting: 10 * MINUTE,
  joining: 15 * MINUTE,
  enabling: 5 * MINUTE,
  restoring: 30 * MINUTE,
};
/** With `wait`, an operator moves the instances by hand. */
const WAITING_LIMIT = 24 * 60 * MINUTE;
const ASK_AGAIN_MS = 15_000;
/** A node that took the order and still asks for more after this time has lost it. */
const REBOOT_AGAIN_MS = 90_000;
/** An agent that is there asks again within this time, whatever became of the server: it pauses 45 s at most. */
const SILENT_MS = 90_000;
/** A node that took the order has gone down by then; its agent waits as long for it. */
const GOES_DOWN_MS = 5 * MINUTE;
/** So many orders may get lost before the BMC is asked, where there is one. */
const MOST_ORDERS = 2;
/** A power cycled machine has asked for an address by then, however long its firmware takes. */
const CYCLE_AGAIN_MS = 10 * MINUTE;
/** How long `rebooting` may last once the BMC was asked. */
const CYCLING_LIMIT = 25 * MINUTE;
/**
 * Instances that the scheduler had on their way to the host are there within this time, and a host has cleared up behind the last
 * that left: until then Nova's records of the move are not closed.
 */
const SETTLE_MS = 10_000;
/** How often a host may turn out not to be empty when it is to be rebooted. */
const MOST_DRAINS = 5;

/** Begins a node: it is skipped, waits on, or leaves service. */
export function begin(roll: Roll, node: RollNode, seen: SeenNode | undefined, now: number): Step {
  if (!seen) return end(roll, node, 'skipped', { code: 'left-site' }, now);
  const { cloud, boot } = seen;
  if (cloud.kind === 'unknown') return stay({ ...node, note: { code: 'cloud-unknown', message: cloud.message } });
  const before = boot?.image !== undefined && boot.image !== node.image ? boot.image : node.before;
  const fresh: RollNode = { ...node, ...UNTOLD, before, disabled: false, moves: {}, attempts: 0, remaining: null };
  const service = cloud.kind === 'seen' ? cloud.service : undefined;
  if (isRenewed(node, seen)) {
    if (service && !service.enabled && isOurReason(service.disabledReason)) {
      return stay(enter({ ...fresh, out: true, disabled: true }, 'enabling', { code: 'runs-image' }, now));
    }
    return end(roll, node, 'skipped', { code: 'runs-image' }, now);
  }
  const out = { ...fresh, out: true };
  if (cloud.kind === 'none') return reboot(out, now);
  if (!service) return stay(enter(out, 'draining', { code: 'no-service' }, now));
  return disabling(roll, enter(out, 'disabling', { code: 'disabling' }, now), seen, now);
}

/** One more step of a node that is under way. Pure. */
export function advance(roll: Roll, node: RollNode, { now, nodes }: Seen): Step {
  const seen = nodes.get(node.node);
  if (!seen) return fail(roll, node, { code: 'left-site' }, now);
  // Without the cloud's word nothing is decided that needs it, and no time is counted.
  const needsCloud = node.phase !== 'rebooting' && node.phase !== 'booting';
  if (needsCloud && seen.cloud.kind === 'unknown') {
    return stay({ ...node, since: now, note: { code: 'cloud-unknown', message: seen.cloud.message } });
  }
  const step = PHASES[node.phase]?.(roll, node, seen, now) ?? stay(node);
  const limit = limitOf(step.node, roll);
  const isLate = step.node.phase === node.phase && limit !== undefined && now - step.node.since >= limit;
  return isLate ? fail(roll, step.node, { code: 'late', limitMs: limit, note: step.node.note }, now) : step;
}

function limitOf(node: RollNode, { policy, bootMs }: Roll): number | undefined {
  if (node.phase === 'booting') return bootMs;
  if (node.phase === 'draining' && policy === 'wait') return WAITING_LIMIT;
  return node.phase === 'rebooting' && isCycled(node) ? CYCLING_LIMIT : LIMITS[node.phase];
}

/** Takes a node out of the roll before its reboot: it goes back into service as it is. */
export function restore(node: RollNode, restoreTo: RollNode['restoreTo'], note: NodeNote | null, now: number): Step {
  return { node: { ...enter(node, 'restoring', note, now), restoreTo }, actions: [], pin: node.pinBefore };
}

/** Whether a node is out of service by the roll and may not have been ordered to reboot yet. */
export function isBeforeReboot({ phase, orders }: RollNode): boolean {
  return phase === 'disabling' || phase === 'draining' || (phase === 'rebooting' && orders === 0);
}

/** Whether there is nothing to renew: it runs the image with the files of the site, and is in service. */
export function isRenewed({ image }: Pick<RollNode, 'image'>, { boot, files, cloud }: SeenNode): boolean {
  if (boot?.state !== 'ready' || boot.image !== image || files === 'others' || files === 'failed') return false;
  return cloud.kind === 'none' || (cloud.kind === 'seen' && cloud.standing?.standing === 'in-service');
}

type PhaseStep = (roll: Roll, node: RollNode, seen: SeenNode, now: number) => Step;

const PHASES: { readonly [P in Phase]?: PhaseStep } = {
  disabling,
  draining,
  rebooting,
  booting,
  joining,
  enabling,
  restoring,
};

function disabling(roll: Roll, node: RollNode, { cloud }: SeenNode, now: number): Step {
  const service = cloud.kind === 'seen' ? cloud.service : undefined;
  if (!service) return stay(enter(node, 'draining', { code: 'no-service' }, now));
  if (!service.enabled) {
    const disabled = isOurReason(service.disabledReason);
    const note: NodeNote = { code: 'disabled', ...(disabled ? {} : { before: reasonOf(service) }) };
    return stay(enter({ ...node, disabled }, 'draining', note, now));
  }
  if (!isDue(node, now)) return stay(node);
  const action: Action = { kind: 'disable', node: node.node, service: service.id, reason: disabledReason(roll) };
  return { node: { ...node, disabled: true, askedAt: now }, actions: [action] };
}

function draining(roll: Roll, node: RollNode, { cloud }: SeenNode, now: number): Step {
  if (cloud.kind === 'none') return reboot(node, now);
  if (cloud.kind !== 'seen' || cloud.instances === undefined) return stay(node);
  if (cloud.service?.enabled) return fail(roll, node, { code: 'enabled-meanwhile' }, now);
  const { state, note, moves, remaining, actions } = drain(node, roll.policy, cloud.instances, cloud.moved, now);
  const gotOn = node.remaining !== null && remaining < node.remaining;
  const since = gotOn ? now : node.since;
  const drained: RollNode = { ...node, moves, remaining, note, since };
  if (state === 'stop') return { ...restore(drained, 'failed', note, now), stop: true };
  if (state === 'busy' || now - since < SETTLE_MS) return { node: drained, actions };
  if (cloud.unended) return stay({ ...drained, note: { code: 'moves-unended', moves: cloud.unended } });
  if (node.attempts >= MOST_DRAINS) return fail(roll, drained, { code: 'instances-keep-coming' }, now);
  return reboot({ ...drained, attempts: node.attempts + 1 }, now);
}

/** It is pinned in the same step, so that the next boot has the wanted image. */
function reboot(node: RollNode, now: number): Step {
  const next = enter({ ...node, ...UNTOLD, rebootFrom: now }, 'rebooting', { code: 'to-reboot' }, now);
  return { node: next, actions: [], pin: node.image };
}

/** Of a node that has not been ordered to reboot in any way. */
const UNTOLD = { orders: 0, deafSince: null, cycle: null } as const;

/** By its agent, and by its BMC where the agent does not do it: only ever while the cloud shows the node empty. */
function rebooting(roll: Roll, before: RollNode, seen: SeenNode, now: number): Step {
  const { boot, cloud } = seen;
  if (boot && boot.startedAt > (before.rebootFrom ?? now)) {
    const note: NodeNote = { code: 'boots', boot: progressOf(boot), ...(isCycled(before) ? { cycled: true } : {}) };
    return stay(enter(before, 'booting', note, now));
  }
  const node = { ...before, deafSince: seen.listens ? null : (before.deafSince ?? now) };
  const isWaitedFor = node.askedAt !== null && now - node.askedAt < REBOOT_AGAIN_MS;
  if (isWaitedFor) return stay(node);
  if (cloud.kind === 'unknown') {
    const since = node.orders === 0 ? now : node.since;
    return stay({ ...node, since, note: { code: 'cloud-unknown', message: cloud.message } });
  }
  if (cloud.kind === 'seen') {
    if (cloud.instances === undefined) return stay(node);
    if (cloud.service?.enabled && node.orders === 0) {
      return fail(roll, node, { code: 'enabled-meanwhile' }, now);
    }
    const { state, note, remaining } = drain(node, roll.policy, cloud.instances, cloud.moved, now);
    if (state !== 'empty') {
      return node.orders === 0
        ? stay(enter({ ...node, remaining }, 'draining', note, now))
        : stay({ ...node, note: { code: 'not-empty-again', drain: note } });
    }
    if (cloud.unended) return stay({ ...node, note: { code: 'moves-unended', moves: cloud.unended } });
  }
  const ordered = { ...node, askedAt: now, orders: node.orders + 1 };
  switch (wayToReboot(node, seen, now)) {
    case 'agent':
      return {
        node: { ...ordered, note: { code: 'ordered-to-reboot' } },
        actions: [{ kind: 'reboot', node: node.node }],
      };
    case 'bmc': {
      return {
        node: { ...ordered, cycle: { askedAt: now }, note: { code: 'power-cycled', why: whyNot(node) } },
        actions: [{ kind: 'power-cycle', node: node.node }],
      };
    }
    case 'neither':
      return stay({ ...node, note: notRebooted(node, seen, now) });
  }
}

/** In which way a node is ordered to reboot now, if any. An agent that may still ask is waited for. */
function wayToReboot(node: RollNode, { listens, bmc }: SeenNode, now: number): 'agent' | 'bmc' | 'neither' {
  if (isCycled(node)) return now - (node.cycle?.askedAt ?? now) >= CYCLE_AGAIN_MS ? 'bmc' : 'neither';
  const isUsable = bmc && node.cycle?.refused === undefined;
  if (isUsable && isAgentGivenUp(node, listens, now)) return 'bmc';
  return listens ? 'agent' : 'neither';
}

function isAgentGivenUp({ orders, askedAt, since, deafSince }: RollNode, listens: boolean, now: number): boolean {
  if (listens) return orders >= MOST_ORDERS;
  if (orders === 0) return now - (deafSince ?? now) >= SILENT_MS;
  return now - (askedAt ?? since) >= GOES_DOWN_MS;
}

/** Whether its BMC was asked to power cycle it, and may have done it. */
function isCycled({ cycle }: RollNode): boolean {
  return Boolean(cycle) && cycle?.refused === undefined;
}

/** Why a node that is to reboot gets no order now. */
function notRebooted(node: RollNode, { bmc }: SeenNode, now: number): NodeNote | null {
  if (isCycled(node)) return node.note;
  const { orders, askedAt, cycle } = node;
  const isDown = orders > 0 && now - (askedAt ?? node.since) < GOES_DOWN_MS;
  if (isDown) return node.note;
  const message = cycle?.refused;
  const state =
    message === undefined ? ({ state: bmc ? 'next' : 'none' } as const) : ({ state: 'refused', message } as const);
  return { code: 'not-rebooted', why: whyNot(node), bmc: state };
}

/** Why its agent does not reboot it: it has not taken an order, or it took one and did not go down. */
function whyNot({ orders }: RollNode): NotRebooted {
  return orders === 0 ? 'agent-silent' : 'order-lost';
}

function progressOf({ state, step }: BootProgress): BootProgress {
  return { state, ...(step && { step }) };
}

function booting(roll: Roll, node: RollNode, { boot, cloud, files }: SeenNode, now: number): Step {
  if (boot?.state !== 'ready')
    return stay({ ...node, note: boot ? { code: 'boots', boot: progressOf(boot) } : node.note });
  if (boot.image !== node.image) return fail(roll, node, wrongImage(boot.image, node.image), now);
  if (cloud.kind !== 'none') return stay(enter(node, 'joining', { code: 'joins' }, now));
  if (files === 'failed') return fail(roll, node, { code: 'files-failed' }, now);
  return end(roll, node, 'done', renewed(node), now);
}

function joining(roll: Roll, node: RollNode, { boot, cloud, files }: SeenNode, now: number): Step {
  if (cloud.kind !== 'seen') return stay(node);
  if (boot?.state !== 'ready')
    return stay({ ...node, note: { code: 'boots-again', ...(boot && { boot: progressOf(boot) }) } });
  if (boot.image !== node.image) return fail(roll, node, wrongImage(boot.image, node.image), now);
  if (files === 'failed') return fail(roll, node, { code: 'files-failed' }, now);
  const { standing } = cloud;
  if (standing?.standing !== 'in-service')
    return stay({ ...node, note: standing === undefined ? node.note : { code: 'standing', standing } });
  return enabling(roll, enter(node, 'enabling', { code: 'in-service' }, now), { cloud }, now);
}

/** Only what a roll disabled is enabled: the reason in Nova shows who disabled it. */
function enabling(roll: Roll, node: RollNode, { cloud }: Pick<SeenNode, 'cloud'>, now: number): Step {
  const service = cloud.kind === 'seen' ? cloud.service : undefined;
  if (!service || service.enabled) return end(roll, node, 'done', renewed(node), now);
  if (!isOurReason(service.disabledReason)) {
    return end(roll, node, 'done', { ...renewed(node), disabled: reasonOf(service) }, now);
  }
  if (!isDue(node, now)) return stay(node);
  return {
    node: { ...node, askedAt: now, note: { code: 'enabling' } },
    actions: [{ kind: 'enable', node: node.node, service: service.id }],
  };
}

function restoring(roll: Roll, node: RollNode, { cloud }: SeenNode, now: number): Step {
  if (cloud.kind !== 'seen') return end(roll, node, node.restoreTo, node.note, now);
  const { service, instances, moved } = cloud;
  if (instances === undefined) return stay(node);
  const { moves, actions, settled } = confirmMoves(node, instances, moved, now);
  const isOurs = service && !service.enabled && isOurReason(service.disabledReason);
  if (!isOurs && settled) return end(roll, { ...node, moves }, node.restoreTo, node.note, now);
  if (!isOurs || !isDue(node, now)) return { node: { ...node, moves }, actions };
  const enable: Action = { kind: 'enable', node: node.node, service: service.id };
  return { node: { ...node, moves, askedAt: now }, actions: [...actions, enable] };
}

function enter(node: RollNode, phase: Phase, note: NodeNote | null, now: number): RollNode {
  return { ...node, phase, since: now, askedAt: null, note };
}

function stay(node: RollNode): Step {
  return { node, actions: [] };
}

/** What has failed before its reboot goes back into service; what has failed after stays disabled for an operator to check. */
function fail(roll: Roll, node: RollNode, why: NodeNote, now: number): Step {
  const note: NodeNote = { code: 'failed', phase: node.phase, why };
  if (isBeforeReboot(node)) return restore(node, 'failed', note, now);
  const ended = end(roll, node, 'failed', { ...note, ...(node.disabled ? { staysDisabled: true } : {}) }, now);
  return { ...ended, node: { ...ended.node, out: true, disabled: node.disabled } };
}

function end(roll: Roll, node: RollNode, phase: Phase, note: NodeNote | null, now: number): Step {
  const isBack = phase === 'done' || phase === 'skipped';
  const next = { ...enter(node, phase, note, now), out: false, disabled: false };
  if (node.phase === 'restoring') return stay(next);
  // Back on an image that the site does not name, it must stay there; else the site decides again.
  return { node: next, actions: [], pin: roll.keepPins && (isBack || phase === 'failed') ? node.image : null };
}

function renewed(node: RollNode): NodeNote & { readonly code: 'renewed' } {
  return { code: 'renewed', cycled: isCycled(node) };
}

function isDue({ askedAt }: RollNode, now: number): boolean {
  return askedAt === null || now - askedAt >= ASK_AGAIN_MS;
}

function reasonOf({ disabledReason: reason }: ComputeService): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function wrongImage(found: string | undefined, wanted: string): NodeNote {
  return { code: 'wrong-image', wanted, ...(found === undefined ? {} : { found }) };
}
