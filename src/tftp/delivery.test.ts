import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPacket, sendOneByOne } from '../net/portablePorts.ts';
import { ChunkPool } from './blocks.ts';
import { type Content, openContent } from './content.ts';
import { Delivery, type TransferResult } from './delivery.ts';
import { negotiate, type Terms } from './negotiate.ts';
import { decode } from './packet.ts';
import type { TransferPort } from './transferPort.ts';

/** Takes a packet or not, as a kernel does. */
type Kernel = (nth: number) => boolean;

/** A client behind a send buffer: what the kernel takes reaches it, and it acknowledges the end of each window. */
class Wire {
  readonly got: Buffer[] = [];
  readonly port: TransferPort;
  delivery: Delivery | undefined;
  sent = 0;
  refused = 0;
  #expected = 1;

  constructor(kernel: Kernel, { blockSize, windowSize }: Terms) {
    let inWindow = 0;
    const accepts = (packet: Uint8Array, length = packet.length): boolean => {
      this.sent++;
      if (!kernel(this.sent)) {
        this.refused++;
        return false;
      }
      const read = decode(Buffer.from(packet.subarray(0, length)));
      if (read.kind === 'oack') setImmediate(() => this.delivery?.receive({ kind: 'ack', block: 0 }));
      if (read.kind !== 'data' || read.block !== this.#expected) return true;
      this.#expected++;
      inWindow++;
      this.got.push(Buffer.from(read.data));
      if (inWindow === windowSize || read.data.length < blockSize) {
        inWindow = 0;
        setImmediate(() => this.delivery?.receive({ kind: 'ack', block: read.block }));
      }
      return true;
    };
    this.port = {
      send: (packet) => void accepts(packet),
      sendBlocks: (blocks, first, last, refused) => sendOneByOne(accepts, newPacket(), blocks, first, last, refused),
      close: async () => {},
    };
  }
}

async function contentOf(bytes: Uint8Array, mode: 'octet' | 'netascii' = 'octet'): Promise<Content> {
  const content = await openContent({ kind: 'bytes', bytes }, mode);
  assert.ok(content !== undefined);
  return content;
}

const WINDOWED = [
  { name: 'windowsize', value: '16' },
  { name: 'blksize', value: '1400' },
];

const noFault = (error: unknown): never => assert.fail(String(error));

type Delivered = { outcome: TransferResult; wire: Wire; faults: unknown[] };

async function deliver(
  content: Content,
  kernel: Kernel,
  more: { options?: typeof WINDOWED; onHeard?: () => boolean } = {},
): Promise<Delivered> {
  const terms = negotiate(more.options ?? WINDOWED, { size: content.size, mtu: 1500, windowBytes: 128 * 1024 });
  const wire = new Wire(kernel, terms);
  const faults: unknown[] = [];
  const delivery = new Delivery({
    content,
    terms,
    port: wire.port,
    pool: new ChunkPool(),
    onHeard: more.onHeard ?? (() => true),
    faulted: (error) => faults.push(error),
  });
  wire.delivery = delivery;
  delivery.start();
  return { outcome: await delivery.ended, wire, faults };
}

const BYTES = Buffer.alloc(1_000_000, 'a send buffer that is full again and again. ');

test('what a full send buffer does not take leaves a little later, without a retransmission of what did', async () => {
  const { outcome, wire, faults } = await deliver(await contentOf(BYTES), (nth) => nth % 7 !== 0);
  assert.ok(outcome.kind === 'sent' && outcome.bytes === BYTES.length && outcome.ms < 20_000);
  assert.ok(Buffer.concat(wire.got).equals(BYTES));
  assert.ok(wire.refused > 50);
  assert.equal(wire.sent - wire.refused, 1 + Math.floor(BYTES.length / 1400) + 1);
  assert.deepEqual(faults, []);
});

test('a kernel that refuses everything for a while is not asked without pause', async () => {
  let from = 0;
  const { outcome, wire } = await deliver(await contentOf(BYTES.subarray(0, 100_000)), (nth) => {
    if (nth === 20) from = performance.now();
    return nth < 20 || performance.now() - from > 400;
  });
  assert.equal(outcome.kind, 'sent');
  assert.ok(wire.refused >= 3 && wire.refused < 40, `${wire.refused}`);
});

test('an OACK that the kernel refuses is not sent again by itself: the client may not exist', async () => {
  const content = await contentOf(BYTES);
  const terms = negotiate(WINDOWED, { size: content.size, mtu: 1500, windowBytes: 128 * 1024 });
  const wire = new Wire(() => false, terms);
  const delivery = new Delivery({
    content,
    terms,
    port: wire.port,
    pool: new ChunkPool(),
    onHeard: () => true,
    faulted: noFault,
  });
  delivery.start();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(wire.sent, 1);
  delivery.repeat();
  assert.equal(wire.sent, 2);
  delivery.fail('enough');
  assert.equal((await delivery.ended).kind, 'failed');
});

test('netascii ends where its conversion ends, which only reading tells, in any window', async () => {
  for (const length of [0, 1, 511, 512, 1399, 1400, 262_000, 700_001]) {
    const bytes = Buffer.alloc(length, 'two lines\nwith ends\r\n');
    const converted = Buffer.from([...bytes].flatMap((b) => (b === 10 ? [13, 10] : b === 13 ? [13, 0] : [b])));
    const { outcome, wire } = await deliver(await contentOf(bytes, 'netascii'), () => true);
    assert.ok(outcome.kind === 'sent' && outcome.bytes === converted.length, `${length}`);
    assert.ok(Buffer.concat(wire.got).equals(converted), `${length}`);
  }
});

test('nothing is read ahead for a client that was not heard', async () => {
  let read = 0;
  const plain = await contentOf(BYTES);
  const content: Content = {
    size: BYTES.length,
    fill: (into) => {
      read += into.length;
      return plain.fill(into);
    },
    close: () => plain.close(),
  };
  const terms = negotiate(WINDOWED, { size: content.size, mtu: 1500, windowBytes: 128 * 1024 });
  const port: TransferPort = { send: () => {}, sendBlocks: () => {}, close: async () => {} };
  let room = false;
  const delivery = new Delivery({
    content,
    terms,
    port,
    pool: new ChunkPool(),
    onHeard: () => room,
    faulted: noFault,
  });
  delivery.start();
  await new Promise((resolve) => setTimeout(resolve, 50));
  delivery.receive({ kind: 'ack', block: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([read, delivery.heardAt], [0, undefined], 'no room: as if the ACK were lost');
  room = true;
  delivery.receive({ kind: 'ack', block: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(read > 0 && delivery.heardAt !== undefined);
  delivery.fail('enough');
  await delivery.ended;
});

test('an exception in a callback ends the delivery that it happened in, and goes where faults go', async () => {
  const throwing: [string, Kernel][] = [
    ['in the answer to a packet', () => true],
    [
      'after a read',
      (nth) => {
        if (nth > 1) throw new Error('the wire is on fire');
        return true;
      },
    ],
  ];
  for (const [where, kernel] of throwing) {
    const onHeard = (): boolean => {
      if (where === 'after a read') return true;
      throw new Error('the wire is on fire');
    };
    const { outcome, faults } = await deliver(await contentOf(BYTES), kernel, { onHeard });
    assert.ok(outcome.kind === 'failed' && outcome.reason === 'an exception in the server', where);
    assert.equal(String(faults[0]), 'Error: the wire is on fire', where);
  }
});
