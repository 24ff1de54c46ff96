import { setTimeout as after } from 'node:timers/promises';
import { ReveilleError, troubleOf } from '../errors.ts';
import { inTurn } from '../inTurn.ts';
import type { EventSink } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import { recall } from '../recall.ts';
import type { Action, Failure } from './actions.ts';
import { aborted, next, noted, resumed } from './next.ts';
import { refuseCommonNodes } from './plan.ts';
import { forgettable, isActive, type PinChanges, type Roll, type RollLimits } from './record.ts';
import type { RollStore } from './rollStore.ts';
import type { Seen } from './seen.ts';

export type Look = (roll: Roll) => Promise<Seen>;
export type Act = (action: Action) => Promise<Failure | undefined>;

const TURN_MS = 3000;
/** How often a change is decided anew because another server was first. */
const MOST_TRIES = 5;

type Change = { readonly roll: Roll; readonly pins?: PinChanges };

/**
 * The rolls of this server. All of them last: a server that was killed goes on with them when it starts. Nothing is done before `run`,
 * nor before what the store holds can be read: until then nodes boot the site's images, and no roll is begun.
 */
export class Rolls {
  readonly #store: RollStore;
  readonly #emit: EventSink;
  readonly #now: () => number;
  readonly #rolls = new Map<string, Roll>();
  readonly #pins = new Map<string, string>();
  readonly #pinListeners = new Set<() => void>();
  readonly #inOrder = inTurn();
  /** Ends the pause between two turns. */
  #wake = (): void => {};
  /** Why the store could not be read yet. */
  #unknown: unknown;
  /** Whether another server has changed what is known here. */
  #isStale = false;

  private constructor(store: RollStore, emit: EventSink, now: () => number) {
    this.#store = store;
    this.#emit = emit;
    this.#now = now;
  }

  /** Opens the rolls and pins that the store holds; what cannot be read yet is read later. */
  static async open(store: RollStore, emit: EventSink, now: () => number): Promise<Rolls> {
    const rolls = new Rolls(store, emit, now);
    await recall(
      async () => {
        await rolls.#read();
        rolls.#unknown = undefined;
        rolls.#wake();
      },
      (error) => {
        rolls.#unknown = error;
      },
    );
    return rolls;
  }

