import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileInside } from '../../src/boot/confine.ts';
import type { Happening } from '../../src/model/event.ts';
import { parseIpv4 } from '../../src/model/ipv4.ts';
import { startTftpServer, type TftpServer } from '../../src/tftp/server.ts';
import { asClient, LOSSY, LossyWire, layWire, type Ran, removeWire, SECOND, SERVER } from './tftp.rig.ts';

const SIZES = [0, 1, 511, 512, 513, 200_000, 1_000_000];
/** More than 65535 blocks of 512 bytes: the block number wraps. */
const WRAPPING = 40_000_000;

const limits = { maxTransfers: 500, maxTransfersPerClient: 20, singlePort: false };
const events: Happening[] = [];
let folder: string;
let root: string;
let server: TftpServer;
let tries = 0;

before(async () => {
  layWire();
  folder = await mkdtemp(join(tmpdir(), 'tftp-interop-'));
  root = join(folder, 'root');
  await mkdir(join(root, 'pxelinux.cfg'), { recursive: true });
  for (const size of [...SIZES, WRAPPING]) await writeFile(join(root, `${size}`), randomBytes(size));
  await writeFile(join(root, 'text'), 'unix\nlines\r\nand a bare\rreturn\n'.repeat(3000));
  await writeFile(join(root, 'pxelinux.cfg/default'), 'default linux\n');
  await writeFile(join(folder, 'secret'), 'not to be seen');
  await symlink('../secret', join(root, 'leak'));
  await symlink(folder, join(root, 'leaks'));
  const addresses = [SERVER, SECOND].map(parseIpv4).filter((address) => address !== undefined);
  server = await startTftpServer({
    addresses: () => addresses,
    limits: () => limits,
    events: (happening) => events.push(happening),
    source: async (name) => {
      const path = await fileInside(root, name);
      return path === undefined ? undefined : { role: 'file', kind: 'file', path };
    },
  });
});

after(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
  removeWire();
});

/** How a client is told to fetch `file` from `host` into `into`. */
type Fetch = (host: string, file: string, into: string) => string[];

const FETCHES: Record<string, Fetch> = {
  'tftp-hpa, octet': (host, file, into) => ['tftp', '-m', 'binary', host, '-c', 'get', file, into],
  'tftp-hpa, netascii': (host, file, into) => ['tftp', host, '-c', 'get', file, into],
  atftp: (host, file, into) => ['atftp', '-g', '-r', file, '-l', into, host],
  'atftp, all options': (host, file, into) =>
    ['atftp', '-g', '-r', file, '-l', into].concat(
      ['blksize 1428', 'windowsize 16', 'tsize', 'timeout 1', 'multicast disable'].flatMap((option) => [
        '--option',
        option,
      ]),
      host,
    ),
  'busybox tftp': (host, file, into) => ['busybox', 'tftp', '-g', '-r', file, '-l', into, host],
  'busybox tftp, large blocks': (host, file, into) => [
    'busybox',
    'tftp',
    '-g',
    '-b',
    '1468',
    '-r',
    file,
    '-l',
    into,
    host,
  ],
  curl: (host, file, into) => ['curl', '-sS', '-o', into, `tftp://${host}/${file}`],
  'curl, large blocks': (host, file, into) => [
    'curl',
    '-sS',
    '--tftp-blksize',
    '1468',
    '-o',
    into,
    `tftp://${host}/${file}`,
  ],
  'curl, no options': (host, file, into) => ['curl', '-sS', '--tftp-no-options', '-o', into, `tftp://${host}/${file}`],
};

