import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Datagram, DatagramPort, Datagrams, NumberedBlocks, Refused } from './datagramPort.ts';
import { SHORTENED } from './mappedFile.ts';
import { native } from './native.ts';
import { PortableDatagrams } from './portablePorts.ts';
import { UdpBatch } from './udpBatch.ts';

const LOCAL = parseIpv4('127.0.0.1') as Ipv4;
const addon = native();
const WAYS: [string, () => Datagrams][] = [['portable', () => new PortableDatagrams()]];
if (addon !== undefined) WAYS.push(['batched', () => new UdpBatch(addon)]);

/** A client on a port of its own, and a server's port whose datagrams are kept as copies. */
async function withPorts(
  datagrams: Datagrams,
  use: (stage: {
    server: DatagramPort;
    client: dgram.Socket;
    at: number;
    clientPort: number;
    came: (Omit<Datagram, 'bytes'> & { bytes: Buffer })[];
    got: Buffer[];
  }) => Promise<void>,
): Promise<void> {
  const probe = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const at = probe.address().port;
  probe.close();
  await once(probe, 'close');
  const came: (Omit<Datagram, 'bytes'> & { bytes: Buffer })[] = [];
  const server = await datagrams.open(
    { address: LOCAL, port: at, shared: true },
    {
      onDatagram: ({ ip, port, head, bytes }) => came.push({ ip, port, head, bytes: Buffer.from(bytes) }),
      onTrouble: (error) => assert.fail(error),
    },
  );
  const got: Buffer[] = [];
  const client = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  client.on('message', (bytes) => got.push(Buffer.from(bytes)));
  await once(client, 'listening');
  try {
    await use({ server, client, at, clientPort: client.address().port, came, got });
  } finally {
    client.close();
    await server.close();
    datagrams.close();
  }
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(what(), `waited in vain: ${what}`);
}

for (const [way, openWay] of WAYS) {
  test(`${way}: datagrams of every length come as they were sent, and go back`, () =>
    withPorts(openWay(), async ({ server, client, at, clientPort, came, got }) => {
      const lengths = [0, 1, 3, 4, 5, 512, 1472, 2000];
      for (const length of lengths) client.send(Buffer.alloc(length, length & 0xff), at, '127.0.0.1');
      await until(() => came.length === lengths.length);
      for (const [i, { ip, port, head, bytes }] of came.entries()) {
        const length = lengths[i] ?? 0;
        assert.deepEqual([ip, port, bytes.length], [LOCAL, clientPort, length]);
        assert.equal(head, length < 4 ? 0 : bytes.readUInt32BE());
        assert.ok(bytes.every((byte) => byte === (length & 0xff)));
        if (length > 0) server.send(bytes, ip, port);
      }
      await until(() => got.length === lengths.length - 1);
      assert.deepEqual(
        got.map(({ length }) => length),
        lengths.slice(1),
      );
    }));

  test(`${way}: blocks leave as numbered packets, the last one shorter or empty`, () =>
    withPorts(openWay(), async ({ server, clientPort, got }) => {
      for (const [size, blockSize] of [
        [10_000, 1000],
        [10_001, 1468],
        [70, 8],
      ] as const) {
        got.length = 0;
        const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) & 0xff));
        const last = Math.floor(size / blockSize) + 1;
        const copy: NumberedBlocks['copy'] = (n, into, to) =>
          bytes.copy(into, to, (n - 1) * blockSize, Math.min(size, n * blockSize));
        server.sendBlocks({ blockSize, copy }, 1, last, { ip: LOCAL, port: clientPort }, () => assert.fail());
        await until(() => got.length === last);
        assert.deepEqual(
          got.map((packet) => packet.readUInt32BE()),
          Array.from({ length: last }, (_, i) => (3 << 16) | (i + 1)),
        );
        assert.ok(Buffer.concat(got.map((packet) => packet.subarray(4))).equals(bytes));
      }
    }));

  test(`${way}: what cannot be sent throws nothing and is reported for blocks`, () =>
    withPorts(openWay(), async ({ server, clientPort, client, at, came }) => {
      const refused: Parameters<Refused>[] = [];
      const blocks: NumberedBlocks = { blockSize: 8, copy: () => 8 };
      server.send(Buffer.alloc(10), LOCAL, 0);
      server.send(Buffer.alloc(70_000), LOCAL, clientPort);
      server.sendBlocks(blocks, 5, 9, { ip: LOCAL, port: 0 }, (...why) => refused.push(why));
      await until(() => refused.length > 0);
      assert.deepEqual(refused, [[5, 'full']]);
      client.send(Buffer.from('here'), at, '127.0.0.1');
      await until(() => came.length === 1);
      await server.close();
      server.send(Buffer.alloc(10), LOCAL, clientPort);
    }));
}

