import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import tar from 'tar-stream';
import type { AgentFile } from '../node/agent/files.ts';
import { indexRoot } from './index.ts';
import { layIn } from './layin.ts';
import { packImage, writeInitrd } from './pack.ts';
import { slimmer } from './slim.ts';

type Part = Partial<tar.Header> & { readonly name: string; readonly text?: string };

async function tarOf(parts: readonly Part[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const { text, ...header } of parts) pack.entry({ mtime: new Date(1_600_000_000_000), ...header }, text ?? '');
  pack.finalize();
  return Buffer.concat(await Array.fromAsync(pack as unknown as AsyncIterable<Uint8Array>));
}

const ROOT: readonly Part[] = [
  { name: './bin', type: 'symlink', linkname: 'usr/bin' },
  { name: './boot/', type: 'directory' },
  { name: './boot/config-6.1', text: 'CONFIG_RD_ZSTD=y\nCONFIG_RD_GZIP=y\n' },
  { name: './boot/vmlinuz-6.1', text: 'the kernel' },
  { name: './dev/', type: 'directory' },
  { name: './dev/console', type: 'character-device', devmajor: 5, devminor: 1, mode: 0o600 },
  { name: './etc/', type: 'directory', mode: 0o755 },
  { name: './etc/hostname', text: 'node\n' },
  { name: './etc/machine-id', text: '0123456789abcdef0123456789abcdef\n' },
  { name: './lib', type: 'symlink', linkname: 'usr/lib' },
  { name: './sbin', type: 'symlink', linkname: 'usr/sbin' },
  { name: './usr/', type: 'directory' },
  { name: './usr/bin/', type: 'directory' },
  { name: './usr/bin/perl', text: 'perl itself', mode: 0o755 },
  { name: './usr/bin/perl5.36', type: 'link', linkname: './usr/bin/perl' },
  { name: './usr/bin/su', text: 'su itself', mode: 0o4755 },
  { name: './usr/lib/', type: 'directory' },
  { name: './usr/lib/systemd/', type: 'directory' },
  { name: './usr/lib/systemd/systemd', text: 'systemd', mode: 0o755 },
  { name: './usr/share/', type: 'directory' },
  { name: './usr/share/doc/', type: 'directory' },
  { name: './usr/share/doc/a', text: 'shared text' },
  { name: './usr/share/licenses/', type: 'directory', mode: 0o711 },
  { name: './usr/share/licenses/a', type: 'link', linkname: './usr/share/doc/a' },
  { name: './usr/share/licenses/b', type: 'link', linkname: './usr/share/licenses/a' },
  {
    name: './var/lib/dpkg/status',
    text: 'Package: perl\nStatus: install ok installed\nVersion: 1:5.36\nArchitecture: amd64\n',
  },
  { name: './var/lib/dpkg/info/perl.list', text: '/.\n/bin/perl\n' },
];

