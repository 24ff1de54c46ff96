import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { BootFilesFrom } from '../boot/files.ts';
import { ReveilleError } from '../errors.ts';
import { makeBundle } from '../node/bundle.ts';
import { siteFixture } from '../site/testing/fixture.ts';
import {
  ask,
  bootFilesOf,
  LARGE_BYTES,
  loopbackServer,
  ME,
  open,
  raw,
  SMALL,
  statusOf,
  until,
} from './testing/serverFixture.ts';

// The server for machines against hostile clients. Other addresses of 127.0.0.0/8 are other machines.

const BODY = 1_250_000;
const halfSent = (path: string) =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY}\r\n\r\n`),
    Buffer.alloc(BODY - 1, 'x'),
  ]);
const REPORT = 'boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10\nseq=1\nstep=network\nstatus=done\nms=5\n\n';

/** Each service of the server answers a client of its own. */
async function allServed(t: { after(end: () => unknown): void }, port: number): Promise<void> {
  const from = '127.0.0.99';
  assert.match(await ask(t, port, '/boot/files/small', { from }), /\r\n\r\na small file\n$/);
  assert.match(
    await ask(t, port, '/boot/ipxe/52:54:00:00:00:51', { from }),
    /\r\n\r\n#!ipxe\n# Made by Reveille for node01\n/,
  );
  assert.equal(statusOf(await ask(t, port, `/node/v1/report?${ME}`, { method: 'POST', body: REPORT })), 204);
}

describe('bodies', () => {
  it('of machines that are no node are not read: thousands of them take no memory and no time', async (t) => {
    const { port, faults } = await loopbackServer(t);
    await allServed(t, port);
    const sent = halfSent(`/node/v1/applied?${ME}`);
    const before = process.memoryUsage().rss;
    const loop = monitorEventLoopDelay({ resolution: 10 });
    loop.enable();
    let most = 0;
    for (let i = 0; i < 20; i++) {
      const sockets = await Promise.all(Array.from({ length: 50 }, () => open(t, port, '127.0.0.9')));
      for (const socket of sockets) socket.resume().write(sent);
      await Promise.all(sockets.map((socket) => new Promise((closed) => socket.once('close', closed))));
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    loop.disable();
    // Of what is sent, 1.25 GB, all lies in this process once: the client's queues are in it too.
    assert.ok(most < 250e6, `${most} bytes more`);
    assert.ok(loop.max < 1000e6, `the event loop stood still for ${loop.max / 1e6} ms`);
    await allServed(t, port);
    assert.deepEqual(faults, []);
  });

  it('of a node are two at once; further ones are refused at once, and the node’s own short ones still arrive', async (t) => {
    const { port } = await loopbackServer(t);
    const held = await Promise.all([1, 2].map(() => open(t, port)));
    for (const socket of held) socket.write(halfSent(`/node/v1/applied?${ME}`));
    await delay(300);
    for (let i = 0; i < 5; i++) {
      const answer = await raw(t, port, halfSent(`/node/v1/applied?${ME}`).subarray(0, 200));
      assert.equal(statusOf(answer), 429, answer);
      assert.match(answer, /\r\nretry-after: \d+\r\n/i);
      assert.match(answer, /\r\nconnection: close\r\n/i);
    }
    assert.equal(statusOf(await ask(t, port, `/node/v1/report?${ME}`, { method: 'POST', body: REPORT })), 204);
    for (const socket of held) assert.equal(socket.destroyed, false);
  });

  it('in chunks end at the same length', async (t) => {
    const { port } = await loopbackServer(t);
    const chunks = `${(4096).toString(16)}\r\n${'x'.repeat(4096)}\r\n`.repeat(5);
    const head = `POST /node/v1/report?${ME} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    assert.equal(statusOf(await raw(t, port, head + chunks)), 413);
    const text = `${REPORT.length.toString(16)}\r\n${REPORT}\r\n0\r\n\r\n`;
    assert.equal(statusOf(await raw(t, port, head + text, { ms: 500 })), 204);
  });

  it('that a client asks leave for are asked for only from a node', async (t) => {
    const { port } = await loopbackServer(t);
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${REPORT.length}\r\nExpect: 100-continue\r\n\r\n`;
    const refused = await raw(t, port, head(`/node/v1/report?${ME}`), { from: '127.0.0.9' });
    assert.equal(statusOf(refused), 403);
    const socket = await open(t, port);
    let text = '';
    socket.on('data', (piece) => {
      text += piece;
      if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write(REPORT);
    });
    socket.write(head(`/node/v1/report?${ME}`));
    await until('the answer', () => /100 Continue\r\n\r\nHTTP\/1\.1 204/.test(text));
  });

  it('that nothing reads close the connection: a body is never the next request', async (t) => {
    const { port } = await loopbackServer(t);
    const inner = 'GET /boot/files/small HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const [first, status] of [
      [`GET /boot/files/large HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n`, 400],
      [`POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n`, 404],
      [`PUT /boot/files/small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ] as const) {
      const answer = await raw(t, port, first + inner);
      assert.equal(statusOf(answer), status, first);
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, answer);
      assert.ok(!answer.includes(SMALL));
    }
  });
});

