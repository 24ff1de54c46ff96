/**
 * A site of 2,000 nodes: how long it takes to load and check, and how many nodes' bundles are rendered a second. Beside it
 * dhcpd and dnsmasq, which check their configuration of the same machines.
 *   node_modules/.bin/node bench/site.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { formatIpv4, type Ipv4, parseIpv4 } from '../src/model/ipv4.ts';
import { openCredentials } from '../src/node/credentials.ts';
import { openIdentities } from '../src/node/identity.ts';
import { nodeBundle } from '../src/node/nodeBundle.ts';
import { openPeers } from '../src/node/peers.ts';
import { openSiteSecrets } from '../src/node/siteSecrets.ts';
import { createRenderer } from '../src/node/templates.ts';
import { loadSite } from '../src/site/load.ts';
import { emptyStore } from '../src/state/testing/fakes.ts';
import { report } from './report.ts';
import { withFolder } from './wire.ts';

const NODES = 2000;
const ROUNDS = 5;
const FIRST = parseIpv4('10.10.1.0') as Ipv4;

/** Time that passed, and time of the processor: the machine may do other things meanwhile. */
type Figure = { readonly ms: number; readonly cpuMs: number };
type Loading = { readonly first: Figure; readonly again: Figure };

type Machine = { readonly name: string; readonly mac: string; readonly ip: string };
const machines = Array.from({ length: NODES }, (_, i): Machine => {
  const [high, low] = [i >> 8, i & 255].map((byte) => byte.toString(16).padStart(2, '0'));
  return {
    name: `node${String(i + 1).padStart(4, '0')}`,
    mac: `52:54:00:00:${high}:${low}`,
    ip: formatIpv4((FIRST + i) as Ipv4),
  };
});

const HEAD = `site: bench
networks:
  rack:
    subnet: 10.10.0.0/16
    server: 10.10.0.2
    gateway: 10.10.0.1
    pools: [{ range: 10.10.200.0-10.10.210.255 }]
profiles:
  base: { kernelArgs: [console=ttyS0], overlays: [base], vars: { rack: none, nova: { ram: 1.5, cpu: 4 } } }
  compute: { image: ram, overlays: [nova], services: [nova-compute], vars: { nova: { cpu: 8 } } }
  gpu: { kernelArgs: [iommu=pt] }
nodes:
`;

/** Every node in lines of its own. */
function entries(): string {
  const text = ({ name, mac, ip }: Machine, i: number): string =>
    `  ${name}:
    mac: ${mac}
    ip: ${ip}
    profiles: [base, compute${i % 4 === 0 ? ', gpu' : ''}]
    vars: { rack: r${i >> 5}, u: ${i % 32} }
`;
  return HEAD + machines.map(text).join('');
}

/** The same machines in ranges of 32, each of which has one node with an entry of its own. */
function ranges(): string {
  const texts: string[] = [];
  for (let start = 0; start < NODES; start += RANGE) {
    const part = machines.slice(start, start + RANGE);
    const span = (value: (machine: Machine) => string): string => part.map(value).filter(isEnd).join('-');
    const [first] = part;
    if (first === undefined) break;
    texts.push(`  node[${span(({ name }) => name.slice(4))}]:
    mac: ${first.mac.slice(0, 15)}[${span(({ mac }) => mac.slice(15))}]
    ip: ${first.ip.replace(/[0-9]+$/, '')}[${span(({ ip }) => ip.replace(/^.*\./, ''))}]
    profiles: [base, compute]
    vars: { rack: r${start / RANGE} }
  ${first.name}: { profiles: [gpu], vars: { u: 1 } }
`);
  }
  return HEAD + texts.join('');
}

function isEnd(_: string, i: number, all: readonly string[]): boolean {
  return i === 0 || i === all.length - 1;
}

const RANGE = 32;

const OVERLAYS = {
  'overlays/base/etc/hostname.j2': '{{ node.name }}\n',
  'overlays/base/etc/motd': 'A node of the bench.\n',
  'overlays/base/etc/network.j2':
    'address {{ node.ip }}\n{% if network.gateway %}gateway {{ network.gateway }}\n{% endif %}',
  'overlays/nova/etc/nova.conf.j2':
    '[DEFAULT]\nmy_ip = {{ node.ip }}\ncpu = {{ vars.nova.cpu }}\nram = {{ vars.nova.ram }}\n',
  'images/ram.yaml': 'from: { debian: bookworm }\n',
};

