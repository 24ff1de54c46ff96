import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { cpio, encodeHeader, type Member } from './cpio.ts';
import type { Entry } from './entry.ts';

const plain: Entry = { path: 'a', kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0 };

async function archive(members: Iterable<Member>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(cpio(members)));
}

test('one file, byte for byte', async () => {
  const content = Buffer.from('hello\n');
  const bytes = await archive([
    {
      entry: { ...plain, path: 'etc/motd', mode: 0o4755, uid: 1000, gid: 24, mtime: 0x65540000, size: 6 },
      inode: 7,
      links: 1,
      content: [content],
    },
  ]);
  const expected =
    '070701' +
    '00000007' +
    '000089ED' +
    '000003E8' +
    '00000018' +
    '00000001' +
    '65540000' +
    '00000006' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000009' +
    '00000000' +
    'etc/motd\0\0' +
    'hello\n\0\0' +
    '070701' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000001' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000000' +
    '00000000' +
    '0000000B' +
    '00000000' +
    'TRAILER!!!\0' +
    '\0\0\0';
  assert.equal(bytes.toString('latin1'), expected);
});

test('a symlink carries its target as content, a device its numbers', () => {
  const link = Buffer.from(
    encodeHeader({ ...plain, path: 'init', kind: 'symlink', mode: 0o777, target: 'sbin/init' }, 1, 1),
  );
  assert.equal(link.toString('latin1', 14, 22), '0000A1FF');
  assert.equal(link.toString('latin1', 54, 62), '00000009');
  assert.equal(link.toString('latin1', 110), 'init\0\0sbin/init\0\0\0');
  const node = Buffer.from(
    encodeHeader(
      { ...plain, path: 'dev/console', kind: 'character', mode: 0o600, device: { major: 5, minor: 1 } },
      2,
      1,
    ),
  );
  assert.equal(node.toString('latin1', 14, 22), '00002180');
  assert.equal(node.toString('latin1', 78, 94), '0000000500000001');
});

test('what the kernel cannot unpack is refused', async () => {
  const refused = { name: 'ReveilleError', code: 'IMAGE_BUILD_FAILED' };
  assert.throws(() => encodeHeader({ ...plain, size: 0x1_0000_0000 }, 1, 1), refused);
  assert.doesNotThrow(() => encodeHeader({ ...plain, size: 0xffff_ffff }, 1, 1));
  assert.throws(() => encodeHeader({ ...plain, path: 'x'.repeat(4096) }, 1, 1), refused);
  assert.doesNotThrow(() => encodeHeader({ ...plain, path: 'x'.repeat(4095) }, 1, 1));
  assert.throws(() => encodeHeader({ ...plain, path: '' }, 1, 1), refused);
  assert.throws(() => encodeHeader({ ...plain, path: 'a\0b' }, 1, 1), refused);
  for (const size of [3, 5]) {
    const lying = [{ entry: { ...plain, size }, inode: 1, links: 1, content: [Buffer.from('four')] }];
    await assert.rejects(archive(lying), (error) => error instanceof ReveilleError && /announced/.test(error.message));
  }
});

/** A small random tree: directories first, then files of any size, symlinks and hard links in them. */
const name = fc.stringMatching(/^[a-zA-Z0-9 _+é-]{1,12}$/).filter((text) => text.trim() === text);
const trees = fc
  .record({
    folders: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
    leaves: fc.uniqueArray(
      fc.record({
        name,
        folder: fc.nat(3),
        mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4711, 0o2755),
        mtime: fc.integer({ min: 1, max: 0x7fff_ffff }),
        what: fc.oneof(
          fc.record({
            kind: fc.constant('file' as const),
            content: fc.uint8Array({ maxLength: 70 }),
            names: fc.nat(2),
          }),
          fc.record({ kind: fc.constant('symlink' as const), target: name }),
        ),
      }),
      { maxLength: 8, selector: (leaf) => leaf.name },
    ),
  })
  .map(({ folders, leaves }) => {
    const members: Member[] = folders.map((folder, at) => ({
      entry: { ...plain, path: folder, kind: 'directory', mode: 0o755 },
      inode: at + 1,
      links: 1,
    }));
    let inode = 100;
    for (const leaf of leaves) {
      const path = `${folders[leaf.folder % folders.length]}/${leaf.name}`;
      inode++;
      if (leaf.what.kind === 'symlink') {
        members.push({
          entry: { ...plain, path, kind: 'symlink', mode: 0o777, target: leaf.what.target },
          inode,
          links: 1,
        });
        continue;
      }
      const { content, names } = leaf.what;
      const entry: Entry = { ...plain, path, mode: leaf.mode, mtime: leaf.mtime, size: content.length };
      members.push({ entry, inode, links: names + 1, content: [content] });
      for (let other = 0; other < names; other++) {
        members.push({ entry: { ...entry, path: `${path}.${other}`, size: 0 }, inode, links: names + 1 });
      }
    }
    return members;
  });

