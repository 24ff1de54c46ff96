import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_CODES, ReveilleError } from '../errors.ts';
import { ip, mac } from '../site/testing/fixture.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { type AnyValues, COMMON_REFUSALS, type Contract, type ValuesOf } from './contracts/contract.ts';
import { AUDIT, EVENTS } from './contracts/events.ts';
import { DIFF, SYNC } from './contracts/files.ts';
import { LIST_LEASES, RELEASE_LEASE } from './contracts/leases.ts';
import { ADD_NODE, ADOPT, LIST_IMAGES, POWER, REMOVE_NODE } from './contracts/machines.ts';
import { OPERATOR_CONTRACTS } from './contracts/operators.ts';
import { readValues, writeRequest } from './contracts/request.ts';
import { ABORT_ROLL, BEGIN_ROLL, LIST_ROLLS, RESUME_ROLL, ROLL_BACK, SHOW_ROLL } from './contracts/rolls.ts';
import { HEALTH, OPEN_API } from './contracts/service.ts';
import { STATUS } from './contracts/status.ts';
import { CREATE_TOKEN, LIST_TOKENS, REVOKE_TOKEN, WHO_AM_I } from './contracts/tokens.ts';
import { addOperatorRoutes, socketDoor } from './operators.ts';
import {
  DIFF_VALUE,
  EVENT_VALUE,
  LEASE_VALUE,
  operatorsFixture,
  ROLL_VALUE,
  STATUS_VALUE,
  SYNC_VALUE,
} from './testing/operatorsFixture.ts';

/** The app over parts that answer with one value each and note what they are asked. */
function rig(fails?: Error) {
  const asked: unknown[][] = [];
  const answers =
    <T>(name: string, value: T) =>
    (...args: readonly unknown[]): T => {
      asked.push([name, ...args]);
      if (fails) throw fails;
      return value;
    };
  const faults: unknown[] = [];
  const from = operatorsFixture({
    status: async () => answers('status', STATUS_VALUE)(),
    nodesNamed: (set) => {
      if (set === 'nobody') throw new ReveilleError('NODE_UNKNOWN', 'the site has no node nobody', { hint: 'look' });
      return [set];
    },
    keptEvents: async (filter) => answers('keptEvents', [{ id: 7, event: EVENT_VALUE }])(filter),
    diff: async (node) => answers('diff', DIFF_VALUE)(node),
    sync: async function* (nodes, { gone: _, ...options }) {
      yield answers('sync', SYNC_VALUE)(nodes, options);
    },
    leases: {
      list: () => answers('list', [LEASE_VALUE])(),
      release: async (address) => answers('release', LEASE_VALUE)(address),
      nodeOf: () => 'node01',
      poolOf: () => '10.0.0.200-10.0.0.220',
    },
    rolls: {
      list: () => answers('rolls', [ROLL_VALUE])(),
      show: (id) => answers('show', { roll: ROLL_VALUE, pins: { node01: 'aa' } })(id),
      begin: async (...args) => answers('begin', ROLL_VALUE)(...args),
      abort: async (id) => answers('abort', ROLL_VALUE)(id),
      resume: async (...args) => answers('resume', ROLL_VALUE)(...args),
      rollback: async (...args) => answers('rollback', ROLL_VALUE)(...args),
    },
    power: async function* (nodes, order, { gone: _, ...options }) {
      yield answers('power', POWER_VALUE)(nodes, order, options);
    },
    adopt: async (body) => answers('adopt', EDIT_VALUE)(body),
    addNode: async (body) => answers('addNode', EDIT_VALUE)(body),
    removeNode: async (...args) => answers('removeNode', EDIT_VALUE)(...args),
    images: async () => answers('images', [IMAGE_VALUE])(),
    tokens: {
      list: () => answers('tokens', [TOKEN_VALUE])(),
      create: async (...args) => answers('create', `rvl_${'0'.repeat(64)}`)(...args),
      revoke: async (name) => answers('revoke', TOKEN_VALUE)(name),
    },
    isWell: async () => answers('isWell', true)(),
    faulted: (error) => faults.push(error),
  });
  const app = createApp(from.faulted, new Connections(9, 9));
  addOperatorRoutes(app, from, socketDoor(from.emit));
  return { app, asked, faults };
}

