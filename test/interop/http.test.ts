import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { httpFiles } from '../../src/boot/files.ts';
import { askLines } from '../../src/cli/api.ts';
import { ReveilleError } from '../../src/errors.ts';
import { EVENTS } from '../../src/http/contracts/events.ts';
import { createOperatorsServer } from '../../src/http/operators.ts';
import { createHttpServer, type HttpServerFrom } from '../../src/http/server.ts';
import { operatorsFixture, STATUS_VALUE } from '../../src/http/testing/operatorsFixture.ts';
import { openedPaths } from '../../src/image/openedList.ts';
import type { Event, Happening } from '../../src/model/event.ts';
import { parseSubnet } from '../../src/model/ipv4.ts';
import { makeBundle } from '../../src/node/bundle.ts';
import type { News } from '../../src/node/news.ts';
import { Orders } from '../../src/node/orders.ts';
import { NO_SECRETS, SecretMask } from '../../src/node/secretMask.ts';
import { NodeTokens } from '../../src/node/tokens.ts';
import { ip, networkFixture, nodeFixture, siteFixture } from '../../src/site/testing/fixture.ts';
import { emptyStore } from '../../src/state/testing/fakes.ts';
import { statusJson } from '../../src/words/status.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this with test/isolated');

const scratch = mkdtempSync(join(tmpdir(), 'reveille-http-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const SHA = 'ab'.repeat(32);
const FILE_SHA = 'cd'.repeat(32);
const FILE = { path: '/etc/nic', mode: 0o644, owner: 'root', group: 'root', origin: 'overlay x' };

test('an image is fetched whole, in parts, resumed, and known again by its content', async (t) => {
  const { base, events } = await server(t);
  const initrd = randomBytes(5_000_000);
  writeFileSync(join(scratch, 'image'), initrd);
  const url = `${base}/images/${SHA}/initrd`;

  const whole = await curl('-D', '-', '-o', '/dev/null', url);
  assert.match(whole, /^HTTP\/1\.1 200 /);
  assert.match(whole, new RegExp(`\\r\\nETag: "${FILE_SHA}"\\r\\n`));
  assert.match(whole, /\r\nContent-Length: 5000000\r\n/);
  assert.doesNotMatch(whole, /^[^:\r\n]+:\s*\r$/m, 'no header may be empty');
  assert.equal(sha256(await curlBytes(url)), sha256(initrd));
  assert.deepEqual(await curlBytes('-r', '1000000-1000009', url), initrd.subarray(1_000_000, 1_000_010));
  assert.deepEqual(await curlBytes('-r', '-7', url), initrd.subarray(-7));

  const half = join(scratch, 'half');
  writeFileSync(half, initrd.subarray(0, 2_345_678));
  await curl('-C', '-', '-o', half, url);
  assert.equal(sha256(readFileSync(half)), sha256(initrd));

  assert.match(
    await curl('-o', '/dev/null', '-D', '-', '-r', '5000000-', url),
    /^HTTP\/1\.1 416 [\s\S]*Content-Range: bytes \*\/5000000\r\n/,
  );
  assert.match(await curl('-D', '-', '-H', `If-None-Match: "${FILE_SHA}"`, url), /^HTTP\/1\.1 304 /);
  assert.match(
    await curl('-o', '/dev/null', '-D', '-', '-H', 'If-Range: "other"', '-r', '0-1', url),
    /^HTTP\/1\.1 200 /,
  );

  const sent = of(events, 'http.sent');
  assert.deepEqual(sent[0] && { ...sent[0], ms: 0 }, {
    kind: 'http.sent',
    file: `images/${SHA}/initrd`,
    role: 'initrd',
    image: SHA,
    ip: ip('127.0.0.1'),
    bytes: 5_000_000,
    ms: 0,
  });
  assert.ok(sent.some((event) => event.bytes === 5_000_000 - 2_345_678));
});

test('HEAD tells the length and leaves the connection open for the GET', async (t) => {
  const { base, events } = await server(t);
  writeFileSync(join(scratch, 'image'), 'kernel');
  const url = `${base}/images/${SHA}/vmlinuz`;
  const said = await curl('-v', '-I', url, '--next', '-s', '-v', url);
  assert.match(said, /Content-Length: 6\r\n/);
  assert.match(said, /Re-using existing connection|Reusing existing/);
  assert.match(said, /kernel/);
  const sent = () => events.filter((event) => event.kind === 'http.sent').length;
  // The client may be done before the server has seen its last byte go.
  for (let i = 0; i < 100 && sent() === 0; i++) await delay(20);
  assert.equal(sent(), 1);
});

test("the operator's small files have an ETag by content, of each state of the file", async (t) => {
  const { base } = await server(t);
  const path = join(scratch, 'tftp', 'a.efi');
  writeFileSync(path, 'one');
  const etag = async () => /\r\nETag: (\S+)\r\n/.exec(await curl('-I', `${base}/files/a.efi`))?.[1];
  assert.equal(await etag(), `"${sha256(Buffer.from('one'))}"`);
  writeFileSync(path, 'two');
  assert.equal(await etag(), `"${sha256(Buffer.from('two'))}"`);
  assert.match(await curl('-I', `${base}/files/a.efi`), /Content-Type: application\/efi\r\n/);
  writeFileSync(join(scratch, 'tftp', 'empty'), '');
  assert.match(await curl('-D', '-', `${base}/files/empty`), /^HTTP\/1\.1 200 [\s\S]*Content-Length: 0\r\n/);
});

test('no path leaves the root and none is redirected', async (t) => {
  const { base, events } = await server(t);
  writeFileSync(join(scratch, 'secret'), 'secret');
  mkdirSync(join(scratch, 'tftp/sub'), { recursive: true });
  writeFileSync(join(scratch, 'tftp/sub/file'), 'fine');
  symlinkSync(join(scratch, 'secret'), join(scratch, 'tftp/escape'));
  symlinkSync('sub', join(scratch, 'tftp/inside'));
  const origin = new URL(base).origin;
  const tricks = [
    '/boot/files/../secret',
    '/boot/files/%2e%2e/secret',
    '/boot/files/..%2fsecret',
    '/boot/files/sub/..%5c..%5csecret',
    '/boot/files/%252e%252e/secret',
    `/boot/files/${scratch}/secret`,
    '/boot/files/escape',
    '/boot/files/sub',
    '/boot/files/',
    '/boot/files',
    '/boot/files/sub%00/file',
    '/boot/files/%ff',
    '/boot/files/%zz',
    `/boot/files/${'a/'.repeat(3000)}`,
    `/boot/images/${SHA}/manifest.json`,
    `/boot/images/../images/${SHA}/initrd`,
    '/boot/images/..%2f..%2fsecret/initrd',
    '/boot/ipxe/nonsense',
    '/boot',
    '//evil.example/',
    '/api/v1/status',
  ];
  for (const path of tricks) {
    const answer = await curl('--path-as-is', '-D', '-', `${origin}${path}`);
    assert.match(answer, /^HTTP\/1\.1 (400|404) /, `${path}: ${answer}`);
    assert.doesNotMatch(answer, /secret$|^location:/im, path);
    assert.match(answer, /\r\n\r\n\{"code":"(FILE_MISSING|REQUEST_INVALID)","message":/, path);
  }
  for (const path of [
    '/boot/files/sub/file',
    '//boot//files//sub//file',
    '/boot/files/sub%2ffile',
    '/boot/files/./sub/file',
    '/boot/files/sub%5cfile',
    '/boot/files/inside/file',
  ]) {
    assert.equal(await curl('--path-as-is', `${origin}${path}`), 'fine', path);
  }
  assert.ok(events.some((event) => event.kind === 'http.missing' && event.file === 'files/escape'));
});

test('a file renamed over another while it is sent never mixes the two', async (t) => {
  const { base } = await server(t);
  const path = join(scratch, 'tftp', 'swap');
  const [before, behind] = [randomBytes(20_000_000), randomBytes(20_000_000)];
  writeFileSync(path, before);
  writeFileSync(`${path}.new`, behind);
  const half = await fetch(`${base}/files/swap`);
  renameSync(`${path}.new`, path);
  assert.equal(sha256(new Uint8Array(await half.arrayBuffer())), sha256(before));
  assert.equal(sha256(await curlBytes(`${base}/files/swap`)), sha256(behind));
});

test('a small file that is remembered is asked about anew at each request', async (t) => {
  const { base } = await server(t);
  const path = join(scratch, 'tftp', 'remembered');
  const get = () => curl('-w', ' %{http_code}', `${base}/files/remembered`);
  writeFileSync(path, 'one');
  await delay(2100);
  assert.equal(await get(), 'one 200');
  assert.equal(await get(), 'one 200');
  writeFileSync(path, 'two');
  assert.equal(await get(), 'two 200');
  await delay(2100);
  assert.equal(await get(), 'two 200');
  assert.equal(await curl('-r', '1-', `${base}/files/remembered`), 'wo');
  renameSync(path, join(scratch, 'moved-out'));
  symlinkSync(join(scratch, 'moved-out'), path);
  assert.match(await get(), / 404$/);
  rmSync(path);
  assert.match(await get(), / 404$/);
  mkdirSync(path);
  assert.match(await get(), / 404$/);
});

test('a file that shrinks, a client that leaves and one that stops reading are noticed and reported', async (t) => {
  const { base, port, events } = await server(t, { stallMs: 2000 });
  const path = join(scratch, 'tftp', 'shrinks');
  writeFileSync(path, randomBytes(30_000_000));
  const failed = () => of(events, 'http.failed');

  const cut = curlBytes('--limit-rate', '10M', `${base}/files/shrinks`);
  await delay(500);
  truncateSync(path, 12_000_000);
  await assert.rejects(cut, (error: { code?: number }) => error.code === 18 || error.code === 56);
  await until(() => failed().length === 1);
  assert.match(failed()[0]?.reason ?? '', /became shorter/);

  writeFileSync(path, randomBytes(30_000_000));
  await assert.rejects(curlBytes('--limit-rate', '2M', '--max-time', '1', `${base}/files/shrinks`), { code: 28 });
  await until(() => failed().length === 2);
  assert.equal(failed()[1]?.reason, 'the client closed the connection');
  assert.ok((failed()[1]?.bytes ?? 0) > 0 && (failed()[1]?.bytes ?? 0) < 30_000_000);

  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET /boot/files/shrinks HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => failed().length === 3);
  assert.match(failed()[2]?.reason ?? '', /stalled/);
  socket.destroy();

  // A slow client is not a stalled one.
  const slow = await curlBytes('--limit-rate', '8M', `${base}/files/shrinks`);
  assert.equal(slow.length, 30_000_000);
});

test('many fetch at once; requests over the limit are answered with Retry-After', async (t) => {
  const { base, events } = await server(t, { maxDownloadsPerClient: 16 });
  writeFileSync(join(scratch, 'image'), randomBytes(20_000_000));
  const hash = sha256(readFileSync(join(scratch, 'image')));
  const url = `${base}/images/${SHA}/initrd`;
  const codes = await curl(
    '-Z',
    '--parallel-immediate',
    '--parallel-max',
    '60',
    '--limit-rate',
    '20M',
    '--no-progress-meter',
    '-w',
    '%{http_code}\\n',
    ...Array.from({ length: 60 }, (_, i) => ['-o', join(scratch, `out${i}`), url]).flat(),
  );
  const listed = codes.trim().split('\n');
  const good = listed.filter((code) => code === '200').length;
  assert.ok(good >= 16 && good < 60, `${good} of 60`);
  assert.equal(listed.filter((code) => code === '503').length, 60 - good);
  let whole = 0;
  for (let i = 0; i < 60; i++)
    if (existsSync(join(scratch, `out${i}`)) && sha256(readFileSync(join(scratch, `out${i}`))) === hash) whole++;
  assert.equal(whole, good);
  assert.ok(events.some((event) => event.kind === 'http.failed' && event.reason.includes('too many')));
  assert.match(await curl('-o', '/dev/null', '-D', '-', url), /^HTTP\/1\.1 200 /);
});

test('the iPXE script is made for the machine that the path names, in either spelling', async (t) => {
  const { base, events } = await server(t);
  for (const spelling of ['52:54:00:00:00:51', '52-54-00-00-00-51', '52%3A54%3A00%3A00%3A00%3A51']) {
    assert.match(await curl(`${base}/ipxe/${spelling}`), /^#!ipxe\n# Made by Reveille for node01\n/);
  }
  assert.ok(events.every((event) => event.kind === 'http.sent' && event.mac === '52:54:00:00:00:51'));
  assert.match(await curl('-D', '-', `${base}/ipxe/52:54:00:00:00:99`), /^HTTP\/1\.1 404 /);
});

test('the nodes’ API refuses in words what has not the right form', async (t) => {
  const { base, events } = await server(t);
  const api = base.replace('/boot', '/node/v1');
  const me = 'mac=52:54:00:00:00:51';
  const inventory = 'reveille.inventory=1\nnic.0.name=eth0\nnic.0.mac=52:54:00:00:00:51\n';
  const report = 'boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10\nseq=1\nstep=network\nstatus=done\nms=5\n\n';
  const cases: [number, string, string[]][] = [
    [400, 'REQUEST_INVALID', [`${api}/bundle`]],
    [400, 'REQUEST_INVALID', [`${api}/bundle?mac=x`]],
    [400, 'REQUEST_INVALID', [`${api}/bundle?${me}&${me}`]],
    [404, 'NODE_UNKNOWN', [`${api}/bundle?mac=52:54:00:00:00:77`]],
    [403, 'IDENTITY_REFUSED', [`${api}/bundle?mac=52:54:00:00:01:00`]],
    [400, 'REQUEST_INVALID', [`${api}/inventory?${me}`, '-d', 'x']],
    [400, 'REQUEST_INVALID', [`${api}/inventory?${me}`, '-X', 'POST']],
    [400, 'REQUEST_INVALID', [`${api}/report?${me}`, '-d', 'x']],
    [413, 'REQUEST_INVALID', [`${api}/report?${me}`, '--data-binary', 'x'.repeat(17_000)]],
    [404, 'FILE_MISSING', [`${api}/inventory?${me}`]],
    [422, 'TEMPLATE_INVALID', [`${api}/bundle?${me}`]],
    [204, '', [`${api}/inventory?${me}`, '--data-binary', inventory]],
    [204, '', [`${api}/inventory?${me}`, '--data-binary', inventory, '-H', 'Content-Type: application/json']],
    [204, '', [`${api}/report?${me}`, '--data-binary', report]],
    [204, '', [`${api}/report?${me}`, '--data-binary', report]],
  ];
  for (const [status, code, args] of cases) {
    const answer = await curl('-w', '\n%{http_code}', ...args);
    const [body, got] = [answer.slice(0, answer.lastIndexOf('\n')), Number(answer.slice(answer.lastIndexOf('\n')))];
    assert.equal(got, status, `${args}: ${answer}`);
    if (code !== '') assert.equal(JSON.parse(body).code, code, `${args}: ${answer}`);
  }
  assert.equal(
    events.filter((event) => event.kind === 'node.step' && event.code === 'network').length,
    1,
    'a repeated report counts once',
  );
  assert.equal(
    events.filter((event) => event.kind === 'server.trouble' && event.code === 'IDENTITY_REFUSED').length,
    1,
  );
  const told = events.find((event) => event.kind === 'node.step' && event.code === 'bundle');
  assert.equal(told?.kind === 'node.step' && told.detail, 'overlays/x/a.j2:3:4: broken');
});

test('a node tells which files of its image it opened; others may not, and other bytes are refused', async (t) => {
  const told: (readonly [string, readonly string[]])[] = [];
  const { base } = await server(t, {
    opened: async (image, list) => void told.push([image, [...openedPaths(list)]]),
  });
  const api = `${base.replace('/boot', '/node/v1')}/opened`;
  const file = join(scratch, 'opened.gz');
  writeFileSync(file, gzipSync('/usr/bin/a\n/usr/bin/b\n'));
  const status = async (mac: string, data: string) =>
    curl('-o', '/dev/null', '-w', '%{http_code}', `${api}?mac=52:54:00:00:00:${mac}`, '--data-binary', data);
  assert.equal(await status('51', `@${file}`), '204');
  assert.equal(await status('51', 'no archive'), '400');
  assert.notEqual(await status('52', `@${file}`), '204');
  assert.deepEqual(told, [[siteFixture().nodes.get('node01')?.image ?? 'none', ['/usr/bin/a', '/usr/bin/b']]]);
});

test('a state that cannot be written does not halt a boot', async (t) => {
  const { base, events } = await server(t, {
    inventories: {
      load: () => Promise.reject(new Error('disk gone')),
      save: () => Promise.reject(new Error('disk gone')),
    },
    bundleOf: async (_, inventory) =>
      makeBundle([{ ...FILE, content: Buffer.from(`nic=${inventory?.nics[0]?.name}`) }], []),
  });
  const api = base.replace('/boot', '/node/v1');
  const body = 'reveille.inventory=1\nnic.0.name=eth7\nnic.0.mac=52:54:00:00:00:51\n';
  assert.match(await curl(`${api}/bundle?mac=52:54:00:00:00:51`), /nic=undefined/);
  await curl('-f', `${api}/inventory?mac=52:54:00:00:00:51`, '--data-binary', body);
  assert.match(await curl(`${api}/bundle?mac=52:54:00:00:00:51`), /nic=eth7/);
  assert.ok(events.some((event) => event.kind === 'server.trouble' && event.code === 'STATE_UNAVAILABLE'));
});

test('a running node: orders come at once, who leaves holds nothing, and only what differs is sent', async (t) => {
  const orders = new Orders();
  const news: News[] = [];
  const files = ['/etc/a', '/etc/b'].map((path) => ({ ...FILE, path, content: Buffer.from(path) }));
  const bundle = makeBundle(files, []);
  const { base } = await server(t, { orders, onNews: (_, told) => news.push(told), bundleOf: async () => bundle });
  const api = base.replace('/boot', '/node/v1');
  const me = 'mac=52:54:00:00:00:51';

  assert.equal(await curl(`${api}/wait?${me}&seconds=0`), 'do=wait\nrefresh=600\njitter=10\n');
  assert.equal(await curl(`${api}/wait?${me}&seconds=x`), 'do=wait\nrefresh=600\njitter=10\n');
  const waits = curl(`${api}/wait?${me}&seconds=200`);
  await until(() => orders.isWaiting('node01'));
  const never = new AbortController().signal;
  assert.equal(await orders.give('node01', { id: 'some-order', what: 'restore' }, never), true);
  assert.equal(await waits, 'do=restore\nsync=some-order\nrefresh=600\njitter=10\n');

  await assert.rejects(curl('--max-time', '1', `${api}/wait?${me}&seconds=200`));
  await until(() => !orders.isWaiting('node01'));

  const post = (body: string, query = '') =>
    curl('-w', '%{http_code}', `${api}/bundle?${me}${query}`, '--data-binary', body);
  assert.equal(await post(bundle.manifest, `&applied=${bundle.sha256}`), '204');
  const [first = '', second = ''] = bundle.manifest.split('\n');
  const part = await post(`${first}\n`);
  assert.ok(part.includes(`data/${second.split('\t')[4]}`) && !part.includes(`data/${first.split('\t')[4]}`));
  writeFileSync(join(scratch, 'long'), 'x'.repeat(1024 * 1024 + 1));
  assert.match(await post(`@${join(scratch, 'long')}`), /413$/);

  const told = `reveille.applied=1\nbundle=${bundle.sha256}\nchanged=2\n\n${bundle.manifest}`;
  assert.equal(await curl('-w', '%{http_code}', `${api}/applied?${me}`, '--data-binary', told), '204');
  assert.equal(news[0]?.applied.manifest, bundle.manifest);
  assert.match(await curl('-w', '%{http_code}', `${api}/applied?${me}`, '-d', 'x'), /REQUEST_INVALID.*400$/);
  assert.match(await curl('-w', '%{http_code}', `${api}/wait?mac=52:54:00:00:01:00`), /IDENTITY_REFUSED.*403$/);
});

test('a port in use says who holds it', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  t.after(() => holder.close());
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const second = createHttpServer(await parts([]));
  await assert.rejects(second.listen({ port, ip: ip('127.0.0.1') }), (error) => {
    assert.ok(error instanceof ReveilleError && error.code === 'PORT_IN_USE');
    assert.match(error.message, new RegExp(`TCP port ${port} is held by .*pid ${process.pid}`));
    return true;
  });
});

test('the operators’ API: status, events that were and that come, on a socket for user and group', async (t) => {
  const listeners = new Set<(event: Event) => void>();
  const stored: Event[] = [1, 2, 3].map((at) => ({ at, kind: 'server.started', node: at === 2 ? 'node02' : 'node01' }));
  const asked: unknown[] = [];
  const make = () =>
    createOperatorsServer(
      operatorsFixture({
        status: async () => STATUS_VALUE,
        subscribe: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        keptEvents: async (filter) => {
          asked.push(filter);
          return stored.filter((event) => event.at >= (filter.since ?? 0)).map((event, id) => ({ id, event }));
        },
        nodesNamed: (set) => {
          if (set === 'node01') return [set];
          throw new ReveilleError('NODE_UNKNOWN', `the site has no node ${set}`, { hint: 'did you mean "node01"?' });
        },
      }),
    );
  const path = join(scratch, 'reveille.sock');
  const first = make();
  await first.listen(path);
  t.after(() => first.close());
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await assert.rejects(make().listen(path), (error) => error instanceof ReveilleError && error.code === 'PORT_IN_USE');

  const get = (target: string) => curl('--unix-socket', path, `http://localhost${target}`);
  assert.deepEqual(JSON.parse(await get('/api/v1/status')), statusJson(STATUS_VALUE));
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).at);
  assert.deepEqual(lines(await get('/api/v1/events')), [1, 2, 3]);
  assert.deepEqual(lines(await get('/api/v1/events?since=2&node=node01&limit=5')), [3]);
  assert.deepEqual(asked.at(-1), { since: 2, nodes: ['node01'], limit: 5 });
  assert.equal(JSON.parse(await get('/api/v1/events?since=x')).code, 'REQUEST_INVALID');
  await assert.rejects(askLines(scratch, EVENTS, { query: { node: 'node1' } }).next(), {
    code: 'NODE_UNKNOWN',
    hint: /node01/,
  });

  let seen = '';
  const following = request({ socketPath: path, path: '/api/v1/events?follow=1&since=3&node=node01' }, (response) => {
    response.setEncoding('utf8').on('data', (piece) => (seen += piece));
  });
  following.on('error', () => {}).end();
  await until(() => listeners.size === 1 && seen.includes('"at":3'));
  for (const listener of listeners) {
    listener({ at: 4, kind: 'server.started', node: 'node02' });
    listener({ at: 5, kind: 'server.started', node: 'node01' });
  }
  await until(() => seen.includes('"at":5'));
  assert.deepEqual(lines(seen), [3, 5]);
  following.destroy();
  await until(() => listeners.size === 0);

  await first.close();
  assert.equal(existsSync(path), false);
  writeFileSync(path, 'mine');
  await assert.rejects(make().listen(path), /is there already and is not a socket/);
  rmSync(path);
  const killed = createServer();
  killed.listen(join(scratch, 'x.sock'));
  await once(killed, 'listening');
  renameSync(join(scratch, 'x.sock'), path);
  killed.close();
  await once(killed, 'close');
  assert.ok(existsSync(path), 'a socket that nobody answers at');
  const next = make();
  await next.listen(path);
  await next.close();
});