test('the real cpio extracts what went in', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cpio-'));
  try {
    await fc.assert(
      fc.asyncProperty(trees, async (members) => {
        const to = mkdtempSync(join(folder, 'tree-'));
        execFileSync('cpio', ['--extract', '--quiet', '--preserve-modification-time', '--no-preserve-owner'], {
          cwd: to,
          input: await archive(members),
        });
        const found = readdirSync(to, { recursive: true, encoding: 'utf8' }).sort();
        assert.deepEqual(found, members.map((member) => member.entry.path).sort());
        const contents = new Map(members.filter((m) => m.content !== undefined).map((m) => [m.inode, m]));
        for (const { entry, inode, links } of members) {
          const at = join(to, entry.path);
          const stat = lstatSync(at);
          if (entry.kind === 'symlink') assert.equal(readlinkSync(at), entry.target);
          if (entry.kind !== 'file') continue;
          const first = contents.get(inode);
          assert.ok(first);
          assert.deepEqual([...readFileSync(at)], [...Buffer.concat(await Array.fromAsync(first.content ?? []))]);
          assert.equal(stat.mode & 0o1777, entry.mode & 0o1777);
          assert.equal(stat.nlink, links);
          assert.equal(stat.ino, lstatSync(join(to, first.entry.path)).ino);
          assert.equal(Math.floor(stat.mtimeMs / 1000), entry.mtime);
        }
      }),
      { numRuns: 40 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the real cpio lists owners, setuid bits, devices and fifos', async () => {
  const bytes = await archive([
    { entry: { ...plain, path: 'dev', kind: 'directory', mode: 0o755 }, inode: 1, links: 1 },
    {
      entry: { ...plain, path: 'dev/sda', kind: 'block', mode: 0o660, gid: 6, device: { major: 8, minor: 300 } },
      inode: 2,
      links: 1,
    },
    { entry: { ...plain, path: 'dev/pipe', kind: 'fifo', mode: 0o600 }, inode: 3, links: 1 },
    {
      entry: { ...plain, path: 'su', mode: 0o4755, uid: 70000, gid: 4_000_000_000, size: 3 },
      inode: 4,
      links: 1,
      content: [Buffer.from('abc')],
    },
  ]);
  const listed = execFileSync('cpio', ['--list', '--verbose', '--quiet', '--numeric-uid-gid'], {
    input: bytes,
    encoding: 'utf8',
  });
  const lines = listed
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  assert.deepEqual(
    lines.map((words) => words[0]),
    ['drwxr-xr-x', 'brw-rw----', 'prw-------', '-rwsr-xr-x'],
  );
  assert.match(listed, /brw-rw---- +1 0 +6 +8, *300 .* dev\/sda/);
  assert.match(listed, /-rwsr-xr-x +1 70000 +4000000000 +3 .* su/);
});

test('an archive is the same however its contents are cut', async () => {
  const content = Buffer.alloc(100_001, 'xyz');
  const digest = async (chunks: Iterable<Uint8Array>) =>
    createHash('sha256')
      .update(await archive([{ entry: { ...plain, size: content.length }, inode: 1, links: 1, content: chunks }]))
      .digest('hex');
  assert.equal(
    await digest([content]),
    await digest([content.subarray(0, 7), content.subarray(7, 60_000), content.subarray(60_000)]),
  );
});