const CARD = mac('52:54:00:00:00:99');
const POWER_VALUE = { node: 'node01', bmc: 'ipmi b', power: 'on', result: 'done', detail: null, code: null } as const;
const EDIT_VALUE = { nodes: [{ name: 'n', macs: ['m'], ip: null, profiles: ['p'] }], written: true, diff: '+ n' };
const IMAGE_VALUE = { name: 'i', sha256: 'aa', bytes: 5, kernelVersion: '6.1', builtAt: 'now', packages: 3 };
const TOKEN_VALUE = { name: 'ci', role: 'operator', createdAt: 1, expiresAt: null, expired: false } as const;

/** What a request by its contract must lead to: the part that is asked, and its arguments. */
type Row = { readonly contract: Contract; readonly values: AnyValues; readonly asks: readonly unknown[] };

const row = <C extends Contract>(contract: C, values: ValuesOf<C>, ...asks: readonly unknown[]): Row => ({
  contract,
  values,
  asks,
});

const USUAL = { maxUnavailable: 1, failures: 0, policy: 'wait', bootMs: 1_200_000 };
const ROWS: readonly Row[] = [
  row(STATUS, {}, 'status'),
  row(EVENTS, { query: {} }, 'keptEvents', { limit: 10_000 }),
  row(EVENTS, { query: { since: 5, node: 'node01', limit: 7, follow: false } }, 'keptEvents', {
    since: 5,
    nodes: ['node01'],
    limit: 7,
  }),
  row(EVENTS, { query: { limit: 99_999 } }, 'keptEvents', { limit: 10_000 }),
  row(EVENTS, { query: { after: 0, limit: 5 } }, 'keptEvents', { limit: 5, after: 0 }),
  row(EVENTS, { query: { kind: ['server.*', 'site.loaded'] } }, 'keptEvents', {
    kinds: ['server.*', 'site.loaded'],
    limit: 10_000,
  }),
  row(AUDIT, { query: {} }, 'keptEvents', { kinds: ['audit.*'], limit: 100 }),
  row(AUDIT, { query: { since: 5, limit: 5000 } }, 'keptEvents', { since: 5, kinds: ['audit.*'], limit: 1000 }),
  row(DIFF, { query: { node: 'node01' } }, 'diff', 'node01'),
  row(SYNC, { body: { nodes: 'node01' } }, 'sync', ['node01'], { what: 'apply', wait: false, patienceMs: 120_000 }),
  row(SYNC, { body: { nodes: 'node01', restore: true, wait: true, timeoutMs: 0 } }, 'sync', ['node01'], {
    what: 'restore',
    wait: true,
    patienceMs: 0,
  }),
  row(LIST_LEASES, {}, 'list'),
  row(RELEASE_LEASE, { params: { ip: ip('10.0.0.200') } }, 'release', ip('10.0.0.200')),
  row(LIST_ROLLS, {}, 'rolls'),
  row(SHOW_ROLL, { params: { id: 'a/ü %' } }, 'show', 'a/ü %'),
  row(BEGIN_ROLL, { body: { nodes: 'node01' } }, 'begin', { ...USUAL, nodes: 'node01', drifted: false }, false),
  row(
    BEGIN_ROLL,
    { body: { drifted: true, image: 'i', dryRun: true, maxUnavailable: 3, failures: 2, policy: 'cold', bootMs: 9 } },
    'begin',
    { nodes: '', drifted: true, image: 'i', maxUnavailable: 3, failures: 2, policy: 'cold', bootMs: 9 },
    true,
  ),
  row(ABORT_ROLL, { params: { id: 'newest' } }, 'abort', 'newest'),
  row(RESUME_ROLL, { params: { id: 'r1' }, body: {} }, 'resume', 'r1', {}),
  row(RESUME_ROLL, { params: { id: 'r1' }, body: { bootMs: 5 } }, 'resume', 'r1', { bootMs: 5 }),
  row(ROLL_BACK, { params: { id: 'r1' }, body: { failures: 1 } }, 'rollback', 'r1', { failures: 1 }),
  row(POWER, { body: { nodes: 'node01', order: 'cycle' } }, 'power', ['node01'], 'cycle', { dryRun: false }),
  row(ADOPT, { body: { macs: [CARD], name: 'node02' } }, 'adopt', { macs: [CARD], name: 'node02' }),
  row(ADD_NODE, { body: { name: 'n', macs: ['m'], ip: 'next', profiles: ['p'], dryRun: true } }, 'addNode', {
    ...{ name: 'n', macs: ['m'], ip: 'next', profiles: ['p'], dryRun: true },
  }),
  row(REMOVE_NODE, { params: { name: 'node[01-02]' }, body: {} }, 'removeNode', 'node[01-02]', false),
  row(REMOVE_NODE, { params: { name: 'n' }, body: { dryRun: true } }, 'removeNode', 'n', true),
  row(LIST_IMAGES, {}, 'images'),
  row(LIST_TOKENS, {}, 'tokens'),
  row(CREATE_TOKEN, { body: { name: 'ci', role: 'viewer' } }, 'create', 'ci', 'viewer', null),
  row(CREATE_TOKEN, { body: { name: 'ci', role: 'admin', expiresAt: 9 } }, 'create', 'ci', 'admin', 9),
  row(REVOKE_TOKEN, { params: { name: 'a b' } }, 'revoke', 'a b'),
  row(HEALTH, {}, 'isWell'),
  // These ask nothing.
  row(WHO_AM_I, {}),
  row(OPEN_API, {}),
];

