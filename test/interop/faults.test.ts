import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { addMachine, clientScript, layBridge, requireTools, run, sh, tidy, until } from './dhcp.rig.ts';

// The whole program with exceptions at its edges and a kernel that refuses: what fails costs itself alone.

requireTools('udhcpc', 'curl', 'prlimit');

const folder = mkdtempSync(join(tmpdir(), 'reveille-faults-'));
const site = join(folder, 'site');
const state = join(folder, 'state');
const fault = join(folder, 'fault');
const reveille = join(import.meta.dirname, '../../bin/reveille');
const SITE = `networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/24
    server: 10.0.0.2
    pools: [{ range: 10.0.0.200-10.0.0.209, allow: any }]
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51 }
dhcp: { probe: off }
tftp: { root: boot }
`;
const FILE = 'a small file of the operator\n';
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));

type Server = {
  readonly child: ChildProcess;
  readonly pid: number;
  events(): Record<string, unknown>[];
  stop(): Promise<void>;
};
const running = new Set<() => Promise<void>>();

before(() => {
  layBridge();
  mkdirSync(join(site, 'boot'), { recursive: true });
  mkdirSync(state);
  writeFileSync(join(site, 'site.yaml'), SITE);
  writeFileSync(join(site, 'boot', 'small'), FILE);
  addMachine('node', '52:54:00:00:00:51');
});
afterEach(async () => {
  for (const stop of running) await stop();
});
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