  /** Oldest first. */
  list(): readonly Roll[] {
    return [...this.#rolls.values()];
  }

  /** Throws REQUEST_INVALID if there is none of this id. */
  named(id: string): Roll {
    const roll = this.#rolls.get(id);
    if (roll) return roll;
    throw new ReveilleError(
      'REQUEST_INVALID',
      id === 'newest' ? 'there has been no roll yet' : `there is no roll ${id}`,
    );
  }

  /** Hashes of the images that nodes boot, whatever the site says. */
  get pins(): ReadonlyMap<string, string> {
    return this.#pins;
  }

  /** Calls `listener` whenever pins have changed, until what it returns is called. */
  onPins(listener: () => void): () => void {
    this.#pinListeners.add(listener);
    return () => this.#pinListeners.delete(listener);
  }

  /** Rolls on record and under way, the nodes of the latter that are out of service, and pins. */
  gauges(): GaugesOf<'rolls'> {
    const active = this.list().filter(isActive);
    const out = active.flatMap(({ nodes }) => nodes).filter((node) => node.out).length;
    return { rolls: this.#rolls.size, active: active.length, out, pins: this.#pins.size };
  }

  /** Keeps a planned roll and begins with it. Throws REQUEST_INVALID if it shares a node with one under way. */
  async begin(roll: Roll): Promise<Roll> {
    const { roll: begun } = await this.#change(() => {
      let id = roll.id;
      for (let i = 2; this.#rolls.has(id); i++) id = `${roll.id}-${i}`;
      const planned = { ...roll, id };
      refuseCommonNodes(planned, this.#rolls.values());
      return { roll: planned };
    });
    this.#wake();
    return begun;
  }

  /** Throws REQUEST_INVALID if it is not under way. */
  async abort(id: string): Promise<Roll> {
    const { roll } = await this.#change(() => {
      if (!isActive(this.named(id))) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is not under way`);
      return { roll: aborted(this.named(id)) };
    });
    return roll;
  }

  /** With other limits where they are given. Throws REQUEST_INVALID if it is under way, or nothing of it is left to do. */
  async resume(id: string, limits: Partial<RollLimits>): Promise<Roll> {
    const { roll } = await this.#change(() => {
      const ended = this.named(id);
      if (isActive(ended)) throw new ReveilleError('REQUEST_INVALID', `the roll ${id} is under way`);
      if (!ended.nodes.some(({ phase }) => phase === 'failed' || phase === 'left')) {
        throw new ReveilleError('REQUEST_INVALID', `nothing of the roll ${id} is left to do`);
      }
      refuseCommonNodes(ended, this.#rolls.values());
      return { roll: resumed(ended, limits, this.#now()) };
    });
    this.#wake();
    return roll;
  }

  /** Goes on with the rolls under way, and with those that are begun, until it is disposed. Turns are `turnMs` apart. */
  run(look: Look, act: Act, turnMs = TURN_MS): AsyncDisposable {
    const closing = new AbortController();
    const turning = this.#turnUntil(closing.signal, look, act, turnMs);
    return {
      [Symbol.asyncDispose]: async () => {
        closing.abort();
        this.#wake();
        await turning;
      },
    };
  }

  async #turnUntil(closing: AbortSignal, look: Look, act: Act, turnMs: number): Promise<void> {
    /** A disk that stays full is reported once, not at each turn. */
    let reported = '';
    const report = (error: unknown): void => {
      const trouble = troubleOf(error);
      if (trouble.message !== reported) this.#emit({ kind: 'server.trouble', ...trouble });
      reported = trouble.message;
    };
    while (!closing.aborted) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      for (const { id } of this.list().filter(isActive)) {
        await this.#turn(id, look, act, closing).then(() => (reported = ''), report);
      }
      if (closing.aborted) return;
      await after(turnMs, undefined, { signal: woken.signal, ref: false }).catch(() => {});
    }
  }

  /** One look and what follows of it. When `closing` aborts nothing is waited for: the next server goes on from the record. */
  async #turn(id: string, look: Look, act: Act, closing: AbortSignal): Promise<void> {
    const seen = await unlessAborted(look(this.named(id)), closing);
    if (seen === undefined) return;
    // An operator may have aborted it while the cloud was asked.
    const { actions } = await this.#change(() => next(this.named(id), seen));
    for (const action of actions) {
      if (closing.aborted) return;
      const failure = await unlessAborted(act(action), closing);
      if (failure) await this.#change(() => ({ roll: noted(this.named(id), action, failure) }));
    }
  }

  async #read(): Promise<void> {
    const [rolls, pins] = [await this.#store.rolls(), await this.#store.pins()];
    this.#rolls.clear();
    this.#pins.clear();
    for (const roll of rolls) this.#rolls.set(roll.id, roll);
    for (const [node, image] of pins) this.#pins.set(node, image);
    for (const listener of this.#pinListeners) listener();
    this.#isStale = false;
  }

  /**
   * A decision is on disk before it counts, and before it is carried out. Changes come one after the other,
   * each decided by what the last one left; where another server has changed that since, it is decided again by what it left.
   */
  #change<T extends Change>(decide: () => T): Promise<T> {
    return this.#inOrder(async () => {
      if (this.#unknown !== undefined) throw this.#unknown;
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        if (this.#isStale) await this.#read();
        const changed = decide();
        if (await this.#keep(changed)) return changed;
        this.#isStale = true;
      }
      throw new ReveilleError('STATE_UNAVAILABLE', 'another server changes the rolls or pins again and again');
    });
  }

  /** Keeps a change; whether it counts: not where another server was first. */
  async #keep({ roll, pins = new Map() }: Change): Promise<boolean> {
    const before = this.#rolls.get(roll.id);
    if (pins.size === 0 && JSON.stringify(before) === JSON.stringify(roll)) return true;
    const forgotten = before ? [] : forgettable(this.list());
    if (!(await this.#store.save(roll, pins, forgotten))) return false;
    for (const id of forgotten) this.#rolls.delete(id);
    this.#rolls.set(roll.id, roll);
    for (const [node, image] of pins) {
      if (image === null) this.#pins.delete(node);
      else this.#pins.set(node, image);
    }
    if (pins.size > 0) for (const listener of this.#pinListeners) listener();
    this.#report(before, roll);
    return true;
  }

  #report(before: Roll | undefined, roll: Roll): void {
    const phases = new Map(before?.nodes.map(({ node, phase }) => [node, phase]));
    for (const { node, phase, note } of roll.nodes) {
      if (before && phases.get(node) !== phase) this.#emit({ kind: 'roll.step', roll: roll.id, node, phase, note });
    }
    if (before?.state === roll.state) return;
    this.#emit({ kind: 'roll.step', roll: roll.id, phase: roll.state, note: roll.note });
  }
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
