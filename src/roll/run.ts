import { ReveilleError } from '../errors.ts';
import type { EventSink } from '../timeline/event.ts';
import type { Action, Failure } from './actions.ts';
import { aborted, next, noted, resumed } from './next.ts';
import { refuseCommonNodes } from './plan.ts';
import { isActive, type PinChanges, type Roll, type RollStore } from './record.ts';
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
  /** Throws REQUEST_INVALID if it is under way, or nothing of it is left to do. */
  resume(id: string): Promise<Roll>;
  /** Goes on with the rolls under way, and with those that are begun, until it is disposed. Turns are `turnMs` apart. */
  run(look: Look, act: Act, turnMs?: number): AsyncDisposable;
};

export type Look = (roll: Roll) => Promise<Seen>;
export type Act = (action: Action) => Promise<Failure | undefined>;

const TURN_MS = 3000;

/** Opens the rolls and pins that the store holds. Nothing is done before `run`. */
export async function openRolls(store: RollStore, emit: EventSink, now: () => number): Promise<Rolls> {
  const rolls = new Map((await store.rolls()).map((roll) => [roll.id, roll]));
  const pins = new Map(await store.pins());
  const kept = new Map([...rolls].map(([id, roll]) => [id, JSON.stringify(roll)]));
  let wake = (): void => {};

  const set = (roll: Roll): void => {
    tell(rolls.get(roll.id), roll);
    rolls.set(roll.id, roll);
  };
  /** What is decided stands on disk before anything is done about it. */
  const keep = async (roll: Roll, changes: PinChanges = new Map()): Promise<void> => {
    set(roll);
    const body = JSON.stringify(roll);
    if (kept.get(roll.id) === body && changes.size === 0) return;
    await store.saveRoll(roll, changes);
    kept.set(roll.id, body);
    for (const [node, image] of changes) {
      if (image === null) pins.delete(node);
      else pins.set(node, image);
    }
  };
  const tell = (before: Roll | undefined, roll: Roll): void => {
    const phases = new Map(before?.nodes.map(({ node, phase }) => [node, phase]));
    for (const { node, phase, words } of roll.nodes) {
      if (before && phases.get(node) !== phase) emit({ kind: 'roll.step', roll: roll.id, node, phase, words });
    }
    if (before?.state === roll.state) return;
    emit({ kind: 'roll.step', roll: roll.id, phase: roll.state, words: roll.words });
  };

  const turn = async (id: string, look: Look, act: Act, closing: AbortSignal): Promise<void> => {
    const before = rolls.get(id);
    if (!before) return;
    const seen = await look(before);
    // An operator may have aborted it while the cloud was asked.
    const { roll, actions, pins: changes } = next(rolls.get(id) ?? before, seen);
    await keep(roll, changes);
    for (const action of actions) {
      if (closing.aborted) return;
      const failure = await act(action);
      if (failure) set(noted(rolls.get(id) ?? roll, action, failure));
    }
    await keep(rolls.get(id) ?? roll);
  };

  const active = () => [...rolls.values()].filter(isActive);
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
      refuseCommonNodes(roll, rolls.values());
      let id = roll.id;
      for (let i = 2; rolls.has(id); i++) id = `${roll.id}-${i}`;
      const begun = { ...roll, id };
      await keep(begun);
      wake();
      return begun;
    },
    async abort(id) {
      const roll = named(id);
      if (!isActive(roll)) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is not under way`);
      const stopping = aborted(roll);
      await keep(stopping);
      return stopping;
    },
    async resume(id) {
      const roll = named(id);
      if (isActive(roll)) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is under way`);
      if (!roll.nodes.some(({ phase }) => phase === 'failed' || phase === 'left')) {
        throw new ReveilleError('REQUEST_INVALID', `nothing of the roll ${id} is left to do`);
      }
      const again = resumed(roll, now());
      refuseCommonNodes(again, rolls.values());
      await keep(again);
      wake();
      return again;
    },
    run(look, act, turnMs = TURN_MS) {
      const closing = new AbortController();
      const turning = (async () => {
        while (!closing.signal.aborted) {
          for (const { id } of active()) {
            await turn(id, look, act, closing.signal).catch((error: unknown) =>
              emit({ kind: 'server.trouble', ...inWords(error) }),
            );
          }
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          closing.signal.addEventListener('abort', () => resolve(), { once: true });
          const pause = active().length > 0 ? setTimeout(resolve, turnMs).unref() : undefined;
          if (!closing.signal.aborted) await promise;
          clearTimeout(pause);
        }
      })();
      return {
        async [Symbol.asyncDispose]() {
          closing.abort();
          await turning;
        },
      };
    },
  };
}

function inWords(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof ReveilleError ? error.code : 'SERVER_FAILED';
  return { code, message: error instanceof Error ? error.message : String(error) };
}
