import assert from 'node:assert/strict';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { readPieces, readSmall } from './readFile.ts';

const folder = await mkdtemp(join(tmpdir(), 'reveille-read-'));
after(() => rm(folder, { recursive: true }));
const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));

test('pieces put together are the bytes asked for, whatever the size of a piece', async () => {
  const path = join(folder, 'whole');
  await writeFile(path, content);
  await using handle = await open(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(999), fc.nat(999), fc.integer({ min: 1, max: 1200 }), async (a, b, pieceBytes) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      const copies: Buffer[] = [];
      for await (const piece of readPieces(handle, first, last, pieceBytes)) {
        assert.ok(piece.length <= pieceBytes);
        copies.push(Buffer.from(piece));
      }
      assert.deepEqual(Buffer.concat(copies), content.subarray(first, last + 1));
    }),
  );
});

test('a file that becomes shorter ends early; a reader may leave between pieces', async () => {
  const path = join(folder, 'shrinks');
  await writeFile(path, content);
  await using handle = await open(path);
  const stat = await handle.stat({ bigint: true });
  let seen = 0;
  for await (const piece of readPieces(handle, 0, 999, 10)) {
    if (seen === 0) await truncate(path, 500);
    seen += piece.length;
  }
  assert.equal(seen, 500);
  assert.equal(await readSmall(handle, stat), undefined);
  for await (const piece of readPieces(handle, 0, 499, 100)) {
    assert.equal(piece.length, 100);
    break;
  }
});
