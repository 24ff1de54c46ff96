import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Member } from './cpio.ts';
import { plainDirectory } from './entry.ts';
import { PaxXattrs } from './paxXattrs.ts';
import { readRootTar } from './roottar.ts';
import { writeSquashfs } from './squashfs.ts';
import { tar } from './tarWriter.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** cap_setuid and others, effective: bytes that no UTF-8 text holds. */
const CAPABILITY = Buffer.from('0100000280ff80c00000000000000000ffffffff', 'hex');
const MTIME = 1_650_000_001;
const LONG = `usr/${'long/'.repeat(30)}name`;

function file(path: string, content: string, more: Partial<Member & Member['entry']> = {}): Member {
  const { inode = 1, links = 1, xattrs, ...entry } = more;
  return {
    entry: { ...plainDirectory(path, MTIME), kind: 'file', mode: 0o644, size: content.length, ...entry },
    inode,
    links,
    ...(content === '' ? {} : { content: [Buffer.from(content)] }),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

const MEMBERS: readonly Member[] = [
  { entry: plainDirectory('usr', MTIME), inode: 1, links: 1 },
  file('usr/ping', 'ping', { inode: 2, mode: 0o4755, uid: 7, xattrs: new Map([['security.capability', CAPABILITY]]) }),
  file('usr/one', 'shared', { inode: 3, links: 2 }),
  file('usr/two', '', { inode: 3, links: 2 }),
  { entry: { ...plainDirectory('usr/link', MTIME), kind: 'symlink', target: `/${LONG}` }, inode: 4, links: 1 },
  file(LONG, 'far', { inode: 5, uid: 5_000_000 }),
];

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test('what is written is read again, every byte of a capability too', async (t) => {
  const path = join(newFolder(t), 'root.tar');
  writeFileSync(path, await collected(tar(MEMBERS)));
  const read = [];
  for await (const record of readRootTar(path)) {
    if (record.kind === 'link') read.push(`${record.path} = ${record.to}`);
    else {
      const content = (await collected(record.content)).toString();
      const { entry } = record;
      read.push(`${entry.path} ${entry.kind} ${entry.uid} ${entry.mtime} ${content}${entry.target ?? ''}`);
      const capability = record.xattrs.get('security.capability');
      assert.deepEqual(capability, entry.path === 'usr/ping' ? CAPABILITY : undefined);
    }
  }
  assert.deepEqual(read, [
    `usr directory 0 ${MTIME} `,
    `usr/ping file 7 ${MTIME} ping`,
    `usr/one file 0 ${MTIME} shared`,
    'usr/two = usr/one',
    `usr/link symlink 0 ${MTIME} /${LONG}`,
    `${LONG} file 5000000 ${MTIME} far`,
  ]);
});

test('GNU tar lists it with the same names, owners and links', async (t) => {
  const path = join(newFolder(t), 'root.tar');
  writeFileSync(path, await collected(tar(MEMBERS)));
  const listed = execFileSync('tar', ['--numeric-owner', '-tvf', path], { encoding: 'utf8' });
  assert.match(listed, /^-rwsr-xr-x 7\/0 +4 .* usr\/ping$/m);
  assert.match(listed, /usr\/two link to usr\/one$/m);
  assert.match(listed, new RegExp(`5000000/0 .* ${LONG}$`, 'm'));
});

test('a squashfs of it keeps owners, times and links, and is the same each time', async (t) => {
  const folder = newFolder(t);
  const one = await writeSquashfs(join(folder, 'one'), members(), 'zstd', 1_700_000_000);
  const two = await writeSquashfs(join(folder, 'two'), members(), 'zstd', 1_700_000_000);
  assert.deepEqual(one, two);
  assert.equal(readFileSync(join(folder, 'one')).length, one.size);
  const listed = execFileSync('unsquashfs', ['-lln', '-UTC', join(folder, 'one')], { encoding: 'utf8' });
  assert.match(listed, /^drwxr-xr-x 0\/0 .* squashfs-root$/m);
  assert.match(listed, /^-rwsr-xr-x 7\/0 .* 2022-04-15 05:20 squashfs-root\/usr\/ping$/m);
  assert.match(listed, new RegExp(`5000000/0 .*squashfs-root/${LONG}$`, 'm'));
  execFileSync('unsquashfs', ['-no-xattrs', '-d', join(folder, 'out'), join(folder, 'one'), 'usr/one', 'usr/two']);
  assert.equal(readFileSync(join(folder, 'out/usr/two'), 'utf8'), 'shared');
});

async function* members(): AsyncGenerator<Member> {
  yield* MEMBERS;
}

test('members that break off leave no whole squashfs and say why', async (t) => {
  const broken = async function* (): AsyncGenerator<Member> {
    yield* MEMBERS.slice(0, 2);
    throw new Error('the root broke off');
  };
  await assert.rejects(writeSquashfs(join(newFolder(t), 'one'), broken(), 'zstd', 1), /broke off/);
});

test('reading attributes passes any bytes on as they are', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 1500 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(chunks, async (any) => {
      const source = async function* () {
        yield* any;
      };
      assert.ok((await collected(new PaxXattrs().watch(source()))).equals(Buffer.concat(any)));
    }),
  );
});

test('attributes are read wherever the stream is cut', async () => {
  const whole = await collected(tar(MEMBERS));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 700 }), async (size) => {
      const attributes = new PaxXattrs();
      const source = async function* () {
        for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
      };
      await collected(attributes.watch(source()));
      assert.deepEqual(attributes.next().get('security.capability'), CAPABILITY);
    }),
    { numRuns: 30 },
  );
});
