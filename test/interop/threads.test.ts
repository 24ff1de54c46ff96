import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { addMachine, clientScript, layBridge, requireTools, run, sh, tidy, until } from './dhcp.rig.ts';

requireTools('udhcpc', 'curl');

const folder = mkdtempSync(join(tmpdir(), 'reveille-threads-'));
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

test('while the main thread stands still, leases are given, and boot files sent by TFTP and HTTP', async (t) => {
  layBridge();
  addMachine('node', '52:54:00:00:00:51');
  addMachine('stranger', '52:54:00:00:00:52');
  const site = join(folder, 'site');
  mkdirSync(join(site, 'boot'), { recursive: true });
  writeFileSync(join(site, 'boot', 'small'), 'a small file\n');
  writeFileSync(
    join(site, 'site.yaml'),
    `networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/24
    server: 10.0.0.2
    pools: [{ range: 10.0.0.200-10.0.0.209, allow: any }]
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51 }
dhcp: { probe: off }
tftp: { root: boot }
`,
  );
  const moves = join(folder, 'moves');
  const child = spawn(
    join(import.meta.dirname, '../../bin/reveille'),
    ['serve', '--site', site, '--state', join(folder, 'state'), '--keep-privileges', '--log', 'json'],
    {
      env: {
        ...process.env,
        NODE_OPTIONS: `--import ${join(import.meta.dirname, 'threads.preload.ts')}`,
        REVEILLE_TEST_MOVES: moves,
      },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await ended;
  });
  await until(
    'the server',
    30,
    () => output.includes('server.started'),
    () => output,
  );
  const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
  const lease = async (machine: string) =>
    (await run(machine, 20, 'udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', '3', '-T', '1', '-s', script)).output;
  const fetch = async (url: string) => (await run('node', 20, 'curl', '-sS', '--max-time', '5', url)).output;

  child.kill('SIGUSR2');
  await delay(100);
  assert.match(await lease('node'), /lease of 10\.0\.0\.51 obtained/);
  assert.match(await lease('stranger'), /lease of 10\.0\.0\.2\d\d obtained/);
  assert.equal(await fetch('tftp://10.0.0.2/small'), 'a small file\n');
  assert.equal(await fetch('http://10.0.0.2:8080/boot/files/small'), 'a small file\n');
  assert.ok(!existsSync(moves), 'the main thread stood still all the time');

  await until('the main thread', 20, () => existsSync(moves));
  await until('the events', 10, () => ['dhcp.ack', 'tftp.sent', 'http.sent'].every((kind) => output.includes(kind)));
});
