import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_CODES, type ErrorCode, ReveilleError } from '../errors.ts';
import type { Happening } from '../model/event.ts';
import { UNSPECIFIED } from '../model/ipv4.ts';
import { makeBundle } from '../node/bundle.ts';
import { Orders } from '../node/orders.ts';
import { NO_SECRETS } from '../node/secretMask.ts';
import { NodeTokens } from '../node/tokens.ts';
import { mac, nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { serverTroubleText } from '../words/trouble.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import {
  COMMON_NODE_REFUSALS,
  GET_BUNDLE,
  NODE_CONTRACTS,
  type NodeContract,
  REPORT_APPLIED,
  REPORT_OPENED,
  REPORT_STEP,
  SEND_INVENTORY,
  WAIT_FOR_ORDERS,
} from './contracts/nodes.ts';
import { addNodeRoutes, type NodeRoutesFrom } from './nodeRoutes.ts';

const ME = 'mac=52:54:00:00:00:51';
const SHA = 'a'.repeat(64);
const BUNDLE = makeBundle([], []);

/** The nodes' API in process, over parts that note what reaches them. A request comes from node01, unless `from` says otherwise. */
async function rig(changes: Partial<NodeRoutesFrom> = {}) {
  const events: Happening[] = [];
  const taken: unknown[][] = [];
  const faults: unknown[] = [];
  const node = nodeFixture({ image: 'compute' });
  const site = siteFixture({ nodeByMac: new Map([[mac('52:54:00:00:00:51'), node]]) });
  const tokens = await NodeTokens.open({
    store: emptyStore().tokens,
    now: Date.now,
    trouble: (error) => faults.push(error),
  });
  tokens.bootSeen('node01');
  const orders = new Orders();
  const app = createApp((error) => faults.push(error), new Connections(10, 10));
  addNodeRoutes(app, {
    site: () => site,
    tokens,
    addressOf: () => undefined,
    // A request in process has no address of this machine.
    addressesOn: () => [UNSPECIFIED],
    bundleOf: async () => BUNDLE,
    maskOf: async () => NO_SECRETS,
    inventories: {
      load: async () => undefined,
      save: async (name, { arch }) => void taken.push(['inventory', name, arch]),
    },
    opened: async (image, list) => void taken.push(['opened', image, Buffer.from(list).toString()]),
    orders,
    onNews: ({ name }, { applied }) => void taken.push(['news', name, applied.sha256]),
    emit: (event) => events.push(event),
    ...changes,
  });
  const send = (
    method: 'GET' | 'POST',
    route: string,
    body?: string,
    { from = '10.0.0.51', headers = {} }: { from?: string; headers?: Readonly<Record<string, string>> } = {},
  ) =>
    app.inject({
      method,
      url: `/node/v1/${route}`,
      remoteAddress: from,
      headers,
      ...(body === undefined ? {} : { body }),
    });
  return { send, events, taken, faults, tokens, orders };
}

const INVENTORY = 'reveille.inventory=1\narch=x86_64\n';
const NEWS = `reveille.applied=1\nbundle=${SHA}\n`;
const REPORT = 'boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10\nseq=1\nstep=network\nstatus=done\nms=5\n\n';

type Row = readonly [
  what: string,
  contract: NodeContract,
  method: 'GET' | 'POST',
  query: string,
  body: string | undefined,
  status: number,
  taken?: readonly unknown[],
];

