import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { imageFiles } from './contents.ts';
import type { Member } from './cpio.ts';
import { diffImages, type Opened } from './diff.ts';
import { type Entry, plainDirectory } from './entry.ts';
import { writeInitrd } from './pack.ts';
import { writeSquashfs } from './squashfs.ts';

type Some = Partial<Entry> & { readonly text?: string };

function members(files: { readonly [path: string]: Some }): Member[] {
  return Object.entries(files).map(([path, { text = '', ...more }], at) => {
    const size = more.kind === undefined ? text.length : 0;
    const entry: Entry = { ...plainDirectory(path, 1), mode: 0o644, kind: 'file', size, ...more };
    return { entry, inode: at + 1, links: 1, ...(size > 0 ? { content: [Buffer.from(text)] } : {}) };
  });
}

async function* later(some: readonly Member[]): AsyncGenerator<Member> {
  yield* some;
}

/** An image of these files, as an initrd or as a squashfs. */
async function opened(
  t: TestContext,
  form: 'initrd' | 'squashfs',
  files: { readonly [path: string]: Some },
  packages: { readonly [name: string]: string },
): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'diff-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'root');
  const written =
    form === 'initrd'
      ? await writeInitrd(path, members(files), 'zstd')
      : await writeSquashfs(path, later(members(files)), 'zstd', 1);
  const file = { path, ...written };
  const image = {
    name: 'x',
    sha256: 'a'.repeat(64),
    kernel: { path: '/k', size: 10, sha256: 'b'.repeat(64) },
    initrd: form === 'initrd' ? file : { path: '/i', size: 5, sha256: 'c'.repeat(64) },
    ...(form === 'squashfs' ? { root: file } : {}),
    builtAt: '2026-01-01T00:00:00Z',
    kernelVersion: form,
    packages: Object.entries(packages).map(([name, version]) => ({ name, version })),
  };
  return { image, files: await imageFiles(image) };
}

const BEFORE = {
  bin: { kind: 'directory', mode: 0o755 },
  etc: { kind: 'directory', mode: 0o755 },
  'etc/same': { text: 'same' },
  'etc/content': { text: 'one' },
  'etc/a name with spaces': { text: 'x', uid: 33, gid: 33 },
  'bin/su': { text: 'su', mode: 0o4755 },
  'bin/sh': { kind: 'symlink', mode: 0o777, target: 'bash' },
  gone: { text: 'a file that is gone' },
} as const;
const AFTER = {
  bin: { kind: 'directory', mode: 0o755 },
  etc: { kind: 'directory', mode: 0o755 },
  'etc/same': { text: 'same' },
  'etc/content': { text: 'two' },
  'etc/a name with spaces': { text: 'x', uid: 0, gid: 33 },
  'bin/su': { text: 'su', mode: 0o755 },
  'bin/sh': { kind: 'symlink', mode: 0o777, target: 'dash' },
  'new': { text: 'a file that came and is larger' },
} as const;

for (const [a, b] of [
  ['initrd', 'initrd'],
  ['squashfs', 'squashfs'],
  ['initrd', 'squashfs'],
] as const) {
  test(`two images are compared file by file: ${a} and ${b}`, async (t) => {
    const difference = diffImages(
      await opened(t, a, BEFORE, { bash: '1', dash: '1', vim: '2' }),
      await opened(t, b, AFTER, { dash: '1', nano: '3', vim: '2.1' }),
    );
    assert.deepEqual(difference.packages, [
      { name: 'bash', before: '1' },
      { name: 'nano', after: '3' },
      { name: 'vim', before: '2', after: '2.1' },
    ]);
    assert.deepEqual(
      difference.files.map(({ path, before, after, what }) => [path, before, after, ...what]),
      [
        ['/new', undefined, 30],
        ['/gone', 19, undefined],
        ['/bin/sh', 0, 0, 'target bash -> dash'],
        ['/bin/su', 2, 2, 'mode 4755 -> 755'],
        ['/etc/a name with spaces', 1, 1, 'owner 33:33 -> 0:33'],
        ['/etc/content', 3, 3, 'content'],
      ],
    );
    assert.deepEqual(difference.unpacked, { before: 4 + 3 + 1 + 2 + 19, after: 4 + 3 + 1 + 2 + 30 });
    assert.deepEqual(difference.kernel, { before: a, after: b });
  });
}
