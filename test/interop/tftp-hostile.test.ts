import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { encodeAck, encodeError, encodeRequest, type Option } from '../../src/tftp/packet.ts';
import { asClient, CLIENT, layWire, NAMESPACE, removeWire, SECOND, SERVER } from './tftp.rig.ts';
import type { ChildReport, ChildRun } from './tftp-child.ts';
import type { Flood } from './tftp-flood.ts';

const SMALL = 20_000;
const LARGE = 8_000_000;

let folder: string;
let server: ChildProcess;
let mac: string;

before(async () => {
  // Room for forged senders, and the clients' namespace as the router to everywhere else.
  layWire(16);
  ip('route', 'add', 'default', 'via', CLIENT);
  mac = interfaceAddresses().get('server0')?.[0]?.mac ?? '';
  folder = await mkdtemp(join(tmpdir(), 'tftp-hostile-'));
  await mkdir(join(folder, 'root'));
  for (const size of [SMALL, LARGE]) await writeFile(join(folder, 'root', `${size}`), randomBytes(size));
  server = await serve(false);
});

after(async () => {
  server.disconnect();
  await once(server, 'exit');
  await rm(folder, { recursive: true });
  removeWire();
});

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function serve(singlePort: boolean): Promise<ChildProcess> {
  const run: ChildRun = {
    root: join(folder, 'root'),
    addresses: [SERVER, SECOND],
    limits: { maxTransfers: 1024, maxTransfersPerClient: 16, singlePort },
  };
  const child = fork(join(import.meta.dirname, 'tftp-child.ts'), [JSON.stringify(run)]);
  await once(child, 'message');
  return child;
}

async function report(): Promise<ChildReport & { megabytes: number; descriptors: number }> {
  server.send('report');
  const [answer] = (await once(server, 'message')) as [ChildReport];
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  const megabytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  return { ...answer, megabytes, descriptors: (await readdir(`/proc/${server.pid}/fd`)).length };
}

type Sent = { sent: number; seconds: number };

