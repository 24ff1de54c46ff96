import type { Instance } from '../cloud/instances.ts';
import type { NodeNote, Policy, Stuck } from '../model/rollNote.ts';
import type { Action } from './actions.ts';
import type { Move, RollNode } from './record.ts';

/** The state of emptying a host. `stop`: an instance cannot be moved, and the policy is to stop then. */
export type Drained = {
  readonly state: 'empty' | 'busy' | 'stop';
  readonly note: NodeNote;
  readonly moves: RollNode['moves'];
  readonly remaining: number;
  readonly actions: readonly Action[];
};

/** So many instances leave a host at once: Nova itself moves one at a time unless it is set otherwise. */
const AT_ONCE = 2;
const MOST_TRIES = 3;
/** An instance that was asked to move, is still there after this time and is not on its way, did not make it. */
const MOVE_AGAIN_MS = 30_000;
const CONFIRM_AGAIN_MS = 15_000;

const MOVABLE_LIVE: ReadonlySet<string> = new Set(['ACTIVE', 'PAUSED']);
const MOVABLE_COLD: ReadonlySet<string> = new Set(['ACTIVE', 'SHUTOFF']);

type MoveWay = 'live' | 'cold' | 'stays' | 'stuck' | 'stop';

/**
 * One more step in emptying a host. `instances` are those on it now; `moved` says where those are that were moved cold. Nova
 * marks an instance at once when it takes on a move, so that one without a mark has not been asked, or has failed. Pure.
 */
export function drain(
  node: Pick<RollNode, 'node' | 'moves'>,
  policy: Policy,
  instances: readonly Instance[],
  moved: ReadonlyMap<string, Instance | 'gone'>,
  now: number,
): Drained {
  const confirmed = confirmMoves(node, instances, moved, now);
  const moves: Record<string, Move> = { ...confirmed.moves };
  const actions: Action[] = [...confirmed.actions];
  const isOnItsWay = ({ id, task }: Instance) => {
    const move = moves[id];
    return task !== undefined || (move !== undefined && now - move.askedAt < MOVE_AGAIN_MS);
  };
  const resting = instances.filter((instance) => !isOnItsWay(instance));
  let moving = instances.length - resting.length;
  const ways = Map.groupBy(resting, (instance) => wayOf(instance, moves[instance.id], policy));
  const staying = ways.get('stays')?.length ?? 0;
  const remaining = instances.length - staying;
  const stop = ways.get('stop')?.[0];
  if (stop) {
    const note = { code: 'stuck', stuck: stuckOf(stop, moves[stop.id]) } as const;
    return { state: 'stop', note, moves, remaining, actions: [] };
  }
  for (const kind of ['live', 'cold'] as const) {
    for (const { id } of ways.get(kind) ?? []) {
      if (moving >= AT_ONCE) break;
      moving++;
      const before = moves[id];
      moves[id] = { kind, tries: before?.kind === kind ? before.tries + 1 : 1, askedAt: now };
      actions.push({ kind: kind === 'live' ? 'migrate-live' : 'migrate-cold', node: node.node, instance: id });
    }
  }
  const stuck = ways.get('stuck')?.[0];
  return {
    state: remaining === 0 && confirmed.settled ? 'empty' : 'busy',
    note: noteOf(remaining, moving, stuck && stuckOf(stuck, moves[stuck.id]), confirmed.settled),
    moves,
    remaining,
    actions,
  };
}

/**
 * Confirms the roll's own cold moves. It is done while the old host still runs, and only for instances that the roll moved:
 * an operator's resize is not ours to confirm.
 */
export function confirmMoves(
  { node, moves }: Pick<RollNode, 'node' | 'moves'>,
  instances: readonly Instance[],
  moved: ReadonlyMap<string, Instance | 'gone'>,
  now: number,
): Pick<Drained, 'moves' | 'actions'> & { readonly settled: boolean } {
  const here = new Map(instances.map((instance) => [instance.id, instance]));
  const actions: Action[] = [];
  const kept: Record<string, Move> = {};
  let settled = true;
  for (const [id, move] of Object.entries(moves)) {
    const there = moved.get(id);
    const isElsewhere = move.kind === 'cold' && !here.has(id);
    const waits = there === undefined || (there !== 'gone' && (there.task !== undefined || isToConfirm(there)));
    // Once settled it is forgotten: what others do with it later is theirs.
    if (isElsewhere && !waits) continue;
    kept[id] = move;
    if (!isElsewhere) {
      if (move.kind === 'cold' && (here.get(id)?.task !== undefined || now - move.askedAt < MOVE_AGAIN_MS))
        settled = false;
      continue;
    }
    settled = false;
    if (there === undefined || there === 'gone' || there.task !== undefined) continue;
    if (now - (move.confirmedAt ?? 0) < CONFIRM_AGAIN_MS) continue;
    kept[id] = { ...move, confirmedAt: now };
    actions.push({ kind: 'confirm', node, instance: id });
  }
  return { moves: kept, actions, settled };
}

function isToConfirm({ status }: Instance): boolean {
  return status === 'VERIFY_RESIZE';
}

function wayOf({ status }: Instance, move: Move | undefined, policy: Policy): MoveWay {
  const triedLive = move?.kind === 'live' ? move.tries : move?.kind === 'cold' ? MOST_TRIES : 0;
  const triedCold = move?.kind === 'cold' ? move.tries : 0;
  if (MOVABLE_LIVE.has(status) && triedLive < MOST_TRIES) return 'live';
  if (policy === 'cold' && MOVABLE_COLD.has(status) && triedCold < MOST_TRIES) return 'cold';
  return policy === 'leave' ? 'stays' : policy === 'stop-roll' ? 'stop' : 'stuck';
}

function stuckOf({ name, id, status }: Instance, move: Move | undefined): Stuck {
  if (move === undefined) return { id, name, status };
  const { kind, tries, refused } = move;
  return { id, name, status, tried: { kind, tries, ...(refused === undefined ? {} : { refused }) } };
}

function noteOf(remaining: number, moving: number, stuck: Stuck | undefined, settled: boolean): NodeNote {
  if (stuck !== undefined) return { code: 'stuck', stuck, remaining };
  if (remaining > 0) return { code: 'instances', remaining, moving };
  return { code: settled ? 'empty' : 'moves-unconfirmed' };
}
