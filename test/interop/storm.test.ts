import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openShelf } from '../../src/image/shelf.ts';
import { isInOwnNamespace } from '../../src/net/ownAddress.ts';
import type { StormReport } from '../../src/storm/report.ts';
import { PROGRAM, runProgram, serveProgram } from './program.rig.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this with test/isolated');

// Simulated nodes in a namespace of their own, against the real server and against servers that are not ours.

const NODES = 50;
const scratch = mkdtempSync(join(tmpdir(), 'reveille-storm-'));
const site = join(scratch, 'site');
const state = join(scratch, 'state');

before(async () => {
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  ip('netns', 'add', 'nodes');
  ip('link', 'add', 's0', 'type', 'veth', 'peer', 'name', 'c0', 'netns', 'nodes');
  ip('addr', 'add', '10.30.0.1/16', 'dev', 's0');
  ip('link', 'set', 's0', 'up');
  ip('-n', 'nodes', 'link', 'set', 'lo', 'up');
  ip('-n', 'nodes', 'link', 'set', 'c0', 'up');

  mkdirSync(join(site, 'images'), { recursive: true });
  writeFileSync(join(site, 'images/ram.yaml'), 'from: { debian: bookworm }\n');
  writeFileSync(join(site, 'images/never.yaml'), 'from: { debian: bookworm }\n');
  const nodes = Array.from({ length: NODES }, (_, i) => {
    const hex = i.toString(16).padStart(2, '0');
    return `  n${i}: { mac: '02:00:00:00:01:${hex}', ip: 10.30.1.${i}, profiles: [all] }\n`;
  });
  writeFileSync(
    join(site, 'site.yaml'),
    `networks: { rack: { interface: s0, subnet: 10.30.0.0/16, pools: [{ range: 10.30.9.0-10.30.9.50, allow: known }] } }
profiles: { all: { image: ram } }
nodes:
${nodes.join('')}  late: { mac: '02:00:00:00:02:00', image: never }
`,
  );
  await putImage();
});

after(() => rmSync(scratch, { recursive: true, force: true }));

test('nodes of a site boot against the real server until it takes them for ready, and leave nothing behind', async () => {
  const server = await serveProgram(site, state);
  try {
    const svg = join(scratch, 'storm.svg');
    const { status, report } = runStorm('n*', '--limit', '60s', '--svg', svg);
    assert.deepEqual(report.failed, []);
    assert.equal(report.ready, NODES);
    assert.equal(status, 0);
    assert.deepEqual(
      report.steps.map(({ step, count }) => [step, count]),
      [
        'firmware-dhcp',
        'loader',
        'loader-dhcp',
        'script',
        'kernel',
        'initrd',
        'system-dhcp',
        'inventory',
        'bundle',
        'ready',
      ].map((step) => [step, NODES]),
    );
    // The loader of the Debian package, and kernel and initrd of the image.
    assert.equal(report.load.bytes, NODES * (readFileSync('/usr/lib/ipxe/undionly.kpxe').length + 300_000 + 2_000_000));
    assert.match(readFileSync(svg, 'utf8'), /^<svg .*50 simulated nodes/);

    const seen = JSON.parse((await runProgram('status', '--site', site, '--state', state, '--json')).text) as {
      nodes: readonly { name: string; state: string; ip: string }[];
    };
    const ready = seen.nodes.filter((node) => node.state === 'ready');
    assert.equal(ready.length, NODES, 'the server has the same view of them');
    assert.equal(ready.find(({ name }) => name === 'n7')?.ip, '10.30.1.7');
    assert.doesNotMatch(execFileSync('ip', ['-n', 'nodes', 'addr', 'show', 'c0'], { encoding: 'utf8' }), / inet /);

    // Words for people.
    const shown = spawnSync('ip', stormCommand('n[0-4]'), { encoding: 'utf8' });
    assert.match(shown.stdout, /^5 of 5 nodes ready in /);
    assert.match(shown.stdout, /^Bottleneck: /m);

    // A node whose image was never built has a script that boots nothing.
    const { status: bad, report: late } = runStorm('late', '--limit', '30s');
    assert.equal(bad, 1);
    assert.deepEqual(
      late.failed.map(({ step, code, count }) => [step, code, count]),
      [['script', 'no-boot-file', 1]],
    );
  } finally {
    server.kill();
    await once(server, 'exit');
  }
});

