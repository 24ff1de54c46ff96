import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Member } from '../cpio.ts';
import type { Entry } from '../entry.ts';
import type { Linked } from './elf.ts';
import { type LinkedRoot, missingLibraries, resolved } from './libraries.ts';
import { watchLinks } from './watch.ts';

/** `a -> b` is a link, `a/` a folder, anything else a file. */
function entriesOf(...lines: string[]): LinkedRoot['entries'] {
  const entries = new Map<string, Pick<Entry, 'kind' | 'target'>>();
  for (const line of lines) {
    const [path = '', target] = line.split(' -> ');
    const names = path.split('/').filter((name) => name !== '');
    for (let depth = 1; depth < names.length; depth++) {
      const parent = names.slice(0, depth).join('/');
      if (!entries.has(parent)) entries.set(parent, { kind: 'directory' });
    }
    entries.set(
      names.join('/'),
      target === undefined ? { kind: path.endsWith('/') ? 'directory' : 'file' } : { kind: 'symlink', target },
    );
  }
  return entries;
}

const needs = (...needed: string[]): Linked => ({ machine: 62, needed, runpath: [] });

const LIB = 'usr/lib/x86_64-linux-gnu';
const ENTRIES = entriesOf(
  'lib -> usr/lib',
  `${LIB}/libc.so.6`,
  `${LIB}/libblas.so.3 -> /etc/alternatives/libblas`,
  `etc/alternatives/libblas -> /${LIB}/blas/libblas.so.3`,
  `${LIB}/libz.so.1 -> libz.so.1.2`,
  `${LIB}/libz.so.1.2`,
  `${LIB}/qemu/block-rbd.so`,
  `${LIB}/systemd/libsystemd-core.so`,
  `${LIB}/systemd/libsystemd-shared.so`,
  'opt/app/bin/app',
  'opt/app/lib/libapp.so',
  'opt/ours/libours.so',
  'usr/lib/tc/q_atm.so',
  `${LIB}/loop.so -> loop.so`,
);

for (const [words, path, linked, missing] of [
  ['the C library in a folder of its architecture', 'opt/app/bin/app', needs('libc.so.6'), undefined],
  ['a library by way of a link', 'opt/app/bin/app', needs('libz.so.1'), undefined],
  ['an alternative whose file was removed', 'opt/app/bin/app', needs('libblas.so.3'), ['libblas.so.3']],
  [
    'what was removed',
    `${LIB}/qemu/block-rbd.so`,
    needs('libc.so.6', 'librbd.so.1', 'librados.so.2'),
    ['librbd.so.1', 'librados.so.2'],
  ],
  ['a private sister', `${LIB}/systemd/libsystemd-core.so`, needs('libsystemd-shared.so'), undefined],
  [
    'a folder of its own',
    'opt/app/bin/app',
    { machine: 62, needed: ['libapp.so'], runpath: ['$ORIGIN/../lib'] },
    undefined,
  ],
  [
    'another one, in braces',
    'opt/app/bin/app',
    { machine: 62, needed: ['libapp.so'], runpath: [`\${ORIGIN}/../lib`] },
    undefined,
  ],
  ['a private library of somebody else', 'opt/app/bin/app', needs('libapp.so'), ['libapp.so']],
  ['a folder of ld.so.conf', 'opt/app/bin/app', needs('libours.so'), undefined],
  ['a link to itself', 'opt/app/bin/app', needs('loop.so'), ['loop.so']],
  [
    'the linker',
    'opt/app/bin/app',
    { ...needs(), interpreter: '/lib64/ld-linux-x86-64.so.2' },
    ['/lib64/ld-linux-x86-64.so.2'],
  ],
  ['what a package only suggests', 'usr/lib/tc/q_atm.so', needs('libatm.so.1'), undefined],
] as const) {
  test(`${words}: ${missing ? 'missing' : 'found'}`, () => {
    const root = { entries: ENTRIES, linked: new Map([[path, linked]]), folders: ['# a comment', '/opt/ours'] };
    assert.deepEqual(
      missingLibraries(root, new Map([[path, 'a-package']]), []),
      missing ? [{ path: `/${path}`, package: 'a-package', libraries: missing }] : [],
    );
    assert.deepEqual(missingLibraries(root, new Map(), [`/${path}`]), []);
  });
}

test('firmware for another processor is not looked at', () => {
  const linked = new Map([
    ['opt/app/bin/app', needs('libc.so.6')],
    ['opt/app/lib/libapp.so', needs('libc.so.6')],
    ['usr/share/qemu/s390-ccw.img', { ...needs(), machine: 22, interpreter: '/lib/ld64.so.1' }],
  ]);
  assert.deepEqual(missingLibraries({ entries: ENTRIES, linked, folders: [] }, new Map(), []), []);
});

test('paths are followed through folders that are links, and never for ever', () => {
  assert.equal(resolved(ENTRIES, '/lib/x86_64-linux-gnu/libz.so.1'), `${LIB}/libz.so.1.2`);
  assert.equal(resolved(ENTRIES, `/${LIB}/loop.so`), undefined);
  assert.equal(resolved(ENTRIES, '/lib/../../etc/alternatives'), 'etc/alternatives');
});

test('members pass unchanged while they are looked at', async () => {
  const program = readFileSync('/bin/true');
  const contents: Readonly<Record<string, Buffer>> = {
    'bin/true': program,
    'etc/ld.so.conf.d/ours.conf': Buffer.from('/opt/ours\n'),
    'etc/motd': Buffer.from('ELF, not'),
    'etc/empty': Buffer.alloc(0),
  };
  async function* members(): AsyncGenerator<Member> {
    for (const [path, content] of Object.entries(contents)) {
      const entry: Entry = { path, kind: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0, size: content.length };
      const chunks = Array.from({ length: Math.ceil(content.length / 7) }, (_, i) =>
        content.subarray(i * 7, i * 7 + 7),
      );
      yield { entry, inode: 1, links: 1, ...(content.length > 0 ? { content: chunks } : {}) };
    }
  }
  const watch = watchLinks(members());
  for await (const { entry, content } of watch.members) {
    const passed: Uint8Array[] = [];
    if (content) for await (const chunk of content) passed.push(chunk);
    assert.deepEqual(Buffer.concat(passed), contents[entry.path]);
  }
  assert.deepEqual([...watch.seen.linked.keys()], ['bin/true']);
  assert.ok(watch.seen.linked.get('bin/true')?.needed.includes('libc.so.6'));
  assert.ok(watch.seen.folders.includes('/opt/ours'));
  assert.equal(watch.seen.entries.size, 4);
});