async function run(fetch: Fetch, host: string, file: string, seconds = 60): Promise<Ran & { into: string }> {
  const into = join(folder, `got-${tries++}`);
  const [program = '', ...args] = fetch(host, file, into);
  return { ...(await asClient(folder, seconds, program, ...args)), into };
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Fetches `file` and compares it; a client that makes no file of zero bytes has it right too. */
async function fetchWhole(what: string, fetch: Fetch, host: string, file: string, seconds = 60): Promise<void> {
  const ran = await run(fetch, host, file, seconds);
  assert.equal(ran.code, 0, `${what}, ${file}: exit ${ran.code}: ${ran.output}`);
  if (file === '0') assert.equal((await readFile(ran.into).catch(() => Buffer.alloc(0))).length, 0);
  else assert.equal(await sha256(ran.into), await sha256(join(root, file)), `${what}, ${file}: ${ran.output}`);
  await rm(ran.into, { force: true });
}

for (const [what, fetch] of Object.entries(FETCHES)) {
  test(`${what}: every size arrives unchanged`, async () => {
    for (const size of SIZES) await fetchWhole(what, fetch, SERVER, `${size}`);
    await fetchWhole(what, fetch, SECOND, '513');
    await fetchWhole(what, fetch, SERVER, 'pxelinux.cfg/default');
  });
}

test('netascii text is converted both ways without loss', async () => {
  const fetch = FETCHES['tftp-hpa, netascii'];
  assert.ok(fetch !== undefined);
  await fetchWhole('tftp-hpa, netascii', fetch, SERVER, 'text');
});

for (const what of ['tftp-hpa, octet', 'atftp', 'busybox tftp', 'curl']) {
  test(`${what}: ${WRAPPING} bytes in blocks of 512, past the wrap of the block number`, async () => {
    const fetch = FETCHES[what];
    assert.ok(fetch !== undefined);
    await fetchWhole(what, fetch, SERVER, `${WRAPPING}`, 120);
  });
}

test('each transfer is one event with its size, and none failed', () => {
  const sent = events.filter((event) => event.kind === 'tftp.sent');
  const expected = Object.keys(FETCHES).length * (SIZES.length + 2) + 1 + 4;
  assert.equal(sent.length, expected);
  assert.deepEqual(
    events.filter(({ kind }) => kind !== 'tftp.sent'),
    [],
  );
});

test('through a wire that loses 1 % and repeats 1 % of all packets', async () => {
  const wire = new LossyWire(0.01, 0.01);
  await wire.open();
  try {
    await Promise.all(
      Object.entries(FETCHES).map(async ([what, fetch]) => {
        // curl asks for a time-out of six seconds, and gets it: each loss costs it as much.
        const large = what === 'curl' || what === 'curl, large blocks' ? '200000' : '1000000';
        for (const file of ['513', large]) await fetchWhole(what, fetch, LOSSY, file, 200);
      }),
    );
  } finally {
    wire.close();
  }
  const packets = wire.passed + wire.lost;
  assert.ok(wire.lost > 0.005 * packets && wire.repeated > 0.005 * packets, `${wire.lost} lost of ${packets}`);
  // Five clients take 1954 blocks, the others some 1900 together, each with its ACK: repetitions must not multiply.
  const least = 2 * (5 * 1954 + 1900);
  assert.ok(packets > 0.9 * least && packets < 1.15 * least, `${packets} packets, ${least} without loss`);
});

test('through the one listening port', async () => {
  limits.singlePort = true;
  try {
    for (const [what, fetch] of Object.entries(FETCHES)) {
      for (const file of ['512', '1000000']) await fetchWhole(`one port, ${what}`, fetch, SERVER, file);
    }
  } finally {
    limits.singlePort = false;
  }
});

test('no name leaves the root', async () => {
  const names = [
    '../secret',
    '../../../../../../etc/passwd',
    '/etc/passwd',
    '//etc/passwd',
    'pxelinux.cfg/../../secret',
    '..\\secret',
    '\\..\\..\\etc\\passwd',
    'pxelinux.cfg\\..\\..\\secret',
    'leak',
    'leaks/secret',
    '.',
    '..',
    '/',
    'pxelinux.cfg',
    join(folder, 'secret'),
    '../secret\xff',
  ];
  for (const name of names) {
    for (const what of ['tftp-hpa, octet', 'atftp', 'busybox tftp']) {
      const fetch = FETCHES[what];
      assert.ok(fetch !== undefined);
      const before = events.length;
      const { into } = await run(fetch, SERVER, name, 5);
      const got = await readFile(into, 'utf8').catch(() => '');
      assert.equal(got, '', `${what} got ${name}`);
      const told = events.slice(before).map(({ kind }) => kind);
      assert.ok(
        told.every((kind) => kind === 'tftp.missing' || kind === 'tftp.failed'),
        `${name}: ${told}`,
      );
    }
  }
  // What is asked with a NUL in it is asked without what follows, and then lacks a mode: no answer, no file.
  const answers = await burst(1, 'secret\0../secret', 300);
  assert.equal(answers.data, 0);
});

test('backslashes and leading slashes still name files inside', async () => {
  for (const name of ['/pxelinux.cfg/default', 'pxelinux.cfg\\default', '//./512', '512\xff']) {
    const answers = await burst(1, name, 300);
    assert.equal(answers.data, 1, name);
  }
});

test('a missing file and a write are refused at once', async () => {
  const start = performance.now();
  const missing = await asClient(folder, 20, 'tftp', SERVER, '-c', 'get', 'absent');
  assert.match(missing.output, /Error code 1: file not found/);
  const write = await asClient(folder, 20, 'tftp', SERVER, '-c', 'put', 'secret', 'written');
  assert.match(write.output, /Error code 2: .*read-only/);
  const atftp = await asClient(folder, 20, 'atftp', '-p', '-l', 'secret', '-r', 'written', SERVER);
  assert.notEqual(atftp.code, 0);
  assert.ok(performance.now() - start < 2000);
  assert.ok(!(await readdir(root)).includes('written'));
});

test('hundreds of requests at once are limited, and a client that vanishes frees its transfers', async () => {
  const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
  await idle(30);
  const before = await descriptors();
  const answers = await burst(300, '1000000', 1000, () => {
    assert.equal(server.gauges().transfers, limits.maxTransfersPerClient);
  });
  assert.equal(answers.clients, limits.maxTransfersPerClient);
  // While the vanished client's transfers still wait for it, the same machine is turned away; then it is served again.
  await idle(60);
  assert.equal(await descriptors(), before);
  const fetch = FETCHES.curl;
  assert.ok(fetch !== undefined);
  await fetchWhole('after the burst', fetch, SERVER, '513');
  const failed = events.filter((event) => event.kind === 'tftp.failed' && event.reason.includes('never acknowledged'));
  assert.ok(failed.length >= limits.maxTransfersPerClient);
});

async function idle(seconds: number): Promise<void> {
  for (let i = 0; i < seconds * 10 && server.gauges().transfers > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(server.gauges().transfers, 0);
}

/**
 * Sends `count` requests for `name` (each byte of it one character) from as many ports of the client's, answers nothing,
 * and is gone after `ms`. Tells how many ports got an answer, and how many DATA packets came that were no repetition.
 */
async function burst(
  count: number,
  name: string,
  ms: number,
  meanwhile: () => void = () => {},
): Promise<{ clients: number; data: number }> {
  const program = `
    import dgram from 'node:dgram';
    const [count, name, ms] = JSON.parse(process.argv[1]);
    const request = Buffer.from('\\0\\x01' + name + '\\0octet\\0', 'latin1');
    const ports = new Set(), data = new Set();
    for (let i = 0; i < count; i++) {
      const socket = dgram.createSocket('udp4');
      socket.on('message', (bytes) => { ports.add(i); if (bytes[1] === 3) data.add(i); });
      socket.send(request, 69, '${SERVER}');
    }
    setTimeout(() => { console.log(JSON.stringify({ clients: ports.size, data: data.size })); process.exit(); }, ms);`;
  const args = ['--input-type=module', '-e', program, JSON.stringify([count, name, ms])];
  const child = spawn('ip', ['netns', 'exec', 'tftp-client', process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  await once(child, 'close');
  meanwhile();
  return JSON.parse(output);
}
