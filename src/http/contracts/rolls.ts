import { z } from 'zod';
import { type NodeNote, PHASES, POLICIES, type RollNote } from '../../model/rollNote.ts';
import type { Contract } from './contract.ts';
import { nodeSet, time } from './forms.ts';

const limits = {
  maxUnavailable: z.int().min(1).describe('How many nodes may be out of service at once.'),
  failures: z.int().min(0).describe('How many nodes may fail before the roll stops.'),
  policy: z.enum(POLICIES).describe('What becomes of instances that cannot be moved while they run.'),
  bootMs: z.int().min(0).describe('How long a rebooted node may take until it is ready, in milliseconds.'),
};

/** Those that are left out are as `USUAL_LIMITS` has them or, of a roll that goes on, as it had them. */
const chosenLimits = {
  maxUnavailable: limits.maxUnavailable.exactOptional(),
  failures: limits.failures.exactOptional(),
  policy: limits.policy.exactOptional(),
  bootMs: limits.bootMs.exactOptional(),
};

const move = z.object({
  kind: z.enum(['live', 'cold']),
  tries: z.int(),
  askedAt: time,
  refused: z.string().exactOptional(),
  confirmedAt: time.exactOptional(),
});

/** A note has a code and values of its own: see `NodeNote` and `RollNote`. */
const isNote = (value: unknown) => z.object({ code: z.string() }).nullable().safeParse(value).success;
const NOTE_SCHEMA = { type: ['object', 'null'], properties: { code: { type: 'string' } }, required: ['code'] } as const;
const note = z.custom<NodeNote | null>(isNote).meta({ ...NOTE_SCHEMA });
const rollNote = z.custom<RollNote | null>(isNote).meta({ ...NOTE_SCHEMA });

const rollNode = z.object({
  node: z.string(),
  phase: z.enum(PHASES),
  since: time.describe('When the phase began, or last got on.'),
  note: note.describe('What it does or waits for: a code, and its values.'),
  words: z.string().describe('The note in words.'),
  image: z.string().describe('The hash of the image that it is to run.'),
  before: z.string().nullable(),
  pinBefore: z.string().nullable(),
  out: z.boolean(),
  disabled: z.boolean(),
  askedAt: time.nullable(),
  attempts: z.int(),
  orders: z.int(),
  deafSince: time.nullable(),
  cycle: z.object({ askedAt: time, refused: z.string().exactOptional() }).nullable(),
  remaining: z.int().nullable().describe('Instances still on the host when last looked.'),
  rebootFrom: time.nullable(),
  moves: z.record(z.string(), move).describe('By the id of the instance.'),
  restoreTo: z.enum(['failed', 'left']),
});

const roll = z
  .object({
    ...limits,
    id: z.string(),
    begunAt: time,
    endedAt: time.nullable(),
    state: z.enum(['running', 'stopping', 'done', 'stopped', 'aborted']),
    endsAs: z.enum(['stopped', 'aborted']),
    note: rollNote.describe('Why it ended or stops, where its state does not say it.'),
    words: z.string().describe('The note in words.'),
    keepPins: z.boolean(),
    takesBack: z.string().nullable().describe('The id of the roll that this one takes back.'),
    nodes: z.array(rollNode).describe('In the order in which they are begun.'),
  })
  .meta({ id: 'Roll' });

const params = z.strictObject({ id: z.string().describe('The id of a roll, or `newest`.') });

export const LIST_ROLLS = {
  method: 'GET',
  path: '/api/v1/rolls',
  operation: 'listRolls',
  role: 'viewer',
  summary: 'All rolls that are remembered, oldest first.',
  form: 'json',
  answer: z.array(roll),
  refusals: [],
} as const satisfies Contract;

export const SHOW_ROLL = {
  method: 'GET',
  path: '/api/v1/rolls/:id',
  operation: 'showRoll',
  role: 'viewer',
  summary: 'A roll, and the images to which nodes are pinned, by node.',
  params,
  form: 'json',
  answer: z.object({ roll, pins: z.record(z.string(), z.string()) }),
  refusals: [],
} as const satisfies Contract;

export const BEGIN_ROLL = {
  method: 'POST',
  path: '/api/v1/rolls',
  operation: 'beginRoll',
  role: 'operator',
  summary: 'Begins a roll, and answers at once with it; the server goes on by itself.',
  body: z.strictObject({
    nodes: nodeSet.exactOptional(),
    drifted: z
      .boolean()
      .exactOptional()
      .describe('Only nodes whose running image or files are not the wanted ones; needed where no nodes are named.'),
    image: z.string().min(1).exactOptional().describe('Another image than the site gives them.'),
    dryRun: z.boolean().exactOptional().describe('Answers with what would be done, and does nothing.'),
    ...chosenLimits,
  }),
  form: 'json',
  answer: roll,
  refusals: [
    'NODE_UNKNOWN',
    'NODE_SET_INVALID',
    'IMAGE_MISSING',
    'CLOUD_INVALID',
    'CLOUD_UNREACHABLE',
    'CLOUD_REFUSED',
    'STATE_UNAVAILABLE',
  ],
} as const satisfies Contract;

export const ABORT_ROLL = {
  method: 'POST',
  path: '/api/v1/rolls/:id/abort',
  operation: 'abortRoll',
  role: 'operator',
  summary: 'Begins no more nodes; those not yet rebooted go back into service.',
  params,
  form: 'json',
  answer: roll,
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const RESUME_ROLL = {
  method: 'POST',
  path: '/api/v1/rolls/:id/resume',
  operation: 'resumeRoll',
  role: 'operator',
  summary: 'Goes on with a roll that stopped or was aborted; failed nodes are tried again.',
  params,
  body: z.strictObject(chosenLimits),
  form: 'json',
  answer: roll,
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const ROLL_BACK = {
  method: 'POST',
  path: '/api/v1/rolls/:id/rollback',
  operation: 'rollBack',
  role: 'operator',
  summary: 'Begins a roll that returns the nodes of a roll to the images that they ran before.',
  params,
  body: z.strictObject(chosenLimits),
  form: 'json',
  answer: roll,
  refusals: ['IMAGE_MISSING', 'CLOUD_INVALID', 'CLOUD_UNREACHABLE', 'CLOUD_REFUSED', 'STATE_UNAVAILABLE'],
} as const satisfies Contract;