async function start(): Promise<Server> {
  const preload = join(import.meta.dirname, 'faults.preload.ts');
  const child = spawn(reveille, ['serve', '--site', site, '--state', state, '--keep-privileges', '--log', 'json'], {
    env: { ...process.env, NODE_OPTIONS: `--import ${preload}`, REVEILLE_TEST_FAULT: fault },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
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
    () => output.includes('server.started'),
    () => output,
  );
  const events = () =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { child, pid: child.pid ?? 0, events, stop };
}

/** One real client of each service; each resolves to whether it was served. */
const CLIENTS: Readonly<Record<string, () => Promise<boolean>>> = {
  dhcp: async () =>
    /lease of 10\.0\.0\.51 obtained/.test(
      (await run('node', 20, 'udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', '3', '-T', '1', '-s', script)).output,
    ),
  tftp: async () => (await run('node', 20, 'curl', '-sS', '--max-time', '8', 'tftp://10.0.0.2/small')).output === FILE,
  // A boot file, then what the thread of the nodes' API answers, on one connection.
  http: async () => {
    const urls = ['boot/files/small', 'none'].map((path) => `http://10.0.0.2:8080/${path}`);
    const { output } = await run('node', 20, 'curl', '-sS', '--max-time', '5', ...urls);
    return output.startsWith(`${FILE}{`) && output.includes('FILE_MISSING');
  },
  operators: () =>
    promisify(execFile)(reveille, ['status', '--json', '--site', site, '--state', state]).then(
      ({ stdout }) => JSON.parse(stdout).live === true,
    ),
};
const NAMES = Object.keys(CLIENTS);

async function served(name: string): Promise<boolean> {
  return (await CLIENTS[name]?.().catch(() => false)) ?? false;
}

async function allServed(names = NAMES): Promise<void> {
  for (const name of names) assert.ok(await served(name), `${name} serves its client`);
}

function arm(server: Server, edge: string): Promise<void> {
  writeFileSync(fault, edge);
  server.child.kill('SIGUSR2');
  return delay(100);
}

const kindsOf = (server: Server, kind: string) => server.events().filter((event) => event.kind === kind);

describe('an exception that no code expected', () => {
  for (const name of NAMES) {
    it(`behind ${name} restarts ${name}, and the others serve on`, async () => {
      const server = await start();
      await allServed();
      await arm(server, name);
      await served(name);
      await until('the restart', 10, () => kindsOf(server, 'server.restarted').length === 1);
      await allServed();
      assert.deepEqual(
        kindsOf(server, 'server.restarted').map(({ service }) => service),
        [name],
      );
      const [reported, ...more] = kindsOf(server, 'server.fault');
      assert.partialDeepStrictEqual(reported, { service: name, message: `a mistake behind ${name}`, count: 1 });
      assert.match(String(reported?.stack), /faults\.preload\.ts/);
      assert.deepEqual(more, []);
      assert.equal(server.child.exitCode, null);
    });
  }

  it('behind the state ends the process, which starts again with every lease', async () => {
    const server = await start();
    await allServed();
    await arm(server, 'state');
    const ended = once(server.child, 'exit');
    // What operators change is in the state before they have their answer.
    await promisify(execFile)(reveille, ['token', 'create', 'x', '--role', 'viewer', '--state', state]).catch(() => {});
    assert.deepEqual(await ended, [70, null]);
    running.clear();
    await start();
    await allServed();
  });
});

describe('a kernel that refuses', () => {
  it('descriptors (EMFILE) costs what needs one, for as long as it does', async () => {
    const server = await start();
    await allServed();
    const open = readdirSync(`/proc/${server.pid}/fd`).length;
    sh(`prlimit --pid ${server.pid} --nofile=${Math.max(20, open - 5)}:4096`);
    for (let i = 0; i < 3; i++) await Promise.all(NAMES.map(served));
    assert.ok(await served('dhcp'), 'DHCP needs no descriptor for an answer');
    // The watch over the interfaces looks every five seconds.
    await delay(6000);
    sh(`prlimit --pid ${server.pid} --nofile=4096:4096`);
    await allServed();
    assert.deepEqual(kindsOf(server, 'server.fault'), []);
    assert.equal(server.child.exitCode, null);
  });

  it('to send (EACCES, ENETDOWN) costs the answers, for as long as it does', async () => {
    const server = await start();
    await allServed();
    sh('ip route add prohibit 10.0.0.51');
    await Promise.all(['tftp', 'http', 'dhcp'].map(served));
    sh('ip route del prohibit 10.0.0.51');
    await allServed();
    sh('ip link set br0 down');
    await served('dhcp');
    sh('ip link set br0 up');
    await allServed();
    assert.deepEqual(kindsOf(server, 'server.fault'), []);
    assert.equal(server.child.exitCode, null);
  });

  describe('standard output costs lines of the log, not the server:', () => {
    const args = ['serve', '--site', site, '--state', state, '--keep-privileges', '--log', 'text'];
    const listening = () => until('the server', 30, () => readdirSync(state).includes('reveille.sock'));
    const startInto = (output: number | 'pipe'): ChildProcess => {
      const child = spawn(reveille, args, { stdio: ['ignore', output, 'ignore'] });
      const ended = once(child, 'exit');
      running.add(async () => {
        child.kill();
        await ended;
        running.clear();
      });
      return child;
    };

    it('a device that is full', async () => {
      const full = openSync('/dev/full', 'w');
      startInto(full);
      closeSync(full);
      await listening();
      await allServed();
    });

    it('a reader that left', async () => {
      const child = startInto('pipe');
      child.stdout?.destroy();
      await listening();
      await allServed();
    });

    it('a file on a disk that is full for a while', async () => {
      const disk = join(folder, 'disk');
      sh(`mkdir ${disk}; mount -t tmpfs -o size=64k tmpfs ${disk}; head -c 64k /dev/zero >${disk}/filler || true`);
      const file = openSync(join(disk, 'log'), 'a');
      startInto(file);
      closeSync(file);
      await listening();
      await allServed();
      assert.equal(readFileSync(join(disk, 'log'), 'utf8'), '');
      sh(`rm ${disk}/filler`);
      await allServed();
      assert.match(readFileSync(join(disk, 'log'), 'utf8'), /^\(\d+ lines left out: .*\)\n.*DHCP/);
      for (const stop of running) await stop();
      sh(`umount ${disk}`);
    });
  });
});
