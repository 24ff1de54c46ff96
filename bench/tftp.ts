/**
 * TFTP throughput beside tftpd-hpa and dnsmasq: the same clients (curl, and atftp for windows), the same file, one veth
 * wire, in turns. The best round counts: each packet of a lockstep transfer waits for a processor to wake up, and in a
 * virtual machine some rounds, of any server, take eight times as long for nothing but that.
 * Run as: test/isolated node_modules/.bin/node bench/tftp.ts [rounds] [--cpu-prof]
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileInside } from '../src/boot/confine.ts';
import { parseIpv4 } from '../src/model/ipv4.ts';
import { startTftpServer } from '../src/tftp/server.ts';
import { type Comparison, report } from './report.ts';
import { layWire, type Wire, withFolder } from './wire.ts';

const MEGABYTE = 1_000_000;
const FILE_BYTES = 40 * MEGABYTE;
const ADDRESSES = { ours: '10.9.0.1', 'tftpd-hpa': '10.9.0.3', dnsmasq: '10.9.0.4' } as const;

type ServerName = keyof typeof ADDRESSES;
const SERVERS = ['ours', 'tftpd-hpa', 'dnsmasq'] as const satisfies readonly ServerName[];
const PEERS = SERVERS.slice(1);

type Case = {
  readonly name: string;
  readonly parallel: number;
  readonly command: (host: string, into: string) => string[];
};

const curl =
  (blockSize: number) =>
  (host: string, into: string): string[] => [
    'curl',
    '-sS',
    '--tftp-blksize',
    `${blockSize}`,
    '-o',
    into,
    `tftp://${host}/file`,
  ];

const atftp =
  (blockSize: number, windowSize: number) =>
  (host: string, into: string): string[] => [
    'atftp',
    '-g',
    '-r',
    'file',
    '-l',
    into,
    '--option',
    `blksize ${blockSize}`,
    '--option',
    `windowsize ${windowSize}`,
    host,
  ];

const CASES: readonly Case[] = [
  { name: 'one client, blksize 1408 (curl)', parallel: 1, command: curl(1408) },
  { name: 'one client, blksize 512 (curl)', parallel: 1, command: curl(512) },
  { name: 'one client, blksize 1468 windowsize 16 (atftp)', parallel: 1, command: atftp(1468, 16) },
  { name: '8 clients, blksize 1408 (curl)', parallel: 8, command: curl(1408) },
  { name: '8 clients, blksize 1468 windowsize 16 (atftp)', parallel: 8, command: atftp(1468, 16) },
];

if (process.argv[2] === '--serve') await serve(process.argv[3] ?? '');
else await bench();

/** Our server, in a process of its own as the peers are. */
async function serve(root: string): Promise<void> {
  const address = parseIpv4(ADDRESSES.ours);
  if (address === undefined) throw new Error(ADDRESSES.ours);
  const server = await startTftpServer({
    addresses: () => [address],
    limits: () => ({ maxTransfers: 100, maxTransfersPerClient: 100, singlePort: false }),
    events: (event) => {
      if (event.kind !== 'tftp.sent') console.error(event);
    },
    source: async (name) => {
      const path = await fileInside(root, name);
      return path === undefined ? undefined : { role: 'file', kind: 'file', path };
    },
  });
  process.once('SIGTERM', () => server.close().then(() => process.exit()));
}

async function bench(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 5) || 5;
  const wire = layWire('10.9');
  for (const peer of PEERS) execFileSync('ip', ['addr', 'add', `${ADDRESSES[peer]}/16`, 'dev', wire.server]);
  await withFolder(async (root) => {
    // tftpd-hpa serves only what everybody may read.
    await chmod(root, 0o755);
    await writeFile(join(root, 'file'), randomBytes(FILE_BYTES));
    const servers = startServers(root, process.argv.includes('--cpu-prof'));
    try {
      await Promise.all(SERVERS.map((server) => answers(wire, ADDRESSES[server], root)));
      report(comparisons(await measure(wire, rounds, root)));
      console.log('tftpd-hpa 5.2 and dnsmasq 2.90 do not know windowsize and answer those requests in lockstep.');
    } finally {
      for (const server of servers) await ended(server);
    }
  });
}

function startServers(root: string, profile: boolean): ChildProcess[] {
  const stdio = ['ignore', 'inherit', 'inherit'] as const;
  const nodeArgs = profile ? ['--cpu-prof', '--cpu-prof-dir=/tmp/tftp-profile'] : [];
  const dnsmasq = [
    '--port=0',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--user=root',
    '--pid-file',
    '--log-facility=/dev/null',
  ];
  return [
    spawn(process.execPath, [...nodeArgs, import.meta.filename, '--serve', root], { stdio: [...stdio] }),
    spawn('in.tftpd', ['-L', '--ipv4', '-u', 'root', '-a', `${ADDRESSES['tftpd-hpa']}:69`, '-s', root], {
      stdio: [...stdio],
    }),
    spawn(
      'dnsmasq',
      [
        ...dnsmasq,
        '--enable-tftp',
        `--tftp-root=${root}`,
        `--listen-address=${ADDRESSES.dnsmasq}`,
        '--bind-interfaces',
      ],
      { stdio: [...stdio] },
    ),
  ];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Waits until a server serves. */
async function answers(wire: Wire, host: string, root: string): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const fetched = await fetch(wire, curl(1408)(host, join(root, `ready-${host}`)), 3).then(
      () => true,
      () => false,
    );
    if (fetched) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${host} does not answer`);
}

async function fetch(wire: Wire, command: string[], seconds: number): Promise<void> {
  const [program = '', ...enter] = wire.client;
  const child = spawn(program, [...enter, 'timeout', `${seconds}`, ...command], { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}`);
}

type Speeds = Map<Case, Map<ServerName, number[]>>;

async function measure(wire: Wire, rounds: number, root: string): Promise<Speeds> {
  const speeds: Speeds = new Map(CASES.map((each) => [each, new Map(SERVERS.map((server) => [server, []]))]));
  for (let round = 0; round < rounds; round++) {
    for (const each of CASES) {
      for (const server of SERVERS) {
        const speed = await speedOf(wire, each, ADDRESSES[server], root);
        speeds.get(each)?.get(server)?.push(speed);
        console.error(`round ${round + 1}: ${each.name}, ${server}: ${speed.toFixed(0)} MB/s`);
      }
    }
  }
  return speeds;
}

/** Megabytes per second over all clients together. */
async function speedOf(wire: Wire, each: Case, host: string, root: string): Promise<number> {
  const files = Array.from({ length: each.parallel }, (_, i) => join(root, `got-${i}`));
  const start = performance.now();
  await Promise.all(files.map((into) => fetch(wire, each.command(host, into), 120)));
  const seconds = (performance.now() - start) / 1000;
  for (const into of files) {
    if ((await stat(into)).size !== FILE_BYTES) throw new Error(`${host} sent ${into} incomplete`);
    await rm(into);
  }
  return (each.parallel * FILE_BYTES) / MEGABYTE / seconds;
}

function comparisons(speeds: Speeds): Comparison[] {
  return [...speeds].flatMap(([each, byServer]) => {
    const best = (server: ServerName): number => Math.max(...(byServer.get(server) ?? []));
    return PEERS.map((peer) => ({
      what: each.name,
      unit: 'MB/s',
      ours: best('ours'),
      peer,
      theirs: best(peer),
      better: 'more' as const,
    }));
  });
}