const wireOf = ({ contract, values }: Row) => {
  const { method, path: url, body } = writeRequest(contract, values);
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return { method, url, ...(body === undefined ? {} : { body }), headers };
};

describe('each route of the operators’ API', () => {
  it('is in the table below', () => {
    assert.deepEqual(new Set(ROWS.map(({ contract }) => contract)), new Set(OPERATOR_CONTRACTS));
  });

  for (const one of ROWS) {
    const { contract, values, asks } = one;
    it(`takes what its contract says, and answers so: ${contract.method} ${contract.path} ${JSON.stringify(values)}`, async () => {
      const { app, asked } = rig();
      const answer = await app.inject(wireOf(one));
      assert.equal(answer.statusCode, 200, answer.body);
      assert.deepEqual(asked, asks.length === 0 ? [] : [asks]);
      const lines = contract.form === 'json' ? [answer.body] : answer.body.trimEnd().split('\n');
      assert.match(
        String(answer.headers['content-type']),
        contract.form === 'json' ? /^application\/json/ : /^application\/x-ndjson$/,
      );
      // A field that the contract does not name would be missing from what its schema gives.
      for (const line of lines) assert.deepEqual(contract.answer.parse(JSON.parse(line)), JSON.parse(line));
    });

    if (asks.length === 0) continue;
    it(`refuses with the code and status of the table: ${contract.method} ${contract.path}`, async () => {
      for (const code of [...COMMON_REFUSALS, ...contract.refusals]) {
        const { app, faults } = rig(new ReveilleError(code, 'no', { hint: 'yes' }));
        const answer = await app.inject(wireOf(one)).catch(() => undefined);
        // What fails after the first line can only be cut off.
        if (contract === SYNC || contract === POWER) assert.equal(faults.length, 1);
        else {
          assert.equal(answer?.statusCode, ERROR_CODES[code].status);
          assert.deepEqual(answer?.json(), { code, message: 'no', hint: 'yes' });
        }
      }
    });
  }

  it('refuses an unknown node where it names nodes', async () => {
    const { app } = rig();
    const named: readonly Row[] = [
      row(EVENTS, { query: { node: 'nobody' } }),
      row(DIFF, { query: { node: 'nobody' } }),
      row(SYNC, { body: { nodes: 'nobody' } }),
    ];
    for (const one of named) {
      const answer = await app.inject(wireOf(one));
      assert.equal(answer.statusCode, 404);
      assert.deepEqual(answer.json(), { code: 'NODE_UNKNOWN', message: 'the site has no node nobody', hint: 'look' });
      assert.ok(one.contract.refusals.includes('NODE_UNKNOWN'));
    }
  });
});