const AGENT: readonly AgentFile[] = [
  { path: '/sbin/agent', mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
  { path: '/usr/lib/systemd/system/agent.wants', target: '../agent' },
];

async function pack(t: TestContext, archive: Buffer, compression: 'zstd' | 'gzip' = 'zstd') {
  const folder = mkdtempSync(join(tmpdir(), 'pack-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, 'root.tar');
  writeFileSync(root, archive);
  const index = await indexRoot(root);
  const to = { kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd') };
  const rules = { slim: true, keep: [], remove: [] };
  const packed = await packImage(
    {
      root,
      index,
      kernel: 'boot/vmlinuz-6.1',
      laid: layIn(index, { ...rules, agent: AGENT, mtime: 1 }),
      dropped: slimmer(rules),
      kernelTo: to.kernel,
      writeRoot: (members) => writeInitrd(to.initrd, members, compression),
      mtime: 1,
    },
    () => {},
  );
  const initrd = readFileSync(to.initrd);
  const cpio = compression === 'zstd' ? zstdDecompressSync(initrd) : gunzipSync(initrd);
  const listed = execFileSync('cpio', ['--list', '--verbose', '--quiet', '--numeric-uid-gid'], {
    input: cpio,
    encoding: 'utf8',
  });
  const lines = new Map(
    listed
      .trim()
      .split('\n')
      .map((line) => [/\d{4} (\S+)/.exec(line)?.[1] ?? '', line]),
  );
  return { packed, index, cpio, lines, initrd, kernel: readFileSync(to.kernel, 'utf8') };
}

/** What the real cpio extracts for one name. */
function contentOf(t: TestContext, cpio: Buffer, path: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'out-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync('cpio', ['--extract', '--quiet', '--make-directories', '--no-preserve-owner', path], {
    input: cpio,
    cwd: folder,
  });
  return readFileSync(join(folder, path), 'utf8');
}

test('a root becomes a kernel and an initrd', async (t) => {
  const { packed, index, cpio, lines, initrd, kernel } = await pack(t, await tarOf(ROOT));
  assert.equal(kernel, 'the kernel');
  assert.equal(packed.kernel.sha256, createHash('sha256').update('the kernel').digest('hex'));
  assert.deepEqual(packed.root, { size: initrd.length, sha256: createHash('sha256').update(initrd).digest('hex') });
  assert.equal(lines.has('boot/vmlinuz-6.1'), false);
  assert.match(lines.get('init') ?? '', /^lrwxrwxrwx .* -> usr\/lib\/systemd\/systemd$/);
  assert.match(lines.get('dev/console') ?? '', /^crw-------.* 5, +1 /);
  assert.match(lines.get('usr/bin/su') ?? '', /^-rwsr-xr-x/);
  assert.equal(contentOf(t, cpio, 'etc/machine-id'), '');
  assert.equal(contentOf(t, cpio, 'etc/hostname'), 'node\n');
  const perl = { name: 'perl', version: '1:5.36', architecture: 'amd64', needs: [], provides: [], essential: false };
  assert.deepEqual(index.packages, [perl]);
  assert.deepEqual(
    packed.space.packages.find((one) => one.name === 'perl'),
    { name: 'perl', before: 11, after: 11 },
  );
});

test('laid files lie where the root’s symlinks lead', async (t) => {
  const { lines } = await pack(t, await tarOf(ROOT));
  assert.match(lines.get('usr/sbin/agent') ?? '', /^-rwxr-xr-x/);
  assert.equal(lines.has('sbin/agent'), false);
  assert.match(lines.get('sbin') ?? '', /^l/);
  assert.match(lines.get('etc/systemd/system/apt-daily.timer') ?? '', /-> \/dev\/null$/);
});

test('names of one file share an inode, also when the first of them is left out', async (t) => {
  const { cpio, lines } = await pack(t, await tarOf(ROOT));
  const links = (path: string) => lines.get(path)?.split(/\s+/)[1];
  assert.deepEqual(['usr/bin/perl', 'usr/bin/perl5.36', 'usr/bin/su'].map(links), ['2', '2', '1']);
  assert.equal(lines.has('usr/share/doc/a'), false);
  assert.deepEqual(['usr/share/licenses/a', 'usr/share/licenses/b'].map(links), ['2', '2']);
  assert.equal(contentOf(t, cpio, 'usr/share/licenses/a'), 'shared text');
  assert.match(lines.get('usr/share/licenses') ?? '', /^drwx--x--x/, 'a folder needed early has its own mode');
});

test('each directory comes once, before what lies in it', async (t) => {
  const { cpio } = await pack(t, await tarOf(ROOT));
  const names = execFileSync('cpio', ['--list', '--quiet'], { input: cpio, encoding: 'utf8' }).trim().split('\n');
  assert.equal(new Set(names).size, names.length);
  const seen = new Set<string>();
  for (const name of names) {
    const parent = name.split('/').slice(0, -1).join('/');
    assert.ok(parent === '' || seen.has(parent), name);
    seen.add(name);
  }
  assert.ok(seen.has('var/lib/dpkg'), 'a folder that the tar never names is made');
});

test('the same root gives the same bytes, and compressed tars are read too', async (t) => {
  const archive = await tarOf(ROOT);
  const plain = await pack(t, archive);
  for (const same of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
    assert.deepEqual((await pack(t, same)).initrd, plain.initrd);
  }
  assert.deepEqual((await pack(t, archive, 'gzip')).cpio, plain.cpio);
});

test('a name that a tar holds twice is the last one', async (t) => {
  const { cpio } = await pack(t, await tarOf([...ROOT, { name: './etc/hostname', text: 'later name\n' }]));
  assert.equal(contentOf(t, cpio, 'etc/hostname'), 'later name\n');
});

test('a damaged tar, one that leaves the root and one without init are refused', async (t) => {
  const archive = await tarOf(ROOT);
  await assert.rejects(pack(t, archive.subarray(0, 5000)), { code: 'IMAGE_BUILD_FAILED' });
  await assert.rejects(pack(t, Buffer.alloc(4096, 'x')), { code: 'IMAGE_BUILD_FAILED' });
  await assert.rejects(pack(t, await tarOf([{ name: '../../etc/passwd', text: 'x' }])), { message: /leaves the root/ });
  const noInit = ROOT.filter((part) => part.name !== './usr/lib/systemd/systemd');
  await assert.rejects(pack(t, await tarOf(noInit)), { code: 'IMAGE_BUILD_FAILED', hint: /systemd-sysv/ });
});
