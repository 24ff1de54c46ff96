import { z } from 'zod';
import type { Contract } from './contract.ts';
import { nodeSet } from './forms.ts';
import { drifted } from './status.ts';

const fileForm = z
  .object({
    kind: z.enum(['file', 'link', 'replace', 'folder']),
    mode: z.string().nullable(),
    owner: z.string().nullable(),
    group: z.string().nullable(),
    text: z.string().nullable().describe('Its content; null where that is not known, or no text.'),
  })
  .meta({ id: 'FileForm' });

const fileChange = z.object({
  path: z.string(),
  change: z.enum(['added', 'changed', 'removed', 'drifted']),
  before: fileForm.exactOptional().describe('As the node has it.'),
  after: fileForm.exactOptional().describe('As the site gives it.'),
  drift: drifted.exactOptional(),
  contentDiffers: z.boolean(),
});

export const DIFF = {
  method: 'GET',
  path: '/api/v1/diff',
  operation: 'diffNode',
  role: 'viewer',
  summary: 'What the next refresh would change on a running node, and what was changed there. Secrets are left out.',
  query: z.strictObject({ node: nodeSet.describe('A name, a MAC or an address; of a set, the first node.') }),
  form: 'json',
  answer: z.object({
    changes: z.array(fileChange),
    hooks: z.array(z.string()).describe('The commands that would run then, in order.'),
  }),
  refusals: [
    'NODE_UNKNOWN',
    'NODE_SET_INVALID',
    'FILES_UNKNOWN',
    'SITE_INVALID',
    'TEMPLATE_INVALID',
    'SECRET_MISSING',
    'SECRET_INVALID',
    'STATE_UNAVAILABLE',
  ],
} as const satisfies Contract;

/** Timers of Node.js last no longer: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const syncResult = z
  .object({
    node: z.string(),
    result: z.enum(['done', 'failed', 'not reachable', 'no answer']),
    changed: z.int().describe('Files.'),
    removed: z.int(),
    ms: z.number().nullable().describe('How long the node took.'),
    detail: z.string().nullable(),
  })
  .meta({ id: 'SyncResult' });

export const SYNC = {
  method: 'POST',
  path: '/api/v1/sync',
  operation: 'syncNodes',
  role: 'operator',
  summary:
    'Has running nodes fetch and apply their files. The first line names the nodes; then comes the result of each.',
  body: z.strictObject({
    nodes: nodeSet,
    restore: z.boolean().exactOptional().describe('Also writes files anew that were changed on the nodes.'),
    wait: z.boolean().exactOptional().describe('Waits for nodes that are off or booting.'),
    timeoutMs: z
      .int()
      .min(0)
      .max(LONGEST_TIMER_MS)
      .exactOptional()
      .describe('Gives up after so many milliseconds (120000).'),
  }),
  form: 'lines',
  answer: z.union([z.object({ nodes: z.array(z.string()) }), syncResult]),
  refusals: ['NODE_UNKNOWN', 'NODE_SET_INVALID'],
} as const satisfies Contract;