describe('each route of the nodes’ API', () => {
  const rows: readonly Row[] = [
    ['an inventory', SEND_INVENTORY, 'POST', ME, INVENTORY, 204, ['inventory', 'node01', 'x86_64']],
    ['one with the clock', SEND_INVENTORY, 'POST', `${ME}&time=5`, INVENTORY, 204, ['inventory', 'node01', 'x86_64']],
    ['a bundle, as old agents ask', GET_BUNDLE, 'GET', ME, undefined, 200],
    ['a bundle and a token', GET_BUNDLE, 'GET', `${ME}&token=want&folders=1`, undefined, 200],
    ['what differs from a manifest', GET_BUNDLE, 'POST', `${ME}&folders=1`, 'manifest', 200],
    ['nothing new', GET_BUNDLE, 'POST', `${ME}&folders=1&applied=${BUNDLE.sha256}`, 'manifest', 204],
    ['nothing new, of an older agent', GET_BUNDLE, 'POST', `${ME}&applied=${BUNDLE.olderSha256}`, 'manifest', 204],
    ['orders', WAIT_FOR_ORDERS, 'GET', `${ME}&applied=${SHA}&seconds=0`, undefined, 200],
    ['orders by POST', WAIT_FOR_ORDERS, 'POST', `${ME}&seconds=0`, undefined, 200],
    ['news', REPORT_APPLIED, 'POST', ME, NEWS, 204, ['news', 'node01', SHA]],
    ['opened files', REPORT_OPENED, 'POST', ME, 'gz', 204, ['opened', 'compute', 'gz']],
    ['a report', REPORT_STEP, 'POST', ME, REPORT, 204],
  ];

  it('is in the table below, by each of its methods', () => {
    const names = (list: readonly (readonly [string, NodeContract])[]) =>
      new Set(list.map(([method, { path }]) => `${method} ${path}`));
    assert.deepEqual(
      names(rows.map(([, contract, method]) => [method, contract] as const)),
      names(NODE_CONTRACTS.flatMap((contract) => contract.methods.map((method) => [method, contract] as const))),
    );
  });

  for (const [what, { path, answers }, method, query, body, status, taken] of rows) {
    const route = path.slice('/node/v1/'.length);
    it(`takes ${what}`, async () => {
      const { send, ...rest } = await rig();
      const answer = await send(method, `${route}?${query}`, body);
      assert.equal(answer.statusCode, status, answer.body);
      assert.ok(Object.hasOwn(answers, status));
      assert.deepEqual(rest.taken, taken === undefined ? [] : [taken]);
      assert.deepEqual(rest.faults, []);
      if (route === 'wait') assert.equal(answer.body, 'do=wait\nrefresh=600\njitter=10\n');
      if (route === 'bundle' && status === 200) {
        assert.equal(answer.headers['content-type'], 'application/x-tar');
        assert.match(String(answer.headers['x-reveille-sha256']), /^[0-9a-f]{64}$/);
        assert.equal('x-reveille-token' in answer.headers, query.includes('token=want'));
      }
      if (route === 'report')
        assert.deepEqual(
          rest.events.map(({ kind }) => kind),
          ['node.step'],
        );
    });

    it(`takes ${what}: with names and values that it does not know, as if they were absent`, async () => {
      const { send, faults } = await rig();
      const odd = 'later=1&time=noon&time=2&token=x&token=y&__proto__=1&seconds=soon';
      const answer = await send(method, `${route}?${query.replace('&token=want', '')}&${odd}`, body);
      assert.equal(answer.statusCode, status, answer.body);
      assert.deepEqual(faults, []);
    });

    it(`takes ${what}: only from the node itself, whose MAC address it names`, async () => {
      const { send, taken: none } = await rig();
      const others: readonly (readonly [query: string, from: string, code: ErrorCode, words: RegExp])[] = [
        ['', '10.0.0.51', 'REQUEST_INVALID', /^\?mac= must name the MAC address of the asking node$/],
        ['mac=x', '10.0.0.51', 'REQUEST_INVALID', /^\?mac= must name/],
        [`${ME}&${ME}`, '10.0.0.51', 'REQUEST_INVALID', /^\?mac= must name/],
        ['mac=52:54:00:00:00:99', '10.0.0.51', 'NODE_UNKNOWN', /lists no node/],
        [ME, '10.0.0.52', 'IDENTITY_REFUSED', /in the name of node01/],
      ];
      for (const [asked, from, code, words] of others) {
        const answer = await send(method, `${route}?${asked}`, body, { from });
        assert.equal(answer.statusCode, ERROR_CODES[code].status);
        assert.equal(answer.json().code, code);
        assert.match(answer.json().message, words);
        assert.ok(COMMON_NODE_REFUSALS.includes(code));
      }
      assert.deepEqual(none, []);
    });

    it(`takes ${what}: with the token, once there is one, and not without`, async () => {
      const { send } = await rig();
      const { headers } = await send('GET', `bundle?${ME}&token=want`);
      const token = String(headers['x-reveille-token']);
      const later = `${route}?${query.replace('&token=want', '')}`;
      assert.equal((await send(method, later, body, { headers: { 'x-reveille-token': token } })).statusCode, status);
      assert.equal((await send(method, later, body)).statusCode, 403);
      assert.equal((await send(method, later, body, { headers: { 'x-reveille-token': SHA } })).statusCode, 403);
      if (method === 'GET') return;
      const inBody = (shown: string) => send('POST', `${later}&token=body`, `token=${shown}\n${body ?? ''}`);
      assert.equal((await inBody(token)).statusCode, status);
      assert.equal((await inBody(SHA)).statusCode, 403);
    });
  }
});