async function flood(of: Omit<Flood, 'interface' | 'mac' | 'server'>): Promise<Sent> {
  const whole: Flood = { interface: 'client0', mac, server: SERVER, ...of };
  const args = ['netns', 'exec', NAMESPACE, process.execPath, '--disable-warning=ExperimentalWarning'];
  const child = spawn('ip', [...args, join(import.meta.dirname, 'tftp-flood.ts'), JSON.stringify(whole)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  return JSON.parse(output);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function request(file: string | number, options: readonly Option[] = [], mode = 'octet'): string {
  return hex(encodeRequest('rrq', `${file}`, mode, options));
}

const FOREVER: readonly Option[] = [{ name: 'timeout', value: '255' }];

/** Forged senders of each kind: machines of the network that do not exist, others beyond a router, and one that exists. */
const SENDERS = {
  'machines of the network that do not exist': ['10.9.%.%'],
  'addresses beyond a router': ['%.77.%.%'],
  'one address': ['10.9.200.1'],
  'all of these': ['10.9.%.%', '%.77.%.%', '10.9.200.1'],
} as const;

const FETCHES: Record<string, (file: string | number, into: string) => string[]> = {
  curl: (file, into) => ['curl', '-sS', '-o', into, `tftp://${SERVER}/${file}`],
  atftp: (file, into) => ['atftp', '-g', '-r', `${file}`, '-l', into, SERVER],
  'tftp-hpa': (file, into) => ['tftp', '-m', 'binary', SERVER, '-c', 'get', `${file}`, into],
  'busybox tftp': (file, into) => ['busybox', 'tftp', '-g', '-r', `${file}`, '-l', into, SERVER],
};

let tries = 0;

/** Fetches a file whole, and tells how long that took, milliseconds. */
async function fetchWhole(what: string, file = SMALL): Promise<number> {
  const into = join(folder, `got-${tries++}`);
  const [program = '', ...args] = FETCHES[what]?.(file, into) ?? [];
  const start = performance.now();
  const { code, output } = await asClient(folder, 30, program, ...args);
  const took = performance.now() - start;
  assert.equal(code, 0, `${what}: ${output}`);
  assert.ok((await readFile(into)).equals(await readFile(join(folder, 'root', `${file}`))), what);
  await rm(into);
  return took;
}

for (const [who, senders] of Object.entries(SENDERS)) {
  test(`after 1,100 requests with a timeout of 255 s in the name of ${who} every client gets its file`, async () => {
    await flood({ packets: 1100, perSecond: 5000, senders, payloads: [request(SMALL, FOREVER)] });
    const { stats, descriptors } = await report();
    assert.ok(stats.unheard <= 512 && descriptors < 1200, JSON.stringify({ stats, descriptors }));
    for (const what of Object.keys(FETCHES)) {
      const took = await fetchWhole(what);
      assert.ok(took < 3000, `${what} took ${Math.round(took)} ms`);
    }
  });
}

test('a client that was never heard is forgotten after 10 s, whatever timeout it asked for', async () => {
  for (let i = 0; i < 130 && (await report()).stats.transfers > 0; i++) await delay(100);
  assert.equal((await report()).stats.transfers, 0);
});

test('beside 5,000 forged requests a second every client gets its file, and nothing grows', async () => {
  const calm = await report();
  const payloads = [request(SMALL), request(LARGE, FOREVER), request('absent'), request(SMALL, [], 'mail')];
  let over = false;
  const flooding = flood({ packets: 40_000, perSecond: 5000, senders: SENDERS['all of these'], payloads });
  flooding.finally(() => (over = true));
  const times: number[] = [];
  let most = { descriptors: 0, neighbours: 0 };
  while (!over) {
    for (const what of Object.keys(FETCHES)) times.push(await fetchWhole(what));
    const { descriptors } = await report();
    const neighbours = execFileSync('ip', ['neigh', 'show', 'dev', 'server0']).toString().split('\n').length;
    most = {
      descriptors: Math.max(most.descriptors, descriptors),
      neighbours: Math.max(most.neighbours, neighbours),
    };
  }
  const { sent, seconds } = await flooding;
  const storm = await report();
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? 0;
  const summary = `${sent} in ${seconds.toFixed(1)} s; ${times.length} files, median ${Math.round(median)} ms, slowest ${Math.round(times.at(-1) ?? 0)} ms`;
  console.log(summary, most, `${Math.round(calm.megabytes)} MB, then ${Math.round(storm.megabytes)} MB`);
  assert.ok(times.length >= 8 && median < 1000, summary);
  assert.ok(storm.megabytes < calm.megabytes + 100, `${calm.megabytes} MB, then ${storm.megabytes} MB`);
  assert.ok(most.descriptors < 1200 && most.neighbours < 512, JSON.stringify(most));
  assert.deepEqual(storm.faults, []);
  // What comes to nothing is listed up to a limit, and counted.
  const listed = (storm.events['tftp.failed'] ?? 0) + (storm.events['tftp.missing'] ?? 0);
  assert.ok(listed < 1500, `${listed} events`);
  assert.ok(storm.events.TFTP_BUSY === 1 || storm.events.TFTP_BUSY === 2, JSON.stringify(storm.events));
});

test('what cannot be answered is counted and dropped', async () => {
  const before = await report();
  const payloads = [request(SMALL), hex(encodeAck(1)), '0003000178', request(SMALL, FOREVER), request('absent')];
  await flood({ packets: 50, perSecond: 1000, from: 0, senders: [CLIENT, '10.9.%.%', '10.9.200.1'], payloads });
  await flood({ packets: 50, perSecond: 1000, senders: ['10.9.255.255', '224.0.0.1', '0.0.0.0'], payloads });
  await flood({ packets: 50, perSecond: 1000, from: 69, senders: [SERVER, SECOND], payloads });
  await flood({ packets: 50, perSecond: 1000, from: 69, senders: [CLIENT], payloads: [hex(encodeError(5, 'no'))] });
  await fetchWhole('curl');
  const { faults, events, stats } = await report();
  assert.deepEqual(faults, []);
  assert.ok((events['packets.malformed'] ?? 0) > 0);
  assert.ok(stats.sent > before.stats.sent);
});

/** Datagrams that arrived at the clients' namespace, wanted or not. */
function arrived(): number {
  const text = execFileSync('ip', ['netns', 'exec', NAMESPACE, 'cat', '/proc/net/snmp']).toString();
  const [, values = ''] = text.split('\n').filter((line) => line.startsWith('Udp:'));
  const [, received = 0, noPort = 0] = values.split(' ').map(Number);
  return received + noPort;
}

test('in the name of a victim one gets a few packets sent to it, each once', async () => {
  const victim = '10.9.0.66';
  ip('-n', NAMESPACE, 'addr', 'add', `${victim}/16`, 'dev', 'client0');
  const payloads = [request(SMALL), request(LARGE, FOREVER), request('absent'), hex(encodeAck(9))];
  const start = arrived();
  const { sent, seconds } = await flood({ packets: 15_000, perSecond: 5000, senders: [victim], payloads });
  await delay(200);
  const during = arrived() - start;
  assert.ok(sent === 15_000 && during > 10 && during < 64 + 16 * (seconds + 2), `${during} in ${seconds} s`);
  await delay(6000);
  assert.equal(arrived() - start, during, 'nothing is sent again by itself');
});

test('netascii in the name of others costs no reading of whole files', async () => {
  const before = await report();
  const { seconds } = await flood({
    packets: 3000,
    perSecond: 1000,
    senders: SENDERS['all of these'],
    payloads: [request(LARGE, [], 'netascii'), request(LARGE, [{ name: 'tsize', value: '0' }], 'netascii')],
  });
  const { cpu } = await report();
  assert.ok(cpu - before.cpu < 2, `${cpu - before.cpu} s of a processor in ${seconds} s`);
});

test('a transfer goes on after its packets were refused by the kernel for a while', async () => {
  const fetching = fetchWhole('busybox tftp', LARGE);
  await delay(150);
  ip('route', 'add', 'prohibit', `${CLIENT}/32`);
  await delay(700);
  ip('route', 'del', 'prohibit', `${CLIENT}/32`);
  assert.ok((await fetching) < 15_000);
  assert.deepEqual((await report()).faults, []);
});

test('through the one listening port transfers are not held up by replies that wait for ARP', async () => {
  server.disconnect();
  await once(server, 'exit');
  server = await serve(true);
  const payloads = [request(SMALL), request('absent'), hex(encodeAck(7)), request(SMALL, [], 'mail')];
  const flooding = flood({ packets: 15_000, perSecond: 5000, senders: SENDERS['all of these'], payloads });
  const times: number[] = [];
  let over = false;
  flooding.finally(() => (over = true));
  while (!over) times.push(await fetchWhole('curl', LARGE), await fetchWhole('atftp'));
  await flooding;
  assert.ok(times.length >= 2 && Math.max(...times) < 10_000, `${times.map(Math.round)}`);
  assert.deepEqual((await report()).faults, []);
});
