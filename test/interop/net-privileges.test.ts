import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');

const source = (file: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../src/net/${file}`, import.meta.url)));

/** Drops to what serving needs, then tells how every thread stands and whether the sockets of a server still open. */
const PROGRAM = `
import { readdirSync, readFileSync } from 'node:fs';
const { dropTo, missingCapabilities, SERVE_NEEDS } = await import(${source('capabilities.ts')});
if (!process.argv.includes('again')) console.error('pid ' + process.pid);
const user = process.argv.find((a) => a.startsWith('user='))?.slice(5);
if (!process.argv.includes('keep')) dropTo(SERVE_NEEDS, user ? { user } : {});
const { openUdp } = await import(${source('udp.ts')});
const { openRawSender } = await import(${source('raw.ts')});
const { openProber } = await import(${source('probe.ts')});
const attempt = async (open) => { try { (await open()).close(); return 'opened'; } catch (e) { return e.code + ': ' + e.message + ' | ' + e.hint; } };
console.log(JSON.stringify({
  pid: process.pid,
  mark: process.env.REVEILLE_PRIVILEGES_DROPPED,
  threads: readdirSync('/proc/self/task').map((t) => readFileSync('/proc/self/task/' + t + '/status', 'utf8')),
  missing: missingCapabilities(SERVE_NEEDS),
  administers: missingCapabilities(['CAP_NET_ADMIN']).length === 0,
  udp: await attempt(() => openUdp({ interface: 'lo', port: 67, broadcast: true })),
  raw: await attempt(() => openRawSender('lo')),
  arp: await attempt(() => openProber('lo', 'arp')),
  icmp: await attempt(() => openProber('lo', 'icmp')),
}));`;

type Told = {
  pid: number;
  mark?: string;
  threads: string[];
  missing: string[];
  administers: boolean;
  udp: string;
  raw: string;
  arp: string;
  icmp: string;
};

const ONLY = ((1n << 10n) | (1n << 13n)).toString(16).padStart(16, '0');
let folder: string;
let program: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'reveille-privileges-'));
  spawnSync('chmod', ['755', folder]);
  program = join(folder, 'program.mjs');
  writeFileSync(program, PROGRAM);
});
after(() => rmSync(folder, { recursive: true }));

function run(
  prefix: string[],
  ...args: string[]
): { told: Told; pids: string[]; status: number | null; stderr: string } {
  const [command = '', ...rest] = [...prefix, process.execPath, program, ...args];
  const { stdout, stderr, status } = spawnSync(command, rest, { encoding: 'utf8', cwd: folder });
  assert.notEqual(stdout, '', stderr);
  return { told: JSON.parse(stdout), pids: stderr.match(/(?<=^pid )\d+$/gm) ?? [], status, stderr };
}

const field = (status: string, name: string): string | undefined =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim();

function assertDropped(told: Told): void {
  assert(told.threads.length > 1, 'a Node program has several threads');
  for (const status of told.threads) {
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.equal(field(status, set), ONLY, status);
    assert.equal(field(status, 'NoNewPrivs'), '1');
  }
  assert.deepEqual(told.missing, []);
  assert.equal(told.administers, false);
}

function assertServes(told: Told): void {
  assert.deepEqual([told.udp, told.raw, told.arp, told.icmp], ['opened', 'opened', 'opened', 'opened']);
}

test('root keeps two capabilities in every thread, under the same pid, and can still open all of a server', () => {
  const { told, pids } = run([]);
  assertDropped(told);
  assertServes(told);
  // It ran twice, before and after, as one process.
  assert.deepEqual(pids, [String(told.pid), String(told.pid)]);
});

test('root of a user namespace drops the same way', () => {
  const { told } = run([
    'unshare',
    '--user',
    '--map-root-user',
    '--net',
    'sh',
    '-c',
    'ip link set lo up; exec "$@"',
    'sh',
  ]);
  assertDropped(told);
  assertServes(told);
});

test('a child that inherits the mark of another process still drops', () => {
  const { told } = run(['env', 'REVEILLE_PRIVILEGES_DROPPED=1']);
  assertDropped(told);
});

test('an ordinary user becomes of root, where the namespace has more than one user', () => {
  const users = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)[2];
  if (Number(users) > 1) {
    const { told } = run([], 'user=nobody');
    assertDropped(told);
    assertServes(told);
    const uid = field(told.threads[0] ?? '', 'Uid');
    assert.match(uid ?? '', /^(\d{4,})\s+\1\s+\1\s+\1$/);
  } else {
    const { status, stderr } = spawnSync(process.execPath, [program, 'user=nobody'], { encoding: 'utf8' });
    assert.notEqual(status, 0);
    assert.match(stderr, /setpriv/);
  }
});

const caps = (set: string): string[] => [
  'setpriv',
  `--bounding-set=${set}`,
  `--inh-caps=${set}`,
  `--ambient-caps=${set}`,
];

test('who has no more than needed starts once only', () => {
  const { told, pids } = run(caps('-all,+net_raw,+net_bind_service'));
  assert.equal(told.mark, undefined);
  assert.equal(pids.length, 1);
  assertServes(told);
});

test('with less the error names what is missing for which socket, and how to grant it', () => {
  const none = run(caps('-all')).told;
  assert.deepEqual(none.missing, ['CAP_NET_BIND_SERVICE', 'CAP_NET_RAW']);
  assert.match(
    none.udp,
    /^PRIVILEGE_MISSING: UDP port 67 .*CAP_NET_BIND_SERVICE.*AmbientCapabilities=CAP_NET_BIND_SERVICE/,
  );
  for (const told of [none.raw, none.arp, none.icmp])
    assert.match(
      told,
      /^PRIVILEGE_MISSING: .*lacks CAP_NET_RAW \| .*AmbientCapabilities=CAP_NET_RAW.*--ambient-caps=\+net_raw/,
    );
});
