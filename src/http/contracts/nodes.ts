import { z } from 'zod';
import type { ErrorCode } from '../../errors.ts';
import { parseMac } from '../../model/mac.ts';
import { LONGEST_INVENTORY } from '../../node/inventory.ts';
import { LONGEST_MANIFEST, LONGEST_NEWS } from '../../node/news.ts';
import { LONGEST_REPORT } from '../../node/report.ts';
import type { Rate } from '../rates.ts';

/**
 * What a route of the nodes' API takes of one node, and answers. Images of earlier releases speak it for years: a name in a query that a
 * route does not know is no error, and a value that it cannot read counts as absent.
 */
export type NodeContract = {
  readonly methods: readonly ('GET' | 'POST')[];
  readonly path: string;
  /** Its name in the OpenAPI document; never changes. */
  readonly operation: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** Schemas from texts to values; the query has `common` in it. */
  readonly query: z.ZodObject<typeof common>;
  /** The most bytes of a body (0: none), and what is in it. */
  readonly body: { readonly most: number; readonly what: string };
  /** How often one node may ask. */
  readonly rate: Rate;
  /** Statuses of answers that are no refusals, and what they bring. */
  readonly answers: { readonly [status in 200 | 204]?: string };
  /** The codes with which this route refuses, besides `COMMON_NODE_REFUSALS`. */
  readonly refusals: readonly ErrorCode[];
};

export const COMMON_NODE_REFUSALS: readonly ErrorCode[] = [
  'REQUEST_INVALID',
  'NODE_UNKNOWN',
  'IDENTITY_REFUSED',
  'TOO_MANY_REQUESTS',
  'SERVER_BUSY',
  'SERVER_FAILED',
];

const nodeMac = z
  .string('must name the MAC address of the asking node')
  .transform((text, context) => {
    const mac = parseMac(text);
    if (mac !== undefined) return mac;
    context.addIssue({ code: 'custom', message: 'must name the MAC address of the asking node' });
    return z.NEVER;
  })
  .describe('The MAC address of the asking node.');

/** A text; given twice it counts as absent. */
const text = z.string().optional().catch(undefined);

const common = {
  mac: nodeMac,
  time: text.describe("The node's clock, in seconds since 1970."),
  token: z
    .enum(['want', 'body'])
    .optional()
    .catch(undefined)
    .describe('`want`: the answer brings a token. `body`: the token is the first line of the body, `token=HEX`.'),
};

/**
 * A boot sends one inventory, asks for one bundle and reports some 40 steps; where something fails its agent asks again, at first after
 * a second and then every half minute. An operator who orders one refresh after the other has to get each.
 */
export const SEND_INVENTORY = {
  methods: ['POST'],
  path: '/node/v1/inventory',
  operation: 'sendInventory',
  summary: 'Takes in the hardware that a booting node found.',
  query: z.object(common),
  body: { most: LONGEST_INVENTORY, what: 'the inventory' },
  rate: { burst: 10, perSecond: 1 / 20 },
  answers: { 204: 'taken in' },
  refusals: [],
} as const satisfies NodeContract;

export const GET_BUNDLE = {
  methods: ['GET', 'POST'],
  path: '/node/v1/bundle',
  operation: 'getBundle',
  summary: 'Gives a node its files: all of them or, where it posts the manifest of what it has, those that differ.',
  query: z.object({
    ...common,
    applied: text.describe('The name of the bundle that the node has.'),
    folders: z.unknown().optional().describe('Given by agents that lay folders.'),
  }),
  body: { most: LONGEST_MANIFEST, what: 'the manifest of what the node has' },
  rate: { burst: 30, perSecond: 1 / 4 },
  answers: { 200: 'a tar, named in x-reveille-sha256', 204: 'the node has this bundle' },
  refusals: [
    'SITE_INVALID',
    'TEMPLATE_INVALID',
    'SECRET_MISSING',
    'SECRET_INVALID',
    'FILE_MISSING',
    'TOOL_MISSING',
    'STATE_UNAVAILABLE',
  ],
} as const satisfies NodeContract;

/** The longest that a node may wait for orders in one request, in seconds. */
const LONGEST_WAIT = 300;

export const WAIT_FOR_ORDERS = {
  methods: ['GET', 'POST'],
  path: '/node/v1/wait',
  operation: 'waitForOrders',
  summary: 'Answers once there is an order for the node, or its time is over.',
  query: z.object({
    ...common,
    seconds: z
      .string()
      .regex(/^[0-9]{1,4}$/)
      .transform((seconds) => Math.min(Number(seconds), LONGEST_WAIT))
      .catch(0)
      .describe(`How long to wait; ${LONGEST_WAIT} at most.`),
  }),
  body: { most: 0, what: 'nothing but the token' },
  rate: { burst: 60, perSecond: 1 },
  answers: { 200: 'lines: do=, sync= (of an order), refresh=, jitter=' },
  refusals: [],
} as const satisfies NodeContract;

export const REPORT_APPLIED = {
  methods: ['POST'],
  path: '/node/v1/applied',
  operation: 'reportApplied',
  summary: 'Takes in which files a node has now, and which of them were changed there.',
  query: z.object(common),
  body: { most: LONGEST_NEWS, what: 'counts, the manifest and what drifted' },
  rate: { burst: 30, perSecond: 1 / 4 },
  answers: { 204: 'taken in' },
  refusals: [],
} as const satisfies NodeContract;

/** The longest list of opened files, in bytes as it comes. */
const LONGEST_OPENED = 1024 * 1024;

export const REPORT_OPENED = {
  methods: ['POST'],
  path: '/node/v1/opened',
  operation: 'reportOpened',
  summary: 'Takes in which files of its image a node has opened.',
  query: z.object(common),
  body: { most: LONGEST_OPENED, what: 'a list of paths, compressed with gzip' },
  rate: { burst: 6, perSecond: 1 / 60 },
  answers: { 204: 'taken in' },
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies NodeContract;

export const REPORT_STEP = {
  methods: ['POST'],
  path: '/node/v1/report',
  operation: 'reportStep',
  summary: 'Takes in one step of a boot, of a refresh, or of a service.',
  query: z.object(common),
  body: {
    most: LONGEST_REPORT,
    what: 'lines boot=, seq=, step=, status=, ms=, detail=, during=, then an empty line and output',
  },
  rate: { burst: 200, perSecond: 1 / 2 },
  answers: { 204: 'taken in' },
  refusals: [],
} as const satisfies NodeContract;

/** All routes of the nodes' API. */
export const NODE_CONTRACTS: readonly NodeContract[] = [
  SEND_INVENTORY,
  GET_BUNDLE,
  WAIT_FOR_ORDERS,
  REPORT_APPLIED,
  REPORT_OPENED,
  REPORT_STEP,
];