async function parts(events: Happening[]): Promise<HttpServerFrom> {
  mkdirSync(join(scratch, 'tftp'), { recursive: true });
  const site = loopbackSite();
  const tokens = await NodeTokens.open({
    store: emptyStore().tokens,
    now: Date.now,
    trouble: (error) => assert.fail(`${error}`),
  });
  tokens.bootSeen('node01');
  return {
    site: () => site,
    tokens,
    bootFiles: httpFiles({
      site: () => site,
      serverOf: ({ server }) => server && { ip: server, httpPort: 8080 },
      networkOf: () => undefined,
      imageOf: async () => undefined,
      machineIdOf: async () => undefined,
      imageFile: async (sha256) => (sha256 === SHA ? { path: join(scratch, 'image'), sha256: FILE_SHA } : undefined),
    }),
    addressOf: () => undefined,
    bundleOf: async () => {
      throw new ReveilleError('TEMPLATE_INVALID', 'broken', { place: { file: 'overlays/x/a.j2', line: 3, col: 4 } });
    },
    maskOf: async () => NO_SECRETS,
    inventories: { load: async () => undefined, save: async () => {} },
    opened: async () => {},
    orders: new Orders(),
    onNews: () => {},
    emit: (event) => events.push(event),
  };
}

/** The site of the fixture, with node01 on this machine's own network. */
function loopbackSite() {
  const tftp = { root: join(scratch, 'tftp'), singlePort: false, maxTransfers: 1, maxTransfersPerClient: 1 };
  const site = siteFixture({ tftp });
  const subnet = parseSubnet('127.0.0.0/8') ?? assert.fail();
  const node = nodeFixture({ ip: ip('127.0.0.1') });
  return {
    ...site,
    networks: new Map([['openstack', networkFixture({ subnet, server: ip('127.0.0.1') })]]),
    nodeByMac: new Map([...site.nodeByMac, [node.macs[0], node] as const]),
  };
}