function dhcpdText(): string {
  const hosts = machines.map(({ name, mac, ip }) => {
    return `host ${name} { hardware ethernet ${mac}; fixed-address ${ip}; option host-name "${name}"; filename "pxelinux.0"; }\n`;
  });
  return `subnet 10.10.0.0 netmask 255.255.0.0 { option routers 10.10.0.1; range 10.10.200.0 10.10.210.255; }\n${hosts.join('')}`;
}

function dnsmasqText(): string {
  const hosts = machines.map(({ name, mac, ip }) => `dhcp-host=${mac},${ip},${name}\n`);
  return `port=0\ndhcp-range=10.10.200.0,10.10.210.255,255.255.0.0,1h\ndhcp-boot=pxelinux.0\n${hosts.join('')}`;
}

/** The median time of a program from start to end, in milliseconds. */
function timed(program: string, ...args: readonly string[]): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    return performance.now() - start;
  });
  return times.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

await withFolder(async (folder) => {
  for (const [path, text] of Object.entries(OVERLAYS)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const load = async (text: string): Promise<Loading> => {
    await writeFile(join(folder, 'site.yaml'), text);
    const rounds: Figure[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [cpu, start] = [process.cpuUsage(), performance.now()];
      const loaded = await loadSite(folder);
      const { user, system } = process.cpuUsage(cpu);
      rounds.push({ ms: performance.now() - start, cpuMs: (user + system) / 1000 });
      if (!loaded.ok || loaded.site.nodes.size !== NODES)
        throw new Error(`the site is wrong: ${JSON.stringify(loaded)}`);
    }
    const [first, ...more] = rounds;
    const again = more.toSorted((a, b) => a.ms - b.ms)[more.length >> 1];
    if (first === undefined || again === undefined) throw new Error('too few rounds');
    return { first, again };
  };
  const own = await load(entries());
  const check = timed(join(import.meta.dirname, '../bin/reveille'), 'check', '--site', folder);
  const inRanges = await load(ranges());
  await load(entries());
  const rendered = await bundlesPerSecond(folder);

  const dhcpd = join(folder, 'dhcpd.conf');
  await writeFile(dhcpd, dhcpdText());
  const isc = timed('dhcpd', '-t', '-4', '-cf', dhcpd, '-lf', '/dev/null');
  const dnsmasq = join(folder, 'dnsmasq.conf');
  await writeFile(dnsmasq, dnsmasqText());
  const simon = timed('dnsmasq', '--test', '-C', dnsmasq);

  const words = ({ ms, cpuMs }: Figure): string => `${ms.toFixed(0)} ms (${cpuMs.toFixed(0)} ms of processor)`;
  console.log(
    `${NODES} nodes with entries of their own: loaded in ${words(own.first)} at first, then in ${words(own.again)}`,
  );
  console.log(`${NODES} nodes in ranges: loaded in ${words(inRanges.first)} at first`);
  console.log(`bundles rendered: ${rendered.toFixed(0)} /s`);
  report([
    { what: `reveille check, ${NODES} nodes`, unit: 'ms', ours: check, peer: 'dhcpd -t', theirs: isc, better: 'less' },
    {
      what: `reveille check, ${NODES} nodes`,
      unit: 'ms',
      ours: check,
      peer: 'dnsmasq --test',
      theirs: simon,
      better: 'less',
    },
    {
      what: 'following an edit (load, in the server)',
      unit: 'ms',
      ours: own.again.ms,
      peer: 'dhcpd -t',
      theirs: isc,
      better: 'less',
    },
  ]);
});

/** Bundles of all nodes, one after the other, as each node's request makes them. */
async function bundlesPerSecond(folder: string): Promise<number> {
  const loaded = await loadSite(folder);
  if (!loaded.ok) throw new Error('the site is wrong');
  const { site } = loaded;
  const identities = openIdentities(emptyStore().identities);
  const means = {
    secrets: openSiteSecrets(() => site, {}),
    identities,
    credentialsOf: openCredentials(emptyStore().certificates, { scratch: tmpdir(), now: Date.now }),
    peersOf: openPeers(identities),
    renderer: createRenderer(),
  };
  const server = { ip: parseIpv4('10.10.0.2') as Ipv4, httpPort: 8080 };
  const start = performance.now();
  for (const node of site.nodes.values()) await nodeBundle(site, node, { inventory: undefined, server }, means);
  return (site.nodes.size / (performance.now() - start)) * 1000;
}
