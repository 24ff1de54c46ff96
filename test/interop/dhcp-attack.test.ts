import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { addMachine, requireTools, sh, start, tidy, until } from './dhcp.rig.ts';
import type { Told } from './flood-client.ts';
import { PROGRAM } from './program.rig.ts';

requireTools();

/**
 * The whole program under 5,000 hostile packets a second of every kind, while machines that the site lists ask for their
 * addresses: on the wire, by broadcast and by frame, and through a relay.
 */

const RATE = 5000;
const SECONDS = 8;
const QUIET_SECONDS = 2;
const KINDS = [
  'discover',
  'request',
  'inform',
  'renew',
  'relayed',
  'relayed-inform',
  'decline',
  'release',
  'malformed',
];
const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-attack-'));
const site = join(folder, 'site');
const state = join(folder, 'state');

before(() => {
  sh(`ip link add br0 type bridge
    ip addr add 10.0.0.2/16 dev br0
    ip link set br0 up`);
  addMachine('node', '52:54:00:00:00:51');
  addMachine('relay', '52:54:00:00:00:09');
  addMachine('attacker', '52:54:00:00:0a:0a');
  sh('ip -n relay addr add 10.0.0.9/16 dev eth0; ip -n node addr add 10.0.0.51/16 dev eth0');
  mkdirSync(join(site, 'boot'), { recursive: true });
  mkdirSync(state);
  writeFileSync(
    join(site, 'site.yaml'),
    `networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/16
    server: 10.0.0.2
    pools: [{ range: 10.0.16.0-10.0.31.255, allow: unknown }]
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51 }
  node02: { mac: 52:54:00:00:00:52, ip: 10.0.0.52 }
tftp: { root: boot }
`,
  );
});
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

const program = (name: string, ...args: string[]): string[] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, name),
  ...args,
];

/** What the listed machines met with in so many seconds, by kind of exchange. */
async function exchanges(seconds: number): Promise<Record<string, Told>> {
  const clients = [
    start('node', ...program('flood-client.ts', 'direct', `${seconds}`)),
    start('relay', ...program('flood-client.ts', 'relayed', `${seconds}`)),
  ];
  await Promise.all(clients.map(({ child }) => once(child, 'close')));
  return Object.assign({}, ...clients.map(({ output }) => JSON.parse(output())));
}

const percentile = ({ ms }: Told, part: number): number =>
  ms.toSorted((a, b) => a - b)[Math.min(ms.length - 1, Math.floor(ms.length * part))] ?? Number.POSITIVE_INFINITY;

function report(what: string, told: Record<string, Told>): void {
  for (const [kind, one] of Object.entries(told)) {
    const [p50, p99, most] = [0.5, 0.99, 1].map((part) => percentile(one, part).toFixed(1));
    const { ms, again, lost } = one;
    console.log(
      `${what}, ${kind}: ${ms.length} answers, p50 ${p50} ms, p99 ${p99}, most ${most}; ${again} asked again, ${lost} lost`,
    );
  }
}

const megabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('5,000 hostile packets a second of every kind neither lose nor hold up what listed machines ask', async () => {
  const server = spawn(PROGRAM, ['serve', '--site', site, '--state', state, '--keep-privileges', '--log', 'json']);
  let log = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (log += text));
  try {
    await until(
      'the server',
      30,
      () => log.includes('server.started'),
      () => log,
    );
    const quiet = await exchanges(QUIET_SECONDS);
    report('quiet', quiet);
    const before = megabytes(server.pid ?? 0);

    const flood = start('attacker', ...program('flood-sender.ts', `${RATE}`, `${SECONDS + 2}`, ...KINDS));
    const spoofed = start('attacker', ...program('flood-sender.ts', '200', `${SECONDS + 2}`, 'rrq'));
    const ended = Promise.all([flood, spoofed].map(({ child }) => once(child, 'close')));
    await sleep(1000);
    const under = await exchanges(SECONDS);
    report(`${RATE}/s`, under);
    await ended;
    const sent = Number(/sent (\d+)/.exec(flood.output())?.[1]);
    const grown = megabytes(server.pid ?? 0) - before;
    console.log(`${sent} hostile packets, ${grown.toFixed(0)} MB more memory`);

    assert.ok(sent > RATE * SECONDS * 0.8, `only ${sent} hostile packets were sent: ${flood.output()}`);
    assert.deepEqual(Object.keys(under).sort(), Object.keys(quiet).sort());
    for (const [kind, told] of Object.entries(under)) {
      assert.ok(told.ms.length >= 10, `${kind}: ${told.ms.length} answers`);
      assert.equal(told.lost, 0, `${kind}: lost`);
      // On a machine that does nothing else no question is asked twice, and 99 of 100 answers take less than 200 ms.
      assert.ok(told.again <= Math.max(2, told.ms.length * 0.03), `${kind}: ${told.again} asked again`);
      const most = 200 + 10 * percentile(quiet[kind] ?? told, 0.95);
      assert.ok(percentile(told, 0.95) <= most, `${kind}: p95 ${percentile(told, 0.95)} ms, limit ${most}`);
    }
    assert.ok(grown < 300, `${grown} MB more memory`);
    assert.equal(server.exitCode, null);
    assert.doesNotMatch(log, /"server\.fault"|"server\.restarted"/);
  } finally {
    server.kill();
    await once(server, 'exit');
  }
});
