import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { layBridge, requireTools, sh } from './dhcp.rig.ts';
import { runProgram, serveProgram, untilTrue } from './program.rig.ts';

requireTools('curl');

const folder = mkdtempSync(join(tmpdir(), 'reveille-http-port-'));
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

test('http.port follows an edit; machines that know the port before are served there still', async () => {
  const [site, state] = [join(folder, 'site'), join(folder, 'state')];
  mkdirSync(join(site, 'tftp'), { recursive: true });
  mkdirSync(state);
  writeFileSync(join(site, 'tftp/hello'), 'hello\n');
  const edit = (port: number) =>
    writeFileSync(
      join(site, 'site.yaml'),
      `networks:\n  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }\ntftp: { root: tftp }\nhttp: { port: ${port} }\n`,
    );
  edit(8080);
  layBridge();
  const server = await serveProgram(site, state);
  const bootUrl = async (): Promise<string> =>
    JSON.parse((await runProgram('status', '--site', site, '--state', state, '--json')).text).bootUrl;
  const fetched = async (port: number) =>
    (await promisify(execFile)('curl', ['-sSf', `http://10.0.0.2:${port}/boot/files/hello`])).stdout;
  assert.equal(await bootUrl(), 'http://10.0.0.2:8080/boot');
  edit(8090);
  await untilTrue(async () => (await bootUrl()) === 'http://10.0.0.2:8090/boot');
  assert.deepEqual([await fetched(8080), await fetched(8090)], ['hello\n', 'hello\n']);

  const other = createServer().listen(8091, '0.0.0.0');
  await new Promise((resolve) => other.once('listening', resolve));
  edit(8091);
  const socket = ['-sSf', '--unix-socket', join(state, 'reveille.sock')];
  const events = async () =>
    (await promisify(execFile)('curl', [...socket, 'http://reveille/api/v1/events?limit=100'])).stdout;
  await untilTrue(async () => (await events()).includes('"code":"PORT_IN_USE"'));
  assert.equal(await bootUrl(), 'http://10.0.0.2:8090/boot', 'a port that is taken changes nothing');
  assert.equal(await fetched(8090), 'hello\n');
  other.close();
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
});
