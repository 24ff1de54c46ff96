import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { blocksOf, CHUNK_BYTES, ChunkPool } from './blocks.ts';
import { type Content, openContent } from './content.ts';
import { toNetascii } from './netascii.ts';

async function folder(use: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'tftp-content-'));
  try {
    await use(path);
  } finally {
    await rm(path, { recursive: true });
  }
}

async function readAll(content: Content | undefined, step: number): Promise<Buffer> {
  assert.ok(content !== undefined);
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.alloc(step);
    const got = await content.fill(part);
    parts.push(part.subarray(0, got));
    if (got < step) break;
  }
  await content.close();
  const all = Buffer.concat(parts);
  assert.equal(all.length, content.size);
  return all;
}

/** The conversion as RFC 764 puts it, all at once. */
function netascii(bytes: Uint8Array): Buffer {
  return Buffer.from([...bytes].flatMap((byte) => (byte === 10 ? [13, 10] : byte === 13 ? [13, 0] : [byte])));
}

const lineBytes = fc.array(fc.constantFrom(10, 13, 65, 0, 255), { maxLength: 400 }).map((bytes) => Buffer.from(bytes));

test('netascii is the same whatever the size of the pieces', async () => {
  await fc.assert(
    fc.asyncProperty(lineBytes, fc.integer({ min: 1, max: 50 }), async (bytes, step) => {
      const content = await openContent({ kind: 'bytes', bytes }, 'netascii');
      assert.deepEqual(await readAll(content, step), netascii(bytes));
    }),
  );
  assert.deepEqual(toNetascii(Buffer.from('\n'), Buffer.alloc(1)), { taken: 0, written: 0 });
});

test('a file of several pieces as octets and as netascii', () =>
  folder(async (path) => {
    const bytes = Buffer.alloc(200_001, 'line\r\nline\n');
    const file = join(path, 'file');
    await writeFile(file, bytes);
    assert.deepEqual(await readAll(await openContent({ kind: 'file', path: file }, 'octet'), 70_000), bytes);
    assert.deepEqual(await readAll(await openContent({ kind: 'file', path: file }, 'netascii'), 511), netascii(bytes));
  }));

test('what is no regular file is not opened, and does not block', () =>
  folder(async (path) => {
    await writeFile(join(path, 'file'), 'x');
    await symlink('file', join(path, 'link'));
    execFileSync('mkfifo', [join(path, 'fifo')]);
    for (const name of ['link', 'fifo', 'absent', '.']) {
      assert.equal(await openContent({ kind: 'file', path: join(path, name) }, 'octet'), undefined, name);
    }
  }));

test('renaming another file over it does not disturb an open one', () =>
  folder(async (path) => {
    await writeFile(join(path, 'file'), 'old');
    await writeFile(join(path, 'new'), 'something new');
    const content = await openContent({ kind: 'file', path: join(path, 'file') }, 'octet');
    await rename(join(path, 'new'), join(path, 'file'));
    assert.equal((await readAll(content, 10)).toString(), 'old');
  }));

/** Reads every block in order, as a transfer of window 1 would. */
async function readBlocks(content: Content, blockSize: number, firstAlone = false): Promise<Buffer[]> {
  const room = Buffer.alloc(blockSize);
  const first = firstAlone ? room.subarray(0, await content.fill(room)) : undefined;
  let woken = Promise.withResolvers<void>();
  const onRead = (error?: Error) => {
    if (error === undefined) woken.resolve();
    else woken.reject(error);
    if (error === undefined) woken = Promise.withResolvers<void>();
  };
  const blocks = blocksOf({ content, blockSize, pool: new ChunkPool(), onRead, ...(first && { first }) });
  blocks.readAhead();
  const read: Buffer[] = [];
  const into = Buffer.alloc(blockSize + 4);
  try {
    for (let n = 1; n <= blocks.lastBlock; n++) {
      blocks.release(n);
      let length = blocks.copy(n, into, 4);
      while (length < 0) {
        await woken.promise;
        length = blocks.copy(n, into, 4);
      }
      read.push(Buffer.from(into.subarray(4, 4 + length)));
    }
    return read;
  } finally {
    await blocks.close();
  }
}

test('blocks are the content cut evenly, the last one shorter', async () => {
  const sizes = [0, 1, 511, 512, 513, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7];
  for (const size of sizes) {
    for (const blockSize of [512, 1428, 65464]) {
      const bytes = Buffer.alloc(size, 'some bytes that differ from block to block. ');
      const content = await openContent({ kind: 'bytes', bytes }, 'octet');
      assert.ok(content !== undefined);
      const blocks = await readBlocks(content, blockSize);
      assert.equal(blocks.length, Math.floor(size / blockSize) + 1);
      assert.ok(blocks.every((block, i) => block.length === blockSize || i === blocks.length - 1));
      assert.ok(Buffer.concat(blocks).equals(bytes), `${size} by ${blockSize}`);
    }
  }
});

test('a file that becomes shorter fails its transfer and is not padded', () =>
  folder(async (path) => {
    const file = join(path, 'file');
    await writeFile(file, Buffer.alloc(4 * CHUNK_BYTES));
    const content = await openContent({ kind: 'file', path: file }, 'octet');
    assert.ok(content !== undefined);
    await truncate(file, CHUNK_BYTES);
    await assert.rejects(readBlocks(content, 512), /shorter/);
  }));