describe('requests of odd forms', () => {
  const small = 'GET /boot/files/small HTTP/1.1\r\nHost: x\r\n';
  const rows: readonly (readonly [string, string, RegExp])[] = [
    [
      'both lengths',
      'POST /node/v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 [\s\S]*$/,
    ],
    [
      'two lengths',
      'POST /node/v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a length that is none',
      'POST /node/v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'another coding',
      'POST /node/v1/report HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a coding before chunked',
      `POST /node/v1/report?${ME} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a chunk longer than any',
      `POST /node/v1/report?${ME} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    [
      'an upgrade',
      `${small}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      /^HTTP\/1\.1 200 [\s\S]*a small file\n$/,
    ],
    ['an expectation of another kind', `${small}Expect: wonders\r\n\r\n`, /^HTTP\/1\.1 417 /],
    ['an absolute URI', 'GET http://x/boot/files/small HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 (200|400|404) /],
    ['a tunnel', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', /^$|^HTTP\/1\.1 4/],
    [
      'an old version',
      'GET /boot/files/small HTTP/1.0\r\n\r\n',
      /^HTTP\/1\.1 200 [\s\S]*a small file\n(HTTP\/1\.1 400 |$)/,
    ],
    [
      'more headers than any client',
      `${small}${Array.from({ length: 1500 }, (_, i) => `a${i}:b\r\n`).join('')}\r\n`,
      /^HTTP\/1\.1 (200|431) /,
    ],
    ['headers longer than any client’s', `${small}X: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['a thousand ranges', `${small}Range: bytes=${'0-1,'.repeat(1000)}0-1\r\n\r\n`, /^HTTP\/1\.1 200 /],
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1\.1 400 [\s\S]*REQUEST_INVALID/],
    [
      'no HTTP behind a request',
      `${small}\r\n\x00\x01\x02\r\n\r\n`,
      /^HTTP\/1\.1 200 [\s\S]*a small file\n(HTTP\/1\.1 400 |$)/,
    ],
  ];
  for (const [what, bytes, expected] of rows) {
    it(`${what}: answered or refused, and others are served`, async (t) => {
      const { port, faults } = await loopbackServer(t);
      assert.match(await raw(t, port, bytes, { ms: 400 }), expected);
      await allServed(t, port);
      assert.deepEqual(faults, []);
    });
  }

  it('thousands in a row without reading an answer: memory stays, and all is let go with the connection', async (t) => {
    const { port, faults } = await loopbackServer(t, { maxDownloadsPerClient: 8, maxDownloads: 8 });
    await allServed(t, port);
    const before = process.memoryUsage().rss;
    for (const path of [
      '/boot/files/small',
      '/boot/files/large',
      `/node/v1/bundle?${ME}`,
      `/node/v1/wait?${ME}&seconds=9`,
    ]) {
      const socket = await open(t, port);
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3000));
      await delay(500);
      assert.ok(process.memoryUsage().rss - before < 200e6, path);
      socket.destroy();
    }
    await delay(200);
    // No place of a large transfer stays taken.
    const whole = await ask(t, port, '/boot/files/large');
    assert.ok(whole.length > LARGE_BYTES, whole.slice(0, 300));
    assert.deepEqual(faults, []);
  });
});

