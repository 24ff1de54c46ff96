import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ApiTokens } from '../access/apiTokens.ts';
import { ROLES, type Role } from '../access/role.ts';
import type { Happening } from '../model/event.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { createApp } from './app.ts';
import { Connections } from './connections.ts';
import { isChange } from './contracts/contract.ts';
import { OPERATOR_CONTRACTS } from './contracts/operators.ts';
import { Gate, machineOf, plainAddress } from './gate.ts';
import { addOperatorRoutes } from './operators.ts';
import { operatorsFixture, STATUS_VALUE } from './testing/operatorsFixture.ts';

/** The API behind a gate, with a token of each role. */
async function rig(t: TestContext) {
  let now = 1000;
  const tokens = await ApiTokens.open({ store: emptyStore().apiTokens, now: () => now });
  const events: Happening[] = [];
  const gate = new Gate({
    tokens,
    emit: (event) => events.push(event),
    faulted: (error) => assert.fail(String(error)),
  });
  t.after(() => gate[Symbol.dispose]());
  const of = Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, await tokens.create(role, role, 5000)] as const)),
  ) as Record<Role, string>;
  const from = operatorsFixture({ status: async () => STATUS_VALUE, tokens, isWell: async () => true });
  const app = createApp(from.faulted, new Connections(9, 9));
  addOperatorRoutes(app, from, gate);
  const ask = async (token: string | undefined, url = '/api/v1/status', more: object = {}) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await app.inject({ method: 'GET', url, headers, ...more });
    return { status: answer.statusCode, headers: answer.headers, ...(answer.json() as { code?: string }) };
  };
  return { gate, tokens, events, of, app, ask, setNow: (at: number) => (now = at) };
}

describe('the gate', () => {
  it('lets each route be asked with its role and those above it, and with no other', async (t) => {
    const { gate, of } = await rig(t);
    for (const contract of OPERATOR_CONTRACTS) {
      for (const role of ROLES) {
        const ask = () =>
          gate.admit({ authorization: `bearer ${of[role]}`, address: `10.0.0.${role.length}` }, contract);
        const needed = contract.role;
        if (needed === 'open') assert.equal(ask(), null);
        else if (ROLES.indexOf(role) >= ROLES.indexOf(needed)) assert.equal(ask()?.role, role);
        else assert.throws(ask, { code: 'ROLE_LACKING' }, `${contract.operation} ${role}`);
      }
    }
  });

  it('has no route that changes something for viewers', () => {
    for (const contract of OPERATOR_CONTRACTS)
      assert.equal(isChange(contract), contract.method === 'POST', contract.operation);
  });

  it('asks for a token in words and in the header that HTTP has for it, and closes what else comes', async (t) => {
    const { ask, of, setNow } = await rig(t);
    const none = await ask(undefined);
    assert.deepEqual([none.status, none.code], [401, 'TOKEN_REFUSED']);
    assert.match(String(none.headers['www-authenticate']), /^Bearer/);
    for (const odd of ['', 'x', `${of.admin}0`, of.admin.toUpperCase(), `rvl_${'0'.repeat(64)}`])
      assert.equal((await ask(odd)).status, 401, odd);
    assert.equal((await ask(of.viewer)).status, 200);
    setNow(5000);
    assert.equal((await ask(of.viewer)).status === 401 || (await ask(of.viewer)).status === 429, true);
    assert.equal((await ask(undefined, '/api/v1/health')).status, 200);
    assert.equal((await ask(undefined, '/nothing')).status, 404);
  });

  it('tells browsers to show nothing of it elsewhere', async (t) => {
    const { ask, of } = await rig(t);
    const { headers } = await ask(of.viewer);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.match(String(headers['content-security-policy']), /default-src 'none'/);
    assert.equal((await ask(undefined)).headers['cache-control'], 'no-store');
  });

  it('slows an address that presents unknown tokens, and not those with a right one', async (t) => {
    const { ask, of, events } = await rig(t);
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push((await ask(`rvl_${'0'.repeat(64)}`)).status);
    assert.deepEqual(new Set(answers.slice(0, 5)), new Set([401]));
    assert.deepEqual(new Set(answers.slice(5)), new Set([429]));
    assert.equal((await ask(of.viewer)).status, 200);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['audit.refused'],
    );
  });

  it('limits how often an address asks, whatever it asks for', async (t) => {
    const { ask } = await rig(t);
    const answers = [];
    for (let i = 0; i < 260; i++) answers.push((await ask(undefined, '/api/v1/health')).status);
    assert.ok(answers.filter((status) => status === 429).length > 20);
    assert.equal(answers[0], 200);
  });

  it('records who asked for which change, from where, and how it ended', async (t) => {
    const { ask, of, events } = await rig(t);
    const post = (body: object) => ({ method: 'POST', payload: body });
    assert.equal((await ask(of.admin, '/api/v1/tokens', post({ name: 'new', role: 'viewer' }))).status, 200);
    assert.equal((await ask(of.admin, '/api/v1/tokens', post({ name: 'new', role: 'viewer' }))).status, 409);
    assert.equal((await ask(of.operator, '/api/v1/tokens', post({ name: 'b', role: 'admin' }))).status, 403);
    const by = { kind: 'audit.change', actor: 'admin', role: 'admin', operation: 'createToken', from: '127.0.0.1' };
    const values = '{"name":"new","role":"viewer"}';
    assert.deepEqual(events, [
      { ...by, values, outcome: 'done' },
      { ...by, values, outcome: 'TOKEN_EXISTS' },
      {
        kind: 'audit.refused',
        from: '127.0.0.1',
        code: 'ROLE_LACKING',
        count: 1,
        actor: 'operator',
        operation: 'createToken',
      },
    ]);
  });

  it('ends the answers of a token that is revoked', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { gate, of, tokens } = await rig(t);
    const [status] = OPERATOR_CONTRACTS;
    const ended: string[] = [];
    for (const role of ['viewer', 'admin'] as const) {
      const caller = gate.admit({ authorization: `Bearer ${of[role]}`, address: '10.0.0.9' }, status);
      if (caller === null) assert.fail('no caller');
      gate.began(caller, { destroy: () => ended.push(role), once: () => {} });
    }
    t.mock.timers.tick(1000);
    assert.deepEqual(ended, []);
    await tokens.revoke('viewer');
    t.mock.timers.tick(1000);
    assert.deepEqual(ended, ['viewer']);
  });
});

describe('addresses', () => {
  it('are the same however they are written, and one machine has a /64', () => {
    assert.equal(plainAddress('::ffff:10.0.0.9'), '10.0.0.9');
    assert.equal(machineOf('10.0.0.9'), '10.0.0.9');
    assert.equal(machineOf('2001:db8::1'), machineOf('2001:db8:0:0:ffff::2'));
    assert.notEqual(machineOf('2001:db8::1'), machineOf('2001:db8:0:1::1'));
    assert.equal(machineOf('fe80::1%br0'), 'fe80:0:0:0::/64');
    assert.equal(machineOf('::1'), '0:0:0:0::/64');
  });
});
