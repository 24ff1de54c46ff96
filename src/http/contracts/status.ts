import { z } from 'zod';
import type { CloudStanding, EarlierStanding } from '../../model/cloudStanding.ts';
import type { Contract } from './contract.ts';
import { addressNumber, macAddress, time } from './forms.ts';

/** See `CloudStanding`: each has values of its own. */
const cloudStanding = z
  .custom<CloudStanding | EarlierStanding>((value) => z.object({ standing: z.string() }).safeParse(value).success)
  .meta({
    type: 'object',
    description: 'How the cloud has the node: `standing` is a code, other fields are its values.',
  });

const bootStep = z.object({
  at: time,
  code: z.string().describe('What step it is: a stable code.'),
  subject: z
    .string()
    .exactOptional()
    .describe('Of `service` its unit, of `other` the name that the agent gives the step.'),
  name: z.string().describe('The step in words.'),
  status: z.enum(['running', 'done', 'failed']),
  ms: z.number().exactOptional().describe('How long the step itself took.'),
  detail: z.string().exactOptional().describe('What it says beside its name, in words.'),
  file: z.string().exactOptional().describe('The file that was sent.'),
  image: z.string().exactOptional().describe('The SHA-256 of the image that the file belongs to.'),
  bytes: z.number().exactOptional().describe('How much of the file was sent.'),
  cause: z.string().exactOptional().describe('Why the file was not sent whole.'),
  bootFile: z.string().exactOptional().describe('The boot file that the machine gets.'),
  standing: cloudStanding.exactOptional(),
  output: z.string().exactOptional().describe('The tail of what a failing command printed.'),
  hint: z.string().exactOptional(),
});

const boot = z
  .object({
    startedAt: time,
    updatedAt: time,
    state: z.enum(['booting', 'ready', 'failed']),
    steps: z.array(bootStep),
    clockAheadMs: z.number().exactOptional(),
  })
  .meta({ id: 'Boot', description: 'One attempt of one node, from its first DISCOVER to `ready`.' });

const heldLease = z.object({
  ip: z.string(),
  network: z.string(),
  pool: z.string().nullable(),
  expires: time,
});

export const drifted = z.object({
  path: z.string(),
  what: z.enum(['missing', 'content', 'access']),
  access: z.object({ mode: z.string(), owner: z.number(), group: z.number() }).exactOptional(),
});

const standing = z.object({
  state: z.enum(['in sync', 'behind', 'drift', 'failed', 'unknown']),
  at: time,
  applied: z.string().describe('The hash of the bundle that the node has.'),
  current: z.string().nullable().describe('The hash of the bundle that the site gives it.'),
  drifted: z.int(),
  drift: z.array(drifted).describe('The first of the files that were changed on the node.'),
  failed: z.string().nullable(),
});

const nodeStatus = z
  .object({
    name: z.string(),
    mac: macAddress,
    macs: z.array(macAddress),
    ip: z.string().nullable().describe('The address that the site keeps for it.'),
    lease: heldLease.nullable().describe('The address that it has now.'),
    state: z.enum(['unseen', 'addressed', 'booting', 'loaded', 'ready', 'failed', 'address-only']),
    image: z.string().nullable(),
    profiles: z.array(z.string()),
    entry: z.string().nullable().describe('The menu entry that it boots instead of an image.'),
    bootFile: z.string().exactOptional(),
    boot: boot.nullable().describe('Its newest boot.'),
    files: standing.nullable().describe('How its files compare with what the site gives it.'),
  })
  .meta({ id: 'NodeStatus' });

const stranger = z
  .object({
    mac: macAddress,
    firstSeen: time,
    lastSeen: time,
    count: z.int(),
    messages: z.record(z.string(), z.int()).exactOptional(),
    stage: z.enum(['firmware', 'ipxe', 'os']).exactOptional(),
    triedToBoot: z.boolean(),
    machine: z.object({
      hostname: z.string().exactOptional(),
      vendorClass: z.string().exactOptional(),
      architectures: z.array(z.int()).exactOptional(),
      firmware: z.string().exactOptional(),
      uuid: z.string().exactOptional(),
      circuitId: z.string().exactOptional(),
      remoteId: z.string().exactOptional(),
    }),
    classes: z.array(z.string()).exactOptional(),
    boot: boot.exactOptional(),
    network: z.string().exactOptional(),
    via: z.string().exactOptional(),
    ip: addressNumber.exactOptional(),
    refusal: z.string().exactOptional(),
  })
  .meta({ id: 'Stranger', description: 'A machine that the site does not list, and what it reports of itself.' });

export const place = z.object({ file: z.string(), line: z.int(), col: z.int() });

const finding = z.object({ place, message: z.string(), hint: z.string().exactOptional() });

const status = z.object({
  site: z.string(),
  bootUrl: z.string().nullable(),
  nodes: z.array(nodeStatus),
  strangers: z.array(stranger),
  refused: z
    .object({ at: time, findings: z.array(finding), servingSince: time })
    .nullable()
    .describe('The edit of the site that the server refused, if its folder is not what it serves.'),
  api: z
    .object({ port: z.int(), fingerprint: z.string().exactOptional().describe('SHA-256 of its certificate, in hex.') })
    .exactOptional()
    .describe('Where this API is served over TCP.'),
});

export const STATUS = {
  method: 'GET',
  path: '/api/v1/status',
  operation: 'showStatus',
  role: 'viewer',
  summary: 'Every node, its newest boot, and the machines that the site does not list.',
  form: 'json',
  answer: status,
  refusals: [],
} as const satisfies Contract;