/** A file of so many bytes, open and mapped. */
async function withMapped(
  size: number,
  use: (stage: { path: string; bytes: Buffer; datagrams: Datagrams }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mapped-'));
  const datagrams = new UdpBatch(addon ?? assert.fail('no addon'));
  try {
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) & 0xff));
    const path = join(folder, 'file');
    await writeFile(path, bytes);
    await use({ path, bytes, datagrams });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function mapped(datagrams: Datagrams, path: string, size: number) {
  const handle = await open(path);
  const read = (into: Uint8Array, offset: number, length: number, position: number) =>
    handle.read(into, offset, length, position);
  return datagrams.map({ fd: handle.fd, size, read, close: () => handle.close() }) ?? assert.fail('not mapped');
}

test('blocks of a mapped file leave from memory, in windows of any size', { skip: addon === undefined }, () =>
  withMapped(1_000_000, ({ path, bytes, datagrams }) =>
    withPorts(datagrams, async ({ server, clientPort, got }) => {
      const file = await mapped(datagrams, path, bytes.length);
      while (file.inMemory < file.size) await file.readOn();
      const blocks = { blockSize: 1400, mapped: file, copy: () => assert.fail('copied') };
      const last = Math.floor(bytes.length / 1400) + 1;
      for (let first = 1, window = 1; first <= last; first += window, window = (window * 3) % 64 || 1) {
        const end = Math.min(last, first + window - 1);
        server.sendBlocks(blocks, first, end, { ip: LOCAL, port: clientPort }, () => assert.fail('refused'));
        await until(() => got.length === end);
      }
      assert.ok(Buffer.concat(got.map((packet) => packet.subarray(4))).equals(bytes));
      await file.release();
    }),
  ),
);

test('a mapped file that becomes shorter is refused, and the process lives', { skip: addon === undefined }, () =>
  withMapped(1_000_000, ({ path, bytes, datagrams }) =>
    withPorts(datagrams, async ({ server, clientPort }) => {
      const file = await mapped(datagrams, path, bytes.length);
      assert.ok(file.isWhole());
      await truncate(path, 100);
      assert.ok(!file.isWhole());
      await assert.rejects(file.readOn(), { message: SHORTENED });
      const refused: Parameters<Refused>[] = [];
      const blocks = { blockSize: 1024, mapped: file, copy: () => -1 };
      server.sendBlocks(blocks, 100, 110, { ip: LOCAL, port: clientPort }, (...why) => refused.push(why));
      await until(() => refused.length > 0);
      assert.deepEqual(refused, [[100, 'shortened']]);
      await file.release();
    }),
  ),
);

test('numbers that point outside of what there is are refused', { skip: addon === undefined }, () =>
  withMapped(100_000, ({ path, bytes, datagrams }) =>
    withPorts(datagrams, async ({ server, clientPort }) => {
      const file = await mapped(datagrams, path, bytes.length);
      const refused: number[] = [];
      const to = { ip: LOCAL, port: clientPort };
      const rows = [
        [0, 1, 512],
        [1, 2 ** 32 - 1, 512],
        [300, 300, 512],
        [196, 199, 512],
        [1, 1, 0],
        [1, 1, 70_000],
      ];
      for (const [first = 0, last = 0, blockSize = 0] of rows)
        server.sendBlocks({ blockSize, mapped: file, copy: () => -1 }, first, last, to, (n) => refused.push(n));
      await file.release();
      server.sendBlocks({ blockSize: 512, mapped: file, copy: () => -1 }, 1, 1, to, (n) => refused.push(n));
      await until(() => refused.length === rows.length + 1);
    }),
  ),
);
