import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askJson, askLines, socketPath } from './api.ts';

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

test('a server that ends in the middle of its answer is told as one that is away, not as a mistake of ours', async (t) => {
  const state = await serverThat(t, (response) => {
    response.write('{"n":1}\n{"n":', () => response.destroy());
  });
  const away = { code: 'SERVER_UNREACHABLE', message: 'the server ended before its answer did' };
  await assert.rejects(askJson(state, '/'), away);
  const lines: unknown[] = [];
  const reading = async () => {
    for await (const line of askLines(state, '/')) lines.push(line);
  };
  await assert.rejects(reading(), away);
  assert.deepEqual(lines, [{ n: 1 }]);
});

test('a refusal is told in the words and with the code of the server', async (t) => {
  const refusal = { code: 'NODE_UNKNOWN', message: 'no node nodexx', hint: 'see status' };
  const told = await serverThat(t, (response) => response.writeHead(404).end(JSON.stringify(refusal)));
  await assert.rejects(askJson(told, '/x'), refusal);
  const silent = await serverThat(t, (response) => response.writeHead(500).end('<html>'));
  await assert.rejects(askJson(silent, '/x'), { code: 'REQUEST_INVALID', message: 'the server answered 500 to /x' });
  await assert.rejects(askJson('/nonexistent', '/x'), { code: 'SERVER_UNREACHABLE' });
});
