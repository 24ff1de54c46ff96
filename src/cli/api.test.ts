import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { EVENTS } from '../http/contracts/events.ts';
import { SYNC } from '../http/contracts/files.ts';
import { LIST_LEASES } from '../http/contracts/leases.ts';
import { SHOW_ROLL } from '../http/contracts/rolls.ts';
import { STATUS } from '../http/contracts/status.ts';
import { ask, askLines, socketPath } from './api.ts';

/** A state folder whose server answers so. */
async function serverThat(t: TestContext, answers: (response: ServerResponse) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'api-'));
  const server = createServer((_, response) => answers(response)).listen(socketPath(folder));
  await once(server, 'listening');
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const EVENT = '{"at":1,"kind":"server.started"}\n';
const allEvents = async (state: string, lines: unknown[] = []) => {
  for await (const line of askLines(state, EVENTS, { query: {} })) lines.push(line);
};

test('a server that ends in the middle of its answer counts as one that is away, not as a mistake of ours', async (t) => {
  const state = await serverThat(t, (response) => {
    response.write(`${EVENT}{"n":`, () => response.destroy());
  });
  const away = { code: 'SERVER_UNREACHABLE', message: 'the server ended before its answer did' };
  await assert.rejects(ask(state, STATUS, {}), away);
  const lines: unknown[] = [];
  await assert.rejects(allEvents(state, lines), away);
  assert.deepEqual(lines, [JSON.parse(EVENT)]);
});

test('a refusal has the words and the code of the server', async (t) => {
  const refusal = { code: 'NODE_UNKNOWN', message: 'no node nodexx', hint: 'see status' };
  const refusing = await serverThat(t, (response) => response.writeHead(404).end(JSON.stringify(refusal)));
  await assert.rejects(ask(refusing, STATUS, {}), refusal);
  const others = ['<html>', '{"code":"OF_ANOTHER_RELEASE","message":"x"}', '{"code":"NODE_UNKNOWN"}', '[]'];
  for (const body of others) {
    const other = await serverThat(t, (response) => response.writeHead(500).end(body));
    await assert.rejects(ask(other, SHOW_ROLL, { params: { id: 'a/b' } }), {
      code: 'REQUEST_INVALID',
      message: 'the server answered 500 to /api/v1/rolls/a%2Fb',
    });
  }
  await assert.rejects(ask('/nonexistent', STATUS, {}), { code: 'SERVER_UNREACHABLE' });
});

test('an answer is taken only if it is of the form of its contract; fields that are new are left in it', async (t) => {
  const lease = {
    ip: '10.0.0.9',
    mac: '52:54:00:00:00:51',
    network: 'n',
    state: 'bound',
    start: 1,
    expires: 2,
    node: null,
  };
  const rows: readonly (readonly [answer: unknown, taken: boolean])[] = [
    [[], true],
    [[{ ...lease, pool: null, added: { later: 1 } }], true],
    [[lease], false],
    [[{ ...lease, pool: null, mac: '5254.0000.0051' }], false],
    [{}, false],
    [null, false],
  ];
  for (const [answer, taken] of rows) {
    const state = await serverThat(t, (response) => response.end(JSON.stringify(answer)));
    if (taken) assert.deepEqual(await ask(state, LIST_LEASES, {}), answer);
    else
      await assert.rejects(ask(state, LIST_LEASES, {}), {
        code: 'REQUEST_INVALID',
        message: "the server's answer to /api/v1/leases is not of the form that this command reads",
        hint: 'The server may run another release: restart it.',
      });
  }
  const lines = await serverThat(t, (response) => response.end(`${EVENT}{"kind":1}\n`));
  await assert.rejects(allEvents(lines), { code: 'REQUEST_INVALID' });
});

test('a request that does not fit its contract is not sent', async () => {
  const body = { nodes: 'node01', timeoutMs: 40 * 24 * 3600 * 1000 };
  await assert.rejects(askLines('/nonexistent', SYNC, { body }).next(), {
    code: 'REQUEST_INVALID',
    message: '"timeoutMs" in the body must be 2147483647 or less',
  });
});
