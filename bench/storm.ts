/**
 * A power cut ends: 1,000 simulated nodes from DISCOVER to `ready` at once (`reveille storm`), against Reveille and against Kea, atftpd and nginx that serve the same bytes; and the
 * memory of Reveille over ten such storms.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { StormReport } from '../src/storm/report.ts';
import { FIRST_NODE, nodeAt } from './bigSite.ts';
import { putImage } from './bootImage.ts';
import { asked, hand, handPlot, note } from './result.ts';
import { alternate, length, spread } from './rounds.ts';
import { NGINX_HTTP, REVEILLE, scratchFolder, startKea, startNginx, startReveille, startTftpPeer } from './servers.ts';
import { AMONG_CLIENTS, layWires, type Wire } from './wire.ts';

const NODES = length(1000, 200);
const ROUNDS = length(3, 1);
const STORMS = 10;
const KERNEL_BYTES = 2_000_000;
const INITRD_BYTES = 8_000_000;
const BUNDLE_BYTES = 10_240;
const LOADER = '/usr/lib/ipxe/undionly.kpxe';

const { ours, peer } = layWires();
using folder = scratchFolder();
const site = join(folder.path, 'site');
const state = join(folder.path, 'state');
const root = join(folder.path, 'root');
for (const one of [join(site, 'images'), join(site, 'overlays/base/etc'), root]) mkdirSync(one, { recursive: true });
const kernel = randomBytes(KERNEL_BYTES);
const initrd = randomBytes(INITRD_BYTES);
writeSite();
await putImage(state, kernel, initrd);
writePeerFiles();

await using servers = new AsyncDisposableStack();
const reveille = servers.use(await startReveille(ours, { site, state }));

if (asked('storm')) {
  await using others = new AsyncDisposableStack();
  const hosts = Array.from({ length: NODES }, (_, i) => nodeAt(peer, FIRST_NODE + i));
  const atftpd = others.use(await startTftpPeer(peer, 'atftpd', root));
  const kea = others.use(
    await startKea(peer, folder.path, {
      pool: `${peer.prefix}.200.0-${peer.prefix}.200.250`,
      hosts,
      boot: { loader: 'loader', script: `http://${peer.server}:${NGINX_HTTP}/script`, tftp: atftpd.address },
    }),
  );
  const nginx = others.use(
    await startNginx(
      peer,
      folder.path,
      root,
      'location = /node/v1/bundle { rewrite ^ /bundle break; } location ~ ^/node/v1/(report|inventory)$ { return 204; }',
    ),
  );
  const sides = [
    { wire: ours, servers: [reveille] },
    { wire: peer, servers: [kea, atftpd, nginx] },
  ];
  const [mine = [], theirs = []] = await alternate(ROUNDS, sides, async ({ wire, servers: all }) => {
    const before = all.reduce((sum, one) => sum + one.processorSeconds(), 0);
    const report = await runStorm(wire);
    const cpu = all.reduce((sum, one) => sum + one.processorSeconds(), 0) - before;
    return { report, cpu };
  });
  const name = 'Kea + atftpd + nginx';
  for (const part of ['p50', 'p99'] as const) {
    const of = (reports: typeof mine) => spread(reports.map(({ report }) => (report.total?.[part] ?? 0) / 1000));
    hand({
      row: 'storm',
      what: `${NODES} nodes at once from DISCOVER to ready, ${part} of a node`,
      unit: 's',
      better: 'less',
      ours: of(mine),
      against: { kind: 'peer', name, figure: of(theirs), reach: 1 },
      notes: part === 'p50' ? [words('Reveille', mine), words(name, theirs)] : [],
    });
  }
  const failed = (reports: typeof mine) => spread(reports.map(({ report }) => report.nodes - report.ready));
  hand({
    row: 'storm',
    what: 'nodes that failed in a storm',
    unit: 'nodes',
    better: 'less',
    ours: failed(mine),
    against: { kind: 'bound', figure: 0 },
    notes: [`${name}: ${failed(theirs).median}`],
  });
  const [a, b] = [mine[0]?.report, theirs[0]?.report];
  if (a && b)
    handPlot('storm', {
      title: `${NODES} nodes from DISCOVER to ready`,
      x: { label: 'time since the first DISCOVER (s)' },
      y: { label: 'nodes ready' },
      series: [
        { name: 'Reveille', points: a.curve },
        { name, points: b.curve },
      ],
    });
}

if (asked('memory-storms')) {
  const megabytes: number[] = [];
  for (let i = 0; i < STORMS; i++) {
    await runStorm(ours);
    await delay(2000);
    megabytes.push(reveille.residentBytes() / 1e6);
    note(`after storm ${i + 1}: ${megabytes.at(-1)?.toFixed(0)} MB`);
  }
  const half = STORMS / 2;
  const first = spread(megabytes.slice(0, half));
  const second = spread(megabytes.slice(half));
  hand({
    row: 'memory-storms',
    what: `memory after ten storms of ${NODES} nodes`,
    unit: 'MB',
    better: 'less',
    ours: spread(megabytes.slice(-1)),
    against: { kind: 'bound', figure: 200 },
  });
  hand({
    row: 'memory-storms',
    what: 'growth: median of storms 6 to 10 beside that of 1 to 5',
    unit: 'MB',
    better: 'less',
    ours: second,
    against: { kind: 'peer', name: 'storms 1 to 5', figure: first, reach: 1 / 1.05 },
  });
  handPlot('memory', {
    title: `Memory after each of ten storms of ${NODES} nodes`,
    x: { label: 'storms' },
    y: { label: 'memory (MB)' },
    series: [{ name: 'Reveille', points: megabytes.map((value, i) => [i + 1, value]) }],
  });
}

async function runStorm(wire: Wire): Promise<StormReport> {
  const [first, ...enter] = AMONG_CLIENTS;
  const args = ['storm', '--site', site, '--interface', wire.clientInterface, '--limit', '100s', '--json'];
  const { stdout } = await promisify(execFile)(first, [...enter, REVEILLE, ...args], { maxBuffer: 1 << 26 }).catch(
    (error: { code?: unknown; stdout?: string }) => {
      if (error.code === 1 && error.stdout) return { stdout: error.stdout };
      throw error;
    },
  );
  const report = JSON.parse(stdout) as StormReport;
  const { ready, nodes, seconds, total, failed, bottleneck } = report;
  note(
    `${wire === ours ? 'Reveille' : 'peers'}: ${ready} of ${nodes} in ${seconds.toFixed(1)} s, p50 ${((total?.p50 ?? 0) / 1000).toFixed(1)} s; ${JSON.stringify(bottleneck)}; ${JSON.stringify(failed)}`,
  );
  return report;
}

function words(name: string, all: readonly { readonly report: StormReport; readonly cpu: number }[]): string {
  const middle = (of: (one: (typeof all)[number]) => number) => spread(all.map(of)).median;
  const steps = all[0]?.report.steps.map(({ step, p50, p99 }) => `${step} ${p50.toFixed(0)}/${p99.toFixed(0)}`);
  return `${name}: the last node ready after ${middle(({ report }) => report.seconds).toFixed(1)} s, ${middle(({ cpu }) => cpu).toFixed(1)} s of processor (the clients: ${middle(({ report }) => report.load.ownCpuSeconds).toFixed(1)} s), ${middle(({ report }) => report.load.resent)} DHCP requests sent again; p50/p99 in ms: ${steps?.join(', ')}; bottleneck ${JSON.stringify(all[0]?.report.bottleneck)}`;
}

/** MACs are the same on both wires; the address of a node is that of Reveille's. */
function writeSite(): void {
  const lines = Array.from({ length: NODES }, (_, i) => {
    const { mac, ip } = nodeAt(ours, FIRST_NODE + i);
    return `  n${i}: { mac: '${mac}', ip: ${ip}, profiles: [base] }\n`;
  });
  writeFileSync(join(site, 'images/ram.yaml'), 'from: { debian: bookworm }\n');
  writeFileSync(join(site, 'overlays/base/etc/motd.j2'), 'This is {{ node.name }}.\n');
  writeFileSync(join(site, 'overlays/base/etc/settings'), randomBytes(BUNDLE_BYTES / 2).toString('hex'));
  writeFileSync(
    join(site, 'site.yaml'),
    `networks: { load: { interface: ${ours.interface}, subnet: ${ours.prefix}.0.0/16 } }
profiles: { base: { image: ram, overlays: [base] } }
nodes:
${lines.join('')}`,
  );
}

/** The same bytes for the peers: loader, script, kernel, initrd, and a bundle of about the same size as ours. */
function writePeerFiles(): void {
  const base = `http://${peer.server}:${NGINX_HTTP}`;
  copyFileSync(LOADER, join(root, 'loader'));
  writeFileSync(join(root, 'vmlinuz'), kernel);
  writeFileSync(join(root, 'initrd'), initrd);
  writeFileSync(join(root, 'bundle'), randomBytes(BUNDLE_BYTES * 2));
  writeFileSync(
    join(root, 'script'),
    `#!ipxe\nkernel ${base}/vmlinuz initrd=initrd reveille.server=${base}\ninitrd --name initrd ${base}/initrd\nboot\n`,
  );
}
