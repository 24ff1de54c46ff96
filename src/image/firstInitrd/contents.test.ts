import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import type { Member } from '../cpio.ts';
import { plainDirectory } from '../entry.ts';
import { indexRoot } from '../index.ts';
import { findKernel } from '../kernel.ts';
import { tar } from '../tarWriter.ts';
import { firstInitrd } from './contents.ts';

const MODULES = 'usr/lib/modules/6.1';
const module = (name: string, ...firmware: readonly string[]) =>
  Buffer.from(`\x7fELF ${name}\0${firmware.map((one) => `firmware=${one}\0`).join('')}`, 'latin1');

/** A root with a kernel, some modules, compressed in each way, and firmware behind links. */
const ROOT: { readonly [path: string]: string | Buffer | { readonly target: string } } = {
  'boot/vmlinuz-6.1': 'the kernel',
  lib: { target: 'usr/lib' },
  [`${MODULES}/modules.dep`]: [
    'kernel/loop.ko:',
    'kernel/squashfs.ko.zst:',
    'kernel/overlay.ko.xz:',
    'kernel/tg3.ko: kernel/libphy.ko',
    'kernel/libphy.ko:',
    'kernel/snd.ko:',
    '',
  ].join('\n'),
  [`${MODULES}/modules.alias`]: 'alias pci:v1* tg3\nalias snd-* snd\n',
  [`${MODULES}/kernel/loop.ko`]: module('loop'),
  [`${MODULES}/kernel/squashfs.ko.zst`]: zstdCompressSync(module('squashfs')),
  [`${MODULES}/kernel/overlay.ko.xz`]: execFileSync('xz', ['-c'], { input: module('overlay') }),
  [`${MODULES}/kernel/tg3.ko`]: module('tg3', 'tigon/tg3.bin', 'tigon/absent.bin', 'ddp.pkg', '../../../etc/shadow'),
  [`${MODULES}/kernel/libphy.ko`]: module('libphy'),
  [`${MODULES}/kernel/snd.ko`]: module('snd', 'noise.bin'),
  'usr/lib/firmware/tigon/tg3.bin.zst': zstdCompressSync(Buffer.from('tigon')),
  'usr/lib/firmware/ddp.pkg': { target: 'ice/ddp-1.3.pkg' },
  'usr/lib/firmware/ice/ddp-1.3.pkg': 'ddp',
  'usr/lib/firmware/noise.bin': 'noise',
  'etc/shadow': 'secret',
};

async function rootTar(t: TestContext, files: typeof ROOT): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'first-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const members = Object.entries(files).map(([path, what], inode): Member => {
    if (typeof what === 'object' && 'target' in what)
      return { entry: { ...plainDirectory(path, 1), kind: 'symlink', target: what.target }, inode, links: 1 };
    const content = Buffer.from(what);
    return {
      entry: { ...plainDirectory(path, 1), kind: 'file', mode: 0o644, size: content.length },
      inode,
      links: 1,
      content: [content],
    };
  });
  const path = join(folder, 'root.tar');
  await pipeline(tar(members), createWriteStream(path));
  return path;
}

async function build(t: TestContext, files: typeof ROOT, extraModules: readonly string[] = []) {
  const root = await rootTar(t, files);
  const index = await indexRoot(root);
  const made = await firstInitrd({ root, index, kernel: findKernel(index), extraModules, mtime: 1 });
  const contents = new Map<string, string>();
  for (const { entry, content } of made.members) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content ?? []) chunks.push(chunk);
    contents.set(entry.path, Buffer.concat(chunks).toString('latin1'));
  }
  return { made, contents };
}

test('the first initrd holds the modules that are needed, unpacked, and their firmware under the names they ask for', async (t) => {
  const { made, contents } = await build(t, ROOT, ['nosuch']);
  assert.deepEqual(made.modules, ['libphy', 'loop', 'overlay', 'squashfs', 'tg3']);
  assert.deepEqual(made.missing, ['nosuch']);
  assert.equal(contents.get('lib/modules/6.1/kernel/squashfs.ko'), module('squashfs').toString('latin1'));
  assert.equal(contents.get('lib/modules/6.1/kernel/overlay.ko'), module('overlay').toString('latin1'));
  assert.match(contents.get('lib/modules/6.1/modules.dep') ?? '', /^kernel\/squashfs\.ko: $/m);
  assert.equal(contents.get('lib/modules/6.1/modules.alias'), 'alias pci:v1* tg3\n');
  assert.equal(contents.get('lib/firmware/tigon/tg3.bin'), 'tigon');
  assert.equal(contents.get('lib/firmware/ddp.pkg'), 'ddp');
  assert.ok(![...contents].some(([path, content]) => /shadow|noise|snd/.test(path) || content === 'secret'));
  assert.match(contents.get('init') ?? '', /^#!\/bin\/sh\n/);
  assert.match(contents.get('bin/busybox') ?? '', /^\x7fELF/);
});

test('every folder comes before what lies in it', async (t) => {
  const { made } = await build(t, ROOT);
  const seen = new Set<string>(['']);
  for (const { entry } of made.members) {
    assert.ok(seen.has(entry.path.split('/').slice(0, -1).join('/')), entry.path);
    seen.add(entry.path);
  }
});

test('an image without squashfs or without any list of modules cannot be built, and says what to do', async (t) => {
  const dep = `${MODULES}/modules.dep`;
  const without = { ...ROOT, [dep]: String(ROOT[dep]).replace(/.*squashfs.*\n/, '') };
  await assert.rejects(build(t, without), { code: 'IMAGE_BUILD_FAILED', message: /lacks squashfs/, hint: /keep/ });
  const { [dep]: _, ...none } = ROOT;
  await assert.rejects(build(t, none), { code: 'IMAGE_BUILD_FAILED', hint: /depmod/ });
});