describe('a body that a route of the nodes does not take', () => {
  const rows: readonly (readonly [NodeContract, string, number, RegExp])[] = [
    [SEND_INVENTORY, '', 400, /begins with reveille\.inventory=1/],
    [SEND_INVENTORY, 'x'.repeat(SEND_INVENTORY.body.most + 1), 413, /longer than 262144 bytes/],
    [GET_BUNDLE, 'x'.repeat(GET_BUNDLE.body.most + 1), 413, /longer than/],
    [WAIT_FOR_ORDERS, 'x', 413, /longer than 0 bytes/],
    [REPORT_APPLIED, 'bundle=x', 400, /begin with reveille\.applied=1/],
    [REPORT_APPLIED, 'reveille.applied=1\n', 400, /bundle= is not the name of a bundle/],
    [REPORT_OPENED, 'x'.repeat(REPORT_OPENED.body.most + 1), 413, /longer than/],
    [REPORT_STEP, 'step', 400, /begins with lines key=value/],
    [REPORT_STEP, REPORT.replace('done', 'well'), 400, /status= is started, done or failed/],
    [REPORT_STEP, 'x'.repeat(REPORT_STEP.body.most + 1), 413, /longer than/],
  ];
  for (const [{ path }, body, status, words] of rows) {
    it(`is refused: ${path} ${JSON.stringify(body.slice(0, 40))}`, async () => {
      const { send, taken, events } = await rig();
      const answer = await send('POST', `${path.slice('/node/v1/'.length)}?${ME}`, body);
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(answer.json().code, 'REQUEST_INVALID');
      assert.match(answer.json().message, words);
      assert.deepEqual([taken, events], [[], []]);
    });
  }

  it('is refused by a route that is only asked', async () => {
    const { send } = await rig();
    for (const route of ['bundle', 'wait']) {
      const answer = await send('GET', `${route}?${ME}`, 'body');
      assert.equal(answer.statusCode, 400);
      assert.match(answer.json().message, /a GET brings no body here/);
    }
  });
});

describe('a bundle that cannot be made', () => {
  for (const code of GET_BUNDLE.refusals) {
    it(`is refused with the code and status of the table: ${code}`, async () => {
      const place = { file: 'overlays/a', line: 2, col: 1 };
      const { send, events } = await rig({
        bundleOf: async () => {
          throw new ReveilleError(code, 'no', { hint: 'yes', place });
        },
      });
      for (let i = 0; i < 2; i++) {
        const answer = await send('GET', `bundle?${ME}&token=want`);
        assert.equal(answer.statusCode, ERROR_CODES[code].status);
        assert.deepEqual(answer.json(), { code, message: 'no', hint: 'yes', place });
        assert.equal('x-reveille-token' in answer.headers, false);
      }
      const step = { kind: 'node.step', code: 'bundle', status: 'failed', detail: 'overlays/a:2:1: no' };
      const who = { node: 'node01', mac: '52:54:00:00:00:51', ip: events[0]?.ip };
      assert.deepEqual(events, [{ ...step, ...who }], 'the same refusal is one event');
    });
  }

  it('fails without words of its own where no code expected that', async () => {
    const { send, faults } = await rig({
      bundleOf: async () => {
        throw new Error('secret');
      },
    });
    const answer = await send('GET', `bundle?${ME}`);
    assert.equal(answer.statusCode, 500);
    assert.deepEqual(answer.json(), { code: 'SERVER_FAILED', message: ERROR_CODES.SERVER_FAILED.meaning });
    assert.equal(faults.length, 1);
  });
});

describe('a running node', () => {
  it('gets an order that is given while it waits', async () => {
    const { send, orders } = await rig();
    const waiting = send('GET', `wait?${ME}&seconds=100`);
    const given = await orders.give('node01', { id: 'o1', what: 'restore' }, AbortSignal.timeout(5000));
    assert.equal(given, true);
    assert.equal((await waiting).body, 'do=restore\nsync=o1\nrefresh=600\njitter=10\n');
  });

  it('has a report that it sends again counted once, its boot’s and its refresh’s apart', async () => {
    const { send, events } = await rig();
    for (const body of [
      REPORT,
      REPORT,
      REPORT.replace('ms=5', 'ms=5\nduring=refresh'),
      REPORT.replace('seq=1', 'seq=2'),
    ])
      assert.equal((await send('POST', `report?${ME}`, body)).statusCode, 204);
    assert.equal(events.length, 3);
  });

  it('boots though the state cannot be written or read, which is an event', async () => {
    const broken = async (): Promise<never> => {
      throw new Error('disk');
    };
    const arches: unknown[] = [];
    const { send, events } = await rig({
      inventories: { load: broken, save: broken },
      bundleOf: async (_node, inventory) => {
        arches.push(inventory?.arch);
        return BUNDLE;
      },
    });
    assert.equal((await send('GET', `bundle?${ME}`)).statusCode, 200);
    assert.equal((await send('POST', `inventory?${ME}`, INVENTORY)).statusCode, 204);
    assert.equal((await send('GET', `bundle?${ME}`)).statusCode, 200);
    assert.deepEqual(arches, [undefined, 'x86_64']);
    assert.deepEqual(
      events.map((event) => event.kind === 'server.trouble' && [event.code, serverTroubleText(event)]),
      Array(2).fill(['STATE_UNAVAILABLE', 'disk']),
    );
  });
});