describe('large transfers', () => {
  const reader = async (t: { after(end: () => unknown): void }, port: number, from: string): Promise<Socket> => {
    const socket = await open(t, port, from);
    socket.pause();
    socket.write('GET /boot/files/large HTTP/1.1\r\nHost: x\r\n\r\n');
    return socket;
  };
  const failed = (events: readonly { kind: string; reason?: string }[], reason: RegExp) =>
    events.filter((event) => event.kind === 'http.failed' && reason.test(event.reason ?? '')).length;

  it('that are not read hold up no small files, scripts or requests of nodes', async (t) => {
    const { port, events } = await loopbackServer(t, { maxDownloads: 12, maxDownloadsPerClient: 12 });
    for (let i = 1; i <= 12; i++) await reader(t, port, `127.0.1.${i}`);
    await delay(500);
    const began = performance.now();
    for (let i = 0; i < 20; i++) await allServed(t, port);
    assert.ok(performance.now() - began < 10_000);
    // Each address has one and none is slow yet: another one is asked to come again, also for the same file's end.
    const refused = await ask(t, port, '/boot/files/large', { from: '127.0.1.99' });
    assert.equal(statusOf(refused), 503);
    assert.match(refused, /\r\nretry-after: 2\r\n/i);
    assert.ok(!/\r\n(etag|accept-ranges):/i.test(refused));
    const end = await ask(t, port, '/boot/files/large', { from: '127.0.1.99', headers: 'Range: bytes=-1000\r\n' });
    assert.equal(statusOf(end), 206);
    const head = await ask(t, port, '/boot/files/large', { from: '127.0.1.99', method: 'HEAD' });
    assert.match(head, /^HTTP\/1\.1 200 [\s\S]*Content-Length: 24000000\r\n/);
    assert.equal(failed(events, /too many downloads/), 1);
  });

  it('of few addresses give way to those of others', async (t) => {
    const { port, events } = await loopbackServer(t, { maxDownloads: 12, maxDownloadsPerClient: 12 });
    const held = await Promise.all(Array.from({ length: 12 }, () => reader(t, port, '127.0.1.1')));
    await delay(500);
    for (let i = 0; i < 5; i++) {
      const whole = await ask(t, port, '/boot/files/large', { from: `127.0.1.${10 + i}` });
      assert.ok(whole.length > LARGE_BYTES, whole.slice(0, 300));
    }
    await until('the event', () => failed(events, /too slow while others wait/) >= 1);
    held[0]?.resume();
  });
});

describe('connections', () => {
  it('that wait for a request give way, those of the address with the most first', async (t) => {
    const { port } = await loopbackServer(t, { descriptors: 60 });
    const idle = await Promise.all(
      Array.from({ length: 39 }, (_, i) => open(t, port, `127.0.1.${1 + Math.floor(i / 9)}`)),
    );
    await delay(200);
    for (let i = 0; i < 10; i++) await allServed(t, port);
    await until('room was made', () => idle.some((socket) => socket.destroyed));
    assert.equal(statusOf(await ask(t, port, '/boot/files/small', { from: '127.0.2.1' })), 200);
  });
});

