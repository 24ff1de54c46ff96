import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import { addMachine, clientScript, layBridge, requireTools, run, sh, tidy, until } from './dhcp.rig.ts';

requireTools('udhcpc');

const folder = mkdtempSync(join(tmpdir(), 'reveille-strangers-'));
const site = join(folder, 'site');
const state = join(folder, 'state');
const reveille = join(import.meta.dirname, '../../bin/reveille');
const STRANGER = '52:54:00:00:0a:01';
const SITE = `# the rack
networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/24
    server: 10.0.0.2
    pools: [{ range: 10.0.0.200-10.0.0.209, allow: unknown }]
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51 }   # the first
classes: { uefi: { arch: efi-x64 } }
dhcp: { probe: off }
`;

before(() => {
  layBridge();
  mkdirSync(site);
  mkdirSync(state);
  writeFileSync(join(site, 'site.yaml'), SITE);
});
const running = new Set<() => Promise<void>>();
afterEach(async () => {
  for (const stop of running) await stop();
  await tidy();
});
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

async function start(): Promise<{ output(): string; stop(): Promise<void> }> {
  const child = spawn(reveille, ['serve', '--site', site, '--state', state, '--keep-privileges', '--log', 'json']);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    running.delete(stop);
    child.kill();
    await ended;
  };
  running.add(stop);
  await until(
    'the server',
    30,
    () => said.includes('server.started'),
    () => said,
  );
  return { output: () => said, stop };
}

async function command(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(reveille, [...args, '--site', site, '--state', state]);
  return stdout;
}

const ask = (): Promise<{ output: string }> =>
  run('machine', 20, 'udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', '5', '-T', '1', '-s', script, ...AS_FIRMWARE);
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
const AS_FIRMWARE = ['-V', 'PXEClient:Arch:00007:UNDI:003016', '-x', '0x5d:0007', '-x', 'hostname:fresh'];

test('an unknown machine that tries to boot is listed, kept over a restart, adopted, and then a node like others', async () => {
  addMachine('machine', STRANGER);
  const first = await start();
  assert.match((await ask()).output, /lease of 10\.0\.0\.200 obtained/);
  const listed = async () => JSON.parse(await command('node', 'strangers', '--json')) as Record<string, unknown>[];
  const [stranger] = await listed();
  assert.deepEqual(
    [stranger?.mac, stranger?.ip, stranger?.network, stranger?.via, stranger?.triedToBoot, stranger?.count],
    [STRANGER, '10.0.0.200', 'rack', 'br0', true, 2],
  );
  assert.deepEqual(stranger?.machine, {
    hostname: 'fresh',
    vendorClass: 'PXEClient:Arch:00007:UNDI:003016',
    architectures: [7],
    firmware: 'efi-x64',
  });
  assert.match(await command('status'), /\n\n1 unknown machine tried to boot \(reveille node strangers\)\n/);
  assert.match(
    await command('node', 'strangers'),
    /52:54:00:00:0a:01 {2}fresh .* efi-x64 .* br0 .* 10\.0\.0\.200 \(rack\)/,
  );
  const told = JSON.parse(await command('why', STRANGER, '--json'));
  assert.deepEqual(
    [told.node, told.state, told.lease.ip, told.lease.pool, told.classes, told.messages],
    [
      null,
      'asked-to-boot',
      '10.0.0.200',
      '10.0.0.200-10.0.0.209',
      ['uefi'],
      { discover: 1, offer: 1, request: 1, ack: 1 },
    ],
  );
  const adopt = told.advice
    .at(-1)
    .match(/`reveille (.*)`/)[1]
    .split(' ');
  assert.deepEqual(adopt, ['node', 'adopt', STRANGER, '--site', site, '--state', state]);
  await first.stop();
  assert.deepEqual(await listed(), [stranger], 'as the state has it');

  const second = await start();
  const { boot } = JSON.parse(await command('why', '10.0.0.200', '--json'));
  assert.deepEqual(boot, told.boot);
  assert.match(await command('node', 'adopt', STRANGER), /Added node02: 10\.0\.0\.52, 52:54:00:00:0a:01/);
  const line = '  node02: { mac: 52:54:00:00:0a:01, ip: 10.0.0.52 }\n';
  assert.equal(readFileSync(join(site, 'site.yaml'), 'utf8'), SITE.replace('# the first\n', `# the first\n${line}`));
  await until('the edit', 10, () => second.output().split('"site.loaded"').length > 1, second.output);
  assert.deepEqual(await listed(), []);
  const nodeNow = async (name: string) => JSON.parse(await command('status', name, '--json')).nodes[0];
  assert.deepEqual((await nodeNow('node02')).boot, boot, 'what it did before is its own');
  assert.match((await ask()).output, /lease of 10\.0\.0\.52 obtained/);
  await assert.rejects(command('node', 'adopt', STRANGER), /is a node already: node02/);
  await assert.rejects(command('node', 'adopt', '52:54:00:00:0a:02'), /no stranger 52:54:00:00:0a:02 has been seen/);

  const offer = second
    .output()
    .split('\n')
    .find((text) => text.includes('"dhcp.ack"') && text.includes('10.0.0.52'));
  const { time, ...event } = JSON.parse(offer ?? '{}');
  assert.match(time, /^20\d\d-\d\d-\d\dT/);
  assert.deepEqual([event.node, event.ip, event.mac, event.via], ['node02', '10.0.0.52', STRANGER, 'br0']);

  const adopted = await nodeNow('node02');
  assert.equal(adopted.lease.ip, '10.0.0.52');
  const loads = second.output().split('"site.loaded"').length;
  writeFileSync(join(site, 'site.yaml'), readFileSync(join(site, 'site.yaml'), 'utf8').replace('node02:', 'fresh02:'));
  await until('the new name', 10, () => second.output().split('"site.loaded"').length > loads, second.output);
  assert.deepEqual((await nodeNow('fresh02')).boot, adopted.boot, 'a node that is renamed is the same machine');
});
