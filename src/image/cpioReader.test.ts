import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { cpio, type Member } from './cpio.ts';
import { readCpio } from './cpioReader.ts';
import { type Entry, plainDirectory } from './entry.ts';

async function read(bytes: AsyncIterable<Uint8Array>) {
  const found: { entry: Entry; inode: number; links: number; text: string }[] = [];
  for await (const { content, ...about } of readCpio(bytes)) {
    found.push({ ...about, text: Buffer.concat(await Array.fromAsync(content)).toString('latin1') });
  }
  return found;
}

/** The bytes in pieces of a length, so that nothing may depend on where chunks end. */
async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const name = fc.stringMatching(/^[a-zé][a-z0-9é./-]{0,40}$/).filter((text) => text !== 'TRAILER!!!');
const member: fc.Arbitrary<Member> = fc
  .record({
    name,
    kind: fc.constantFrom('file', 'directory', 'symlink', 'character', 'fifo'),
    mode: fc.nat(0o7777),
    id: fc.nat(70_000),
    text: fc.string({ maxLength: 30 }),
  })
  .map(({ name: path, kind, mode, id, text }) => {
    const content = Buffer.from(text);
    const entry: Entry = {
      ...plainDirectory(path, id),
      kind: kind as Entry['kind'],
      mode,
      uid: id,
      gid: id,
      size: kind === 'file' ? content.length : 0,
      ...(kind === 'symlink' ? { target: 'somewhere/else' } : {}),
      ...(kind === 'character' ? { device: { major: 1, minor: 3 } } : {}),
    };
    return { entry, inode: id, links: 1, ...(kind === 'file' && content.length > 0 ? { content: [content] } : {}) };
  });

test('what is written is read again, however the bytes come', async () => {
  const property = fc.asyncProperty(
    fc.array(member, { maxLength: 6 }),
    fc.integer({ min: 1, max: 200 }),
    async (all, n) => {
      const archive = Buffer.concat(await Array.fromAsync(cpio(all)));
      const found = await read(inPieces(archive, n));
      const expected = all.map(({ entry, inode, links, content = [] }) => ({
        entry,
        inode,
        links,
        text: Buffer.concat([...(content as Iterable<Uint8Array>)]).toString('latin1'),
      }));
      assert.deepEqual(found, expected);
    },
  );
  await fc.assert(property, { numRuns: 100 });
});

test('a content that is not read is skipped', async () => {
  const file = (path: string, text: string): Member => ({
    entry: { ...plainDirectory(path, 0), kind: 'file', size: text.length },
    inode: 1,
    links: 1,
    content: [Buffer.from(text)],
  });
  const archive = Buffer.concat(await Array.fromAsync(cpio([file('a', 'unread'), file('b', 'x')])));
  const names: string[] = [];
  for await (const { entry } of readCpio(inPieces(archive, 7))) names.push(entry.path);
  assert.deepEqual(names, ['a', 'b']);
});

test('random or cut bytes are an error of ours', async () => {
  const archive = Buffer.concat(await Array.fromAsync(cpio([{ entry: plainDirectory('a', 0), inode: 1, links: 2 }])));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((random) => Buffer.from(random)),
    fc.nat(archive.length - 1).map((length) => archive.subarray(0, length)),
    fc.tuple(fc.nat(109), fc.nat(255)).map(([at, byte]) => {
      const changed = Buffer.from(archive);
      changed[at] = byte;
      return changed;
    }),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (some) => {
      await read(inPieces(some, 64)).catch((error) => assert.ok(error instanceof ReveilleError, String(error)));
    }),
    { numRuns: 300 },
  );
});