describe('a node', () => {
  it('that reports without end is answered 429 after a burst, with one event, and the rest becomes none', async (t) => {
    const { port, events } = await loopbackServer(t);
    const statuses = new Map<number, number>();
    for (let i = 0; i < 300; i++) {
      const body = REPORT.replace('seq=1', `seq=${i}`);
      const status = statusOf(await ask(t, port, `/node/v1/report?${ME}`, { method: 'POST', body }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.deepEqual([...statuses.keys()].sort(), [204, 429]);
    const taken = statuses.get(204) ?? 0;
    assert.ok(taken >= 200 && taken < 260, `${taken}`);
    assert.equal(events.filter(({ kind }) => kind === 'node.step').length, taken);
    const limited = events.filter((event) => event.kind === 'events.limited');
    assert.equal(limited.length, 1);
    assert.ok(limited[0]?.kind === 'events.limited' && limited[0].subject === 'node01');
  });

  it('that asks for its bundle in a loop has it rendered once for all who wait, and one at a time', async (t) => {
    let [running, most, rendered] = [0, 0, 0];
    const { port } = await loopbackServer(t, {
      bundleOf: async () => {
        most = Math.max(most, ++running);
        rendered++;
        await delay(200);
        running--;
        return makeBundle([], []);
      },
    });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(t, port, `/node/v1/bundle?${ME}`)));
    const statuses = answers.map(statusOf);
    assert.equal(statuses.filter((status) => status === 200).length, 8);
    assert.equal(statuses.filter((status) => status === 429).length, 12);
    assert.equal(most, 1);
    assert.ok(rendered <= 3, `${rendered}`);
  });

  it('waits for orders once: who asks anew takes the place of the one before', async (t) => {
    const { port, orders } = await loopbackServer(t);
    const first = ask(t, port, `/node/v1/wait?${ME}&seconds=100`);
    await until('the first', () => orders.isWaiting('node01'));
    const second = ask(t, port, `/node/v1/wait?${ME}&seconds=100`);
    assert.match(await first, /do=wait\n/);
    await orders.give('node01', { id: 'x', what: 'apply' }, AbortSignal.timeout(5000));
    assert.match(await second, /do=apply\n/);
  });
});

describe('the node’s token', () => {
  it('comes with the first bundle and is needed from then on, in a header or in the body’s first line', async (t) => {
    const { port, events, orders } = await loopbackServer(t);
    const post = (path: string, body: string, headers = '') =>
      ask(t, port, `/node/v1/${path}`, { method: 'POST', body, headers });
    assert.equal(statusOf(await post(`report?${ME}`, REPORT)), 204, 'the first initrd reports before there is one');
    const bundle = await ask(t, port, `/node/v1/bundle?${ME}&token=want`);
    const token = /\r\nx-reveille-token: ([0-9a-f]{64})\r\n/.exec(bundle)?.[1] ?? assert.fail(bundle);
    const header = `X-Reveille-Token: ${token}\r\n`;
    const wrong = `X-Reveille-Token: ${'0'.repeat(64)}\r\n`;
    const inventory = 'reveille.inventory=1\nnic.0.name=eth0\nnic.0.mac=52:54:00:00:00:51\n';
    const line = `token=${token}\n`;

    assert.equal(statusOf(await post(`report?${ME}`, REPORT)), 403);
    assert.equal(statusOf(await post(`report?${ME}`, REPORT, wrong)), 403);
    assert.equal(statusOf(await post(`report?${ME}&token=body`, REPORT)), 403);
    assert.equal(statusOf(await post(`report?${ME}&token=body`, line.slice(1) + REPORT)), 403);
    assert.equal(statusOf(await post(`report?${ME}`, REPORT, header)), 204);
    assert.equal(statusOf(await post(`report?${ME}&token=body`, line + REPORT)), 204);
    assert.equal(statusOf(await post(`inventory?${ME}&token=body`, line + inventory)), 204);
    assert.equal(statusOf(await ask(t, port, `/node/v1/wait?${ME}&seconds=0`)), 403);
    assert.match(await ask(t, port, `/node/v1/wait?${ME}&seconds=0`, { headers: header }), /do=wait/);
    assert.match(await post(`wait?${ME}&seconds=0&token=body`, line), /do=wait/);
    assert.equal(statusOf(await ask(t, port, `/node/v1/bundle?${ME}&token=want`)), 403, 'it was used');
    assert.equal(statusOf(await ask(t, port, `/node/v1/bundle?${ME}`)), 403);
    assert.equal(statusOf(await ask(t, port, `/node/v1/bundle?${ME}`, { headers: header })), 200);
    assert.equal(statusOf(await post(`bundle?${ME}&token=body`, line)), 200);
    assert.equal(orders.isWaiting('node01'), false);

    const refused = await post(`applied?${ME}`, 'reveille.applied=1\n');
    assert.match(refused, /IDENTITY_REFUSED.*without its token/);
    const refusals = events.filter((event) => event.kind === 'server.trouble');
    assert.equal(refusals.length, 1, 'once a minute');
    const all = JSON.stringify(events) + refused;
    assert.ok(!all.includes(token) && !all.includes('0'.repeat(64)));
  });

  it('keeps room for the agent: others of its machine can fill neither its requests at once nor its bodies', async (t) => {
    const { port } = await loopbackServer(t);
    const bundle = await ask(t, port, `/node/v1/bundle?${ME}&token=want`);
    const token = /\r\nx-reveille-token: ([0-9a-f]{64})\r\n/.exec(bundle)?.[1] ?? assert.fail(bundle);
    const headers = `X-Reveille-Token: ${token}\r\n`;
    assert.match(await ask(t, port, `/node/v1/wait?${ME}&seconds=0`, { headers }), /do=wait/);

    const held = await Promise.all(Array.from({ length: 20 }, () => open(t, port)));
    held.forEach((socket, i) => {
      if (i < 2) socket.write(halfSent(`/node/v1/applied?${ME}&token=body`));
      else socket.write(`POST /node/v1/report?${ME}&token=body HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\nt`);
    });
    await until('most are refused', () => held.filter(({ readableLength }) => readableLength > 0).length >= 12);
    assert.match(await ask(t, port, `/node/v1/wait?${ME}&seconds=0`, { headers }), /do=wait/);
    const large = 'reveille.applied=1\n'.padEnd(1_200_000, 'x');
    const applied = await ask(t, port, `/node/v1/applied?${ME}`, { method: 'POST', body: large, headers });
    assert.equal(statusOf(applied), 400, 'it is read');
  });

  it('does not come where the bundle cannot be made: the node reports that, and asks until the site is mended', async (t) => {
    let isBroken = true;
    const { port, events } = await loopbackServer(t, {
      bundleOf: async () => {
        if (isBroken) throw new ReveilleError('TEMPLATE_INVALID', 'broken');
        return makeBundle([], []);
      },
    });
    const answer = await ask(t, port, `/node/v1/bundle?${ME}&token=want`);
    assert.equal(statusOf(answer), 422);
    assert.ok(!/x-reveille-token/i.test(answer));
    assert.equal(statusOf(await ask(t, port, `/node/v1/report?${ME}`, { method: 'POST', body: REPORT })), 204);
    isBroken = false;
    assert.match(await ask(t, port, `/node/v1/bundle?${ME}&token=want`), /\r\nx-reveille-token: [0-9a-f]{64}\r\n/);
    assert.ok(events.every(({ kind }) => kind !== 'server.trouble'));
  });
});

describe('what fails behind a request', () => {
  const boom = () => {
    throw new Error('boom');
  };
  const broken = (changes: Partial<BootFilesFrom>) => ({ bootFiles: bootFilesOf(siteFixture(), changes) });
  const rows: readonly (readonly [string, Parameters<typeof loopbackServer>[1], string, string?])[] = [
    ['a script that throws', broken({ serverOf: boom }), '/boot/ipxe/52:54:00:00:00:51'],
    ['a script that rejects', broken({ imageOf: async () => boom() }), '/boot/ipxe/52:54:00:00:00:51'],
    ['a source of files that throws', { bootFiles: boom }, '/boot/files/x'],
    ['a shelf that throws', broken({ imageFile: boom }), `/boot/images/${'a'.repeat(64)}/initrd`],
    ['a bundle that throws', { bundleOf: boom }, `/node/v1/bundle?${ME}`],
    ['orders that throw', { orders: { next: boom, left: () => {} } }, `/node/v1/wait?${ME}`],
    ['opened files that throw', { opened: boom }, `/node/v1/opened?${ME}`, 'x'],
    ['news that throw', { onNews: boom }, `/node/v1/applied?${ME}`, `reveille.applied=1\nbundle=${'a'.repeat(64)}\n`],
  ];
  for (const [what, changes, path, body] of rows) {
    it(`${what}: costs that request alone`, async (t) => {
      const { port, faults, events } = await loopbackServer(t, changes);
      const answer = await ask(t, port, path, body === undefined ? {} : { method: 'POST', body });
      assert.equal(statusOf(answer), 500, answer);
      assert.ok(!answer.includes('boom'), 'how the server fails is no business of its clients');
      assert.deepEqual(faults.map(String), ['Error: boom']);
      assert.match(
        await ask(t, port, '/boot/files/none'),
        changes?.bootFiles === boom ? /^HTTP\/1\.1 500/ : /^HTTP\/1\.1 404/,
      );
      assert.ok(events.every((event) => event.kind !== 'server.trouble'));
    });
  }

  it('a file whose descriptor is closed while it is sent: the transfer ends, the server goes on', async (t) => {
    const { port, root, events } = await loopbackServer(t);
    const socket = await open(t, port);
    socket.pause();
    socket.write('GET /boot/files/large HTTP/1.1\r\nHost: x\r\n\r\n');
    const path = join(root, 'large');
    const descriptor = () =>
      readdirSync('/proc/self/fd').find((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === path;
        } catch {
          return false;
        }
      });
    await until('the file is open', () => descriptor() !== undefined);
    await delay(200);
    closeSync(Number(descriptor()));
    socket.resume();
    await until('the event', () => events.some((event) => event.kind === 'http.failed' && /EBADF/.test(event.reason)));
    await allServed(t, port);
  });

  it('clients that leave in the middle of everything: nothing is thrown', async (t) => {
    const { port, faults } = await loopbackServer(t);
    for (const bytes of [
      'GET /boot/files/large HTTP/1.1\r\nHost: x\r\n\r\n',
      halfSent(`/node/v1/applied?${ME}`).subarray(0, 100_000),
      `GET /node/v1/wait?${ME}&seconds=100 HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /node/v1/bundle?${ME} HTTP/1.1\r\nHost: x\r\n\r\n`,
      'GET /boot/fi',
    ]) {
      for (const ms of [0, 1, 20]) {
        const socket = await open(t, port);
        socket.write(bytes);
        await delay(ms);
        socket.resetAndDestroy();
      }
    }
    await delay(100);
    await allServed(t, port);
    assert.deepEqual(faults, []);
  });
});

