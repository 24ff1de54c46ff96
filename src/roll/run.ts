import { setTimeout as after } from 'node:timers/promises';
import { ReveilleError, troubleOf } from '../errors.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import { recall } from '../recall.ts';
import type { Action, Failure } from './actions.ts';
import { aborted, next, noted, resumed } from './next.ts';
import { refuseCommonNodes } from './plan.ts';
import { forgettable, isActive, type PinChanges, type Roll, type RollLimits } from './record.ts';
import type { RollStore } from './rollStore.ts';
import type { Seen } from './seen.ts';

/** The rolls of this server. All of them last: a server that was killed goes on with them when it starts. */
export type Rolls = {
  /** Oldest first. */
  list(): readonly Roll[];
  /** Throws REQUEST_INVALID if there is none of this id. */
  named(id: string): Roll;
  readonly pins: ReadonlyMap<string, string>;
  /** Keeps a planned roll and begins with it. Throws REQUEST_INVALID if it shares a node with one under way. */
  begin(roll: Roll): Promise<Roll>;
  /** Throws REQUEST_INVALID if it is not under way. */
  abort(id: string): Promise<Roll>;
  /** With other limits where they are given. Throws REQUEST_INVALID if it is under way, or nothing of it is left to do. */
  resume(id: string, limits: Partial<RollLimits>): Promise<Roll>;
  /** Goes on with the rolls under way, and with those that are begun, until it is disposed. Turns are `turnMs` apart. */
  run(look: Look, act: Act, turnMs?: number): AsyncDisposable;
};

export type Look = (roll: Roll) => Promise<Seen>;
export type Act = (action: Action) => Promise<Failure | undefined>;

const TURN_MS = 3000;
/** How often a change is decided anew because another server was first. */
const MOST_TRIES = 5;

type Change = { readonly roll: Roll; readonly pins?: PinChanges };

/**
 * Opens the rolls and pins that the store holds. Nothing is done before `run`, nor before they can be read: until then nodes boot
 * the site's images, and no roll is begun.
 */
export async function openRolls(store: RollStore, emit: EventSink, now: () => number): Promise<Rolls> {
  const rolls = new Map<string, Roll>();
  const pins = new Map<string, string>();
  const inOrder = inTurn();
  let wake = (): void => {};
  let unknown: unknown;
  /** Whether another server has changed what is known here. */
  let isStale = false;
  const read = async (): Promise<void> => {
    const [known, pinned] = [await store.rolls(), await store.pins()];
    rolls.clear();
    pins.clear();
    for (const roll of known) rolls.set(roll.id, roll);
    for (const [node, image] of pinned) pins.set(node, image);
    isStale = false;
  };
  await recall(
    async () => {
      await read();
      unknown = undefined;
      wake();
    },
    (error) => {
      unknown = error;
    },
  );

  /**
   * A decision is on disk before it counts, and before it is carried out. Changes come one after the other,
   * each decided by what the last one left; where another server has changed that since, it is decided again by what it left.
   */
  const change = <T extends Change>(decide: () => T): Promise<T> =>
    inOrder(async () => {
      if (unknown !== undefined) throw unknown;
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        if (isStale) await read();
        const changed = await attempt(decide());
        if (changed) return changed;
        isStale = true;
      }
      throw new ReveilleError('STATE_UNAVAILABLE', 'another server changes the rolls or pins again and again');
    });
  /** Keeps a change; `undefined` where another server was first. */
  const attempt = async <T extends Change>(changed: T): Promise<T | undefined> => {
    const { roll, pins: pinned = new Map() } = changed;
    const before = rolls.get(roll.id);
    if (pinned.size === 0 && JSON.stringify(before) === JSON.stringify(roll)) return changed;
    const forgotten = before ? [] : forgettable([...rolls.values()]);
    if (!(await store.save(roll, pinned, forgotten))) return undefined;
    for (const id of forgotten) rolls.delete(id);
    rolls.set(roll.id, roll);
    for (const [node, image] of pinned) {
      if (image === null) pins.delete(node);
      else pins.set(node, image);
    }
    report(before, roll);
    return changed;
  };
  const report = (before: Roll | undefined, roll: Roll): void => {
    const phases = new Map(before?.nodes.map(({ node, phase }) => [node, phase]));
    for (const { node, phase, note } of roll.nodes) {
      if (before && phases.get(node) !== phase) emit({ kind: 'roll.step', roll: roll.id, node, phase, note });
    }
    if (before?.state === roll.state) return;
    emit({ kind: 'roll.step', roll: roll.id, phase: roll.state, note: roll.note });
  };

  /** One look and what follows of it. When `closing` aborts nothing is waited for: the next server goes on from the record. */
  const turn = async (id: string, look: Look, act: Act, closing: AbortSignal): Promise<void> => {
    const seen = await unlessAborted(look(named(id)), closing);
    if (seen === undefined) return;
    // An operator may have aborted it while the cloud was asked.
    const { actions } = await change(() => next(named(id), seen));
    for (const action of actions) {
      if (closing.aborted) return;
      const failure = await unlessAborted(act(action), closing);
      if (failure) await change(() => ({ roll: noted(named(id), action, failure) }));
    }
  };

  const named = (id: string): Roll => {
    const roll = rolls.get(id);
    if (roll) return roll;
    throw new ReveilleError(
      'REQUEST_INVALID',
      id === 'newest' ? 'there has been no roll yet' : `there is no roll ${id}`,
    );
  };

  return {
    list: () => [...rolls.values()],
    named,
    pins,
    async begin(roll) {
      const { roll: begun } = await change(() => {
        let id = roll.id;
        for (let i = 2; rolls.has(id); i++) id = `${roll.id}-${i}`;
        const named = { ...roll, id };
        refuseCommonNodes(named, rolls.values());
        return { roll: named };
      });
      wake();
      return begun;
    },
    async abort(id) {
      const { roll } = await change(() => {
        if (!isActive(named(id))) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is not under way`);
        return { roll: aborted(named(id)) };
      });
      return roll;
    },
    async resume(id, limits) {
      const { roll } = await change(() => {
        const ended = named(id);
        if (isActive(ended)) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is under way`);
        if (!ended.nodes.some(({ phase }) => phase === 'failed' || phase === 'left')) {
          throw new ReveilleError('REQUEST_INVALID', `nothing of the roll ${id} is left to do`);
        }
        refuseCommonNodes(ended, rolls.values());
        return { roll: resumed(ended, limits, now()) };
      });
      wake();
      return roll;
    },
    run(look, act, turnMs = TURN_MS) {
      const closing = new AbortController();
      const { signal } = closing;
      let reported = '';
      const reportTrouble = (error: unknown): void => {
        const trouble = troubleOf(error);
        // A disk that stays full is reported once, not at each turn.
        if (trouble.message !== reported) emit({ kind: 'server.trouble', ...trouble });
        reported = trouble.message;
      };
      const turning = (async () => {
        while (!signal.aborted) {
          const woken = new AbortController();
          wake = () => woken.abort();
          for (const { id } of [...rolls.values()].filter(isActive)) {
            await turn(id, look, act, signal).then(() => (reported = ''), reportTrouble);
          }
          if (signal.aborted) return;
          await after(turnMs, undefined, { signal: woken.signal, ref: false }).catch(() => {});
        }
      })();
      return {
        async [Symbol.asyncDispose]() {
          closing.abort();
          wake();
          await turning;
        },
      };
    },
  };
}

/** What comes of some work; undefined once the signal aborts, whatever becomes of the work then. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const leave = () => resolve(undefined);
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