describe('a request that its contract does not take', () => {
  const post = (url: string, body?: unknown, type = 'application/json') => ({
    method: 'POST' as const,
    url: `/api/v1/${url}`,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: body === undefined ? {} : { 'content-type': type },
  });
  const get = (url: string) => ({ method: 'GET' as const, url: `/api/v1/${url}`, headers: {} });
  const rows: readonly (readonly [ReturnType<typeof get> | ReturnType<typeof post>, number, string | RegExp])[] = [
    [get('status?x=1'), 400, 'the query must not hold "x": this route takes none there'],
    [get('events?since=x'), 400, '?since= must be a whole number'],
    [get('events?since=-1'), 400, '?since= must be a whole number'],
    [get('events?since=1e3'), 400, '?since= must be a whole number'],
    [get('events?since='), 400, '?since= must be a whole number'],
    [get('events?limit=1&limit=2'), 400, '?limit= must be given once'],
    [get('events?follow=maybe'), 400, '?follow= must be one of 0, 1, true, false'],
    [get('events?node='), 400, '?node= must name nodes'],
    [get('events?nodes=a'), 400, 'the query must not hold "nodes"; it takes since, after, kind, node, limit, follow'],
    [get('events?__proto__=a'), 400, /^the query must not hold|^the query/],
    [get('diff'), 400, '?node= is missing'],
    [get('diff?node=a&node=b'), 400, '?node= must be given once'],
    [post('sync'), 400, '"nodes" in the body is missing'],
    [post('sync?nodes=a', { nodes: 'a' }), 400, 'the query must not hold "nodes": this route takes none there'],
    [post('sync', { nodes: '' }), 400, '"nodes" in the body must name nodes'],
    [post('sync', { nodes: ['a'] }), 400, '"nodes" in the body must be a text'],
    [post('sync', { nodes: 'a', wait: '1' }), 400, '"wait" in the body must be true or false'],
    [post('sync', { nodes: 'a', timeoutMs: 1.5 }), 400, '"timeoutMs" in the body must be a whole number'],
    [post('sync', { nodes: 'a', timeoutMs: -1 }), 400, '"timeoutMs" in the body must be 0 or more'],
    [post('sync', { nodes: 'a', timeoutMs: 2 ** 31 }), 400, '"timeoutMs" in the body must be 2147483647 or less'],
    [
      post('sync', { nodes: 'a', timeout: 5 }),
      400,
      'the body must not hold "timeout"; it takes nodes, restore, wait, timeoutMs',
    ],
    [post('sync', []), 400, 'the body must be a JSON object'],
    [post('sync', 'nodes=a'), 400, /JSON/],
    [post('sync', '{"__proto__":{"nodes":"a"}}'), 400, /^Body is not valid JSON/],
    [
      post('sync', 'nodes=a', 'application/x-www-form-urlencoded'),
      400,
      'the body must be JSON, with content-type: application/json',
    ],
    [post('sync', { nodes: 'a'.repeat(300_000) }), 413, /too large/],
    [post('rolls', {}), 400, 'no node is named'],
    [post('rolls', { nodes: 'a', maxUnavailable: 0 }), 400, '"maxUnavailable" in the body must be 1 or more'],
    [
      post('rolls', { nodes: 'a', policy: 'x' }),
      400,
      '"policy" in the body must be one of cold, leave, wait, stop-roll',
    ],
    [post('rolls', { nodes: 'a', dryrun: true }), 400, /^the body must not hold "dryrun"; it takes nodes, drifted, /],
    [post('rolls?nodes=a&dryRun=1'), 400, 'the query must not hold "nodes": this route takes none there'],
    [post('rolls/r1/abort', { bootMs: 1 }), 400, 'the body must not hold "bootMs": this route takes none there'],
    [post('rolls/r1/resume?bootMs=1'), 400, 'the query must not hold "bootMs": this route takes none there'],
    [post('rolls/r1/rollback', { failures: null }), 400, '"failures" in the body must be a number'],
    [post('rolls/r1/explode'), 404, 'there is nothing at POST /api/v1/rolls/r1/explode'],
    [post('leases/everything/release'), 400, '"ip" in the path must be an IPv4 address'],
    [post('leases/10.0.0.256/release'), 400, '"ip" in the path must be an IPv4 address'],
    [get('leases/10.0.0.1/release'), 404, 'there is nothing at GET /api/v1/leases/10.0.0.1/release'],
    [get('nothing'), 404, 'there is nothing at GET /api/v1/nothing'],
  ];
  for (const [request, status, message] of rows) {
    it(`is refused and asks nothing: ${request.method} ${request.url} ${'body' in request ? `${request.body}`.slice(0, 60) : ''}`, async () => {
      const { app, asked } = rig();
      const answer = await app.inject(request);
      assert.equal(answer.statusCode, status, answer.body);
      const refusal = answer.json();
      assert.equal(refusal.code, status === 404 ? 'FILE_MISSING' : 'REQUEST_INVALID');
      if (typeof message === 'string') assert.equal(refusal.message, message);
      else assert.match(refusal.message, message);
      assert.deepEqual(asked, []);
    });
  }
});

it('what a client writes by a contract is what the server reads by it', () => {
  for (const { contract, values } of ROWS) {
    const { path, body } = writeRequest(contract, values);
    const [at = '', query = ''] = path.split('?');
    const names = [...contract.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
    const texts = new RegExp(`^${contract.path.replace(/:\w+/g, '([^/]+)')}$`).exec(at)?.slice(1) ?? [];
    const read = readValues(contract, {
      params: Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(texts[i] ?? '')])),
      query: Object.fromEntries(new URLSearchParams(query)),
      body: body && JSON.parse(body),
    });
    assert.deepEqual(read, values);
  }
});