describe('a lack of descriptors', () => {
  it('refuses whom it must, and is over when it is over', async (t) => {
    const { port, events, faults, root } = await loopbackServer(t);
    for (let i = 0; i < 40; i++) writeFileSync(join(root, `file${i}`), Buffer.alloc(100_000, String(i)));
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(t, port)));
    const answerOf = (socket: Socket, path: string) => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return new Promise<string>((resolve) => socket.once('data', (piece) => resolve(piece.toString('latin1'))));
    };
    // Once answered, a connection has been accepted.
    await Promise.all(sockets.map((socket) => answerOf(socket, '/boot/files/small')));
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=1000:']);
    // Nothing is left: neither for the files that are asked for nor for another connection.
    const taken: number[] = [];
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
    }
    try {
      const answers = sockets.map((socket, i) => answerOf(socket, `/boot/files/file${i}`));
      for (const answer of await Promise.all(answers)) {
        assert.equal(statusOf(answer), 503, answer);
        assert.match(answer, /\r\nretry-after: 5\r\n/i);
      }
    } finally {
      for (const fd of taken) closeSync(fd);
    }
    assert.ok(events.some((event) => event.kind === 'http.failed' && /EMFILE/.test(event.reason)));
    assert.equal((await ask(t, port, '/boot/files/file0')).length > 100_000, true);
    await allServed(t, port);
    assert.deepEqual(faults, []);
  });
});