test('the same nodes boot from dnsmasq and another HTTP server; a refusing server is waited for, a wrong status is a failure', async () => {
  const files = join(scratch, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'loader'), randomBytes(100_000));
  let busy = 3;
  const web = createServer((request, response) => {
    request.resume();
    const path = request.url ?? '';
    if (path === '/script') {
      if (busy-- > 0) response.writeHead(503, { 'retry-after': '1' }).end();
      else
        response.end(
          '#!ipxe\ngoto node\n:node\nkernel kernel reveille.server=http://10.30.0.1:8081 || goto x\ninitrd --name initrd initrd\nboot\n',
        );
    } else if (path === '/initrd' && request.socket.remoteAddress === '10.30.8.3') response.writeHead(404).end();
    else if (request.method === 'POST') response.writeHead(204).end();
    else response.end(randomBytes(path.startsWith('/node/v1/bundle') ? 3000 : 500_000));
  }).listen(8081, '10.30.0.1');
  await once(web, 'listening');
  const hosts = [1, 2, 3, 4].map((i) => `--dhcp-host=02:00:00:00:01:0${i},10.30.8.${i}`);
  const args = [
    ...[
      '--port=0',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--user=root',
      '--pid-file',
      '--log-facility=/dev/null',
    ],
    ...[
      '--interface=s0',
      '--dhcp-range=10.30.8.0,static,255.255.0.0',
      '--dhcp-authoritative',
      '--leasefile-ro',
      '--no-ping',
      ...hosts,
    ],
    ...['--enable-tftp', `--tftp-root=${files}`, '--dhcp-userclass=set:ipxe,iPXE'],
    ...['--dhcp-boot=loader', '--dhcp-boot=tag:ipxe,http://10.30.0.1:8081/script'],
  ];
  const dnsmasq = spawn('dnsmasq', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  try {
    const { status, report } = await runStormBeside('n[1-4]', '--limit', '30s');
    assert.deepEqual(
      report.failed.map(({ step, code, count }) => [step, code, count]),
      [['initrd', 'http-404', 1]],
    );
    assert.equal(report.ready, 3);
    assert.equal(status, 1);
    assert.equal(report.load.waits, 3);
  } finally {
    dnsmasq.kill();
    web.close();
    await once(dnsmasq, 'exit');
  }
});

test('without a server the nodes give up in time, and say so', () => {
  const { status, report } = runStorm('n[0-1]', '--limit', '2s');
  assert.equal(status, 1);
  assert.deepEqual(
    report.failed.map(({ step, code, count }) => [step, code, count]),
    [['firmware-dhcp', 'no-answer', 2]],
  );
  assert.equal(report.total, null);
});

test('a namespace of its own is told from that of the machine', () => {
  assert.equal(isInOwnNamespace(), true);
});

function stormCommand(set: string, ...flags: string[]): string[] {
  return ['netns', 'exec', 'nodes', PROGRAM, 'storm', set, '--site', site, '--interface', 'c0', ...flags];
}

function runStorm(set: string, ...flags: string[]): { status: number | null; report: StormReport } {
  const { status, stdout, stderr } = spawnSync('ip', stormCommand(set, '--json', ...flags), { encoding: 'utf8' });
  assert.equal(stderr, '');
  return { status, report: JSON.parse(stdout) as StormReport };
}

/** The same while this process has to answer. */
async function runStormBeside(
  set: string,
  ...flags: string[]
): Promise<{ status: number | null; report: StormReport }> {
  const child = spawn('ip', stormCommand(set, '--json', ...flags), { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, report: JSON.parse(out) as StormReport };
}

async function putImage(): Promise<void> {
  const shelf = openShelf(join(state, 'images'));
  const folder = await shelf.draft('ram');
  const contents = (name: string, bytes: number) => {
    const content = randomBytes(bytes);
    writeFileSync(join(folder, name), content);
    return { size: bytes, sha256: createHash('sha256').update(content).digest('hex') };
  };
  await shelf.put(folder, {
    name: 'ram',
    kernel: contents('vmlinuz', 300_000),
    initrd: contents('initrd', 2_000_000),
    builtAt: '2026-01-01T00:00:00.000Z',
    kernelVersion: '6.1.0-1-amd64',
    packages: [],
  });
}
