import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addMachine, clientScript, layBridge, requireTools, run, sh, tidy } from './dhcp.rig.ts';
import { runProgram, serveProgram } from './program.rig.ts';

requireTools('udhcpc');

const folder = mkdtempSync(join(tmpdir(), 'reveille-lease-'));
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

test('a lease is listed while the server runs and after, and ended by command', async () => {
  const [site, state] = [join(folder, 'site'), join(folder, 'state')];
  mkdirSync(site);
  mkdirSync(state);
  writeFileSync(
    join(site, 'site.yaml'),
    'networks:\n  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2, pools: [{ range: 10.0.0.200, allow: any }] }\ndhcp: { probe: off }\n',
  );
  layBridge();
  addMachine('one', '52:54:00:00:0a:01');
  addMachine('two', '52:54:00:00:0a:02');
  const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
  const ask = async (machine: string) =>
    (await run(machine, 20, 'udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', '3', '-T', '1', '-s', script)).output;
  const lease = (...words: string[]) => runProgram('lease', ...words, '--site', site, '--state', state);

  const server = await serveProgram(site, state);
  assert.match(await ask('one'), /lease of 10\.0\.0\.200 obtained/);
  assert.match((await lease('list')).text, /10\.0\.0\.200 +52:54:00:00:0a:01 .* rack +bound/);
  assert.match(await ask('two'), /no lease, failing/, 'the only address is lent');
  assert.match((await lease('release', '10.0.0.200')).text, /10\.0\.0\.200 is free/);
  assert.equal((await lease('release', '10.0.0.200')).code, 1);
  assert.match(await ask('two'), /lease of 10\.0\.0\.200 obtained/);
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
  const offline = JSON.parse((await lease('list', '--json')).text) as { ip: string; mac: string }[];
  assert.deepEqual(
    offline.map(({ ip, mac }) => [ip, mac]),
    [['10.0.0.200', '52:54:00:00:0a:02']],
  );
});