async function server(t: { after(end: () => unknown): void }, changes: Partial<HttpServerFrom> = {}) {
  const events: Happening[] = [];
  const http = createHttpServer({ ...(await parts(events)), ...changes });
  const port = await http.listen({ port: 0, ip: ip('127.0.0.1') });
  t.after(() => http.close());
  return { base: `http://127.0.0.1:${port}/boot`, port, events };
}

function of<K extends Happening['kind']>(events: readonly Happening[], kind: K) {
  return events.filter((event): event is Happening & { kind: K } => event.kind === kind);
}

/** curl's output and, with -v, what it says; rejects with its exit code as `code`. */
async function curl(...args: string[]): Promise<string> {
  return (await curlBytes('-w', '', ...args)).toString();
}

function curlBytes(...args: string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    execFile('curl', ['-sS', '-g', ...args], { encoding: 'buffer', maxBuffer: 1 << 28 }, (error, out, said) => {
      if (error) reject(error);
      else resolve(args.includes('-v') ? Buffer.concat([out, said]) : out);
    });
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return;
    await delay(50);
  }
  throw new Error('waited 20 s in vain');
}

test('what a node tells is kept without the secrets that reached it', async (t) => {
  const news: News[] = [];
  const { base, events } = await server(t, {
    maskOf: async (node) => SecretMask.of([`secret of ${node.name}`]),
    onNews: (_, told) => news.push(told),
  });
  const api = base.replace('/boot', '/node/v1');
  const head = 'boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10\nseq=1\nstep=hook\nstatus=failed\nms=5\n';
  const report = `${head}detail=with secret of node01\n\n"secret of node01" refused`;
  await curl(`${api}/report?mac=52:54:00:00:00:51`, '--data-binary', report);
  const applied = `reveille.applied=1\nbundle=${'0'.repeat(64)}\nfailed=hook: secret of node01\n\n`;
  await curl(`${api}/applied?mac=52:54:00:00:00:51`, '--data-binary', applied);
  const [step] = events.filter(({ kind }) => kind === 'node.step');
  assert(step?.kind === 'node.step');
  assert.deepEqual([step.detail, step.output], ['with (kept private)', '"(kept private)" refused']);
  assert.equal(news[0]?.applied.failed, 'hook: (kept private)');
});
