import { z } from 'zod';
import { POWER_ORDERS } from '../../bmc/carryOut.ts';
import { isErrorCode } from '../../errors.ts';
import type { Contract } from './contract.ts';
import { macAddress, nodeSet } from './forms.ts';

const powerResult = z
  .object({
    node: z.string(),
    bmc: z.string().nullable().describe('`ipmi 10.1.0.51`; null for a node without.'),
    power: z.enum(['on', 'off']).nullable().describe('How it said the machine is at last.'),
    result: z.enum(['done', 'failed', 'would be done']),
    detail: z.string().nullable(),
    code: z.string().refine(isErrorCode).nullable(),
  })
  .meta({ id: 'PowerResult' });

export const POWER = {
  method: 'POST',
  path: '/api/v1/power',
  operation: 'switchNodes',
  role: 'operator',
  summary:
    'Switches machines by their BMCs, 16 at once, or asks whether they are on. The first line names the nodes; then comes the result of each.',
  body: z.strictObject({
    nodes: nodeSet,
    order: z.enum(POWER_ORDERS).describe('off asks no system to stop; pxe: the next start is from the network.'),
    dryRun: z.boolean().exactOptional().describe('Says which BMCs would be asked, and asks none.'),
  }),
  form: 'lines',
  answer: z.union([z.object({ nodes: z.array(z.string()) }), powerResult]),
  refusals: ['NODE_UNKNOWN', 'NODE_SET_INVALID'],
} as const satisfies Contract;

const word = z.string().min(1).max(255);
const shared = {
  ip: word.exactOptional().describe('Its address; `next`: the next free one of the network.'),
  network: word.exactOptional().describe('The network for `next`; left out: that of the nodes named alike.'),
  profiles: z.array(word).max(64).exactOptional(),
  dryRun: z.boolean().exactOptional().describe('Writes nothing, and answers what would be written.'),
};

const edited = z
  .object({
    nodes: z.array(
      z.object({
        name: z.string(),
        macs: z.array(z.string()),
        ip: z.string().nullable(),
        profiles: z.array(z.string()),
      }),
    ),
    written: z.boolean(),
    diff: z.string().describe('The lines of site.yaml that differ.'),
  })
  .meta({ id: 'SiteEdit' });

export const ADOPT = {
  method: 'POST',
  path: '/api/v1/strangers/adopt',
  operation: 'adoptMachines',
  role: 'operator',
  summary: 'Makes machines that tried to boot nodes of the site: names and addresses follow those that are there.',
  body: z.strictObject({
    macs: z.array(macAddress).min(1).max(1000),
    name: word.exactOptional().describe('Of one machine; left out: the next name of the commonest kind.'),
    ...shared,
  }),
  form: 'json',
  answer: edited,
  refusals: ['NODE_UNKNOWN', 'SITE_INVALID'],
} as const satisfies Contract;

export const ADD_NODE = {
  method: 'POST',
  path: '/api/v1/nodes',
  operation: 'addNode',
  role: 'admin',
  summary: 'Adds a node, or a range of them, to site.yaml; comments, order and layout stay as they are.',
  body: z.strictObject({
    name: word.describe('A host name, or a range such as `node[01-16]`.'),
    macs: z.array(word).min(1).max(64).describe('MAC addresses; of a range, `52:54:00:00:00:[01-10]`.'),
    ...shared,
  }),
  form: 'json',
  answer: edited,
  refusals: ['SITE_INVALID'],
} as const satisfies Contract;

export const REMOVE_NODE = {
  method: 'POST',
  path: '/api/v1/nodes/:name/remove',
  operation: 'removeNode',
  role: 'admin',
  summary: 'Takes the entry of a node, or of a range, out of site.yaml.',
  params: z.strictObject({ name: z.string().describe('As it stands under `nodes:`.') }),
  body: z.strictObject({ dryRun: shared.dryRun }),
  form: 'json',
  answer: edited,
  refusals: ['NODE_UNKNOWN', 'SITE_INVALID'],
} as const satisfies Contract;

export const LIST_IMAGES = {
  method: 'GET',
  path: '/api/v1/images',
  operation: 'listImages',
  role: 'viewer',
  summary: 'The images that are built, by name, as nodes boot them now.',
  form: 'json',
  answer: z.array(
    z
      .object({
        name: z.string(),
        sha256: z.string().describe('What names the image: the hash over its files.'),
        bytes: z.int().describe('What a node fetches.'),
        kernelVersion: z.string(),
        builtAt: z.string(),
        packages: z.int().describe('How many.'),
      })
      .meta({ id: 'Image' }),
  ),
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies Contract;
