import { z } from 'zod';
import { earlierNote, PHASES, POLICIES } from '../model/rollNote.ts';
import { type PinChanges, type Roll, USUAL_LIMITS } from './record.ts';

/** Where rolls and pins last. Calls reject with STATE_UNAVAILABLE. */
export type RollStore = {
  /**
   * Keeps a roll in place of what it was, changes pins, and forgets the rolls of these ids: all, or none and `false` where the roll or one
   * of the pins is not what this store has last read or written, since another server changed it. Then all is to be read again.
   */
  save(roll: Roll, pins: PinChanges, forgotten: readonly string[]): Promise<boolean>;
  /** Oldest first. */
  rolls(): Promise<readonly Roll[]>;
  /** Hashes of images by node. */
  pins(): Promise<ReadonlyMap<string, string>>;
};

const number = z.number().nullable();

const MOVE = z.object({
  kind: z.enum(['live', 'cold']),
  tries: z.number(),
  askedAt: z.number(),
  refused: z.string().exactOptional(),
  confirmedAt: z.number().exactOptional(),
});

/** Earlier releases stored words in place of a note. */
const NOTE = {
  words: z.string().optional(),
  note: z.looseObject({ code: z.string() }).nullable().optional(),
};

const NODE = z.object({
  node: z.string(),
  phase: z.enum(PHASES),
  since: z.number(),
  ...NOTE,
  image: z.string(),
  before: z.string().nullable(),
  pinBefore: z.string().nullable(),
  out: z.boolean(),
  disabled: z.boolean(),
  askedAt: number,
  attempts: z.number(),
  orders: z.number(),
  deafSince: number.default(null),
  cycle: z.object({ askedAt: z.number(), refused: z.string().exactOptional() }).nullable().default(null),
  remaining: number,
  rebootFrom: number,
  moves: z.record(z.string(), MOVE),
  restoreTo: z.enum(['failed', 'left']),
});

/** The first releases had rolls without `bootMs`, `deafSince` and `cycle`. */
const ROLL = z.object({
  maxUnavailable: z.number(),
  failures: z.number(),
  policy: z.enum(POLICIES),
  bootMs: z.number().default(USUAL_LIMITS.bootMs),
  id: z.string(),
  begunAt: z.number(),
  endedAt: number,
  state: z.enum(['running', 'stopping', 'done', 'stopped', 'aborted']),
  endsAs: z.enum(['stopped', 'aborted']),
  ...NOTE,
  keepPins: z.boolean(),
  takesBack: z.string().nullable(),
  nodes: z.array(NODE),
});

/** A roll as the state has it, the value of its JSON; `undefined` if it is none. */
export function parseRoll(value: unknown): Roll | undefined {
  const { data } = ROLL.safeParse(value);
  return data && (withNote({ ...data, nodes: data.nodes.map(withNote) }) as Roll);
}

function withNote<T extends { readonly words?: string | undefined; readonly note?: unknown }>({ words, ...rest }: T) {
  return rest.note === undefined ? { ...rest, note: earlierNote(words ?? '') } : rest;
}
