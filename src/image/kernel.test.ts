import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from './entry.ts';
import { chooseCompression, compareVersions, findKernel } from './kernel.ts';

function root(...versions: readonly string[]): Map<string, Entry> {
  return new Map(
    versions.map((version) => {
      const path = `boot/vmlinuz-${version}`;
      return [path, { path, kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 1 }];
    }),
  );
}

test('the newest kernel is taken, by its numbers', () => {
  const kernel = findKernel({
    entries: root('6.1.0-9-amd64', '6.1.0-10-amd64', '5.10.0-30-amd64'),
    kernelConfigs: new Map(),
    osRelease: '',
  });
  assert.equal(kernel.path, 'boot/vmlinuz-6.1.0-10-amd64');
  assert.ok(compareVersions('6.1.0-9-amd64', '6.1.0-9-cloud-amd64') < 0);
  assert.equal(compareVersions('6.1', '6.1'), 0);
  assert.ok(compareVersions('6.1', '6.1.1') < 0);
});

test('a root without a kernel says which package brings one', () => {
  const without = (osRelease: string) => () => findKernel({ entries: new Map(), kernelConfigs: new Map(), osRelease });
  for (const [osRelease, name] of [
    ['ID=debian\n', /: linux-image-amd64$/],
    ['ID=ubuntu\nID_LIKE=debian\n', /: linux-image-generic$/],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', /: kernel-core$/],
    ['ID=alpine\n', /: linux-lts$/],
    ['', /: linux-image-amd64$/],
  ] as const)
    assert.throws(without(osRelease), { code: 'IMAGE_BUILD_FAILED', hint: name });
});

test('compression is what the kernel can unpack', () => {
  const with_ = (config: string | undefined) =>
    findKernel({
      osRelease: '',
      entries: root('6.1'),
      kernelConfigs: config === undefined ? new Map() : new Map([['6.1', config]]),
    });
  const both = with_('CONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n');
  assert.equal(chooseCompression(both, 'initrd', 'auto'), 'zstd');
  assert.equal(chooseCompression(both, 'initrd', 'gzip'), 'gzip');
  const old = with_('CONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n');
  assert.equal(chooseCompression(old, 'initrd', 'auto'), 'gzip');
  assert.throws(() => chooseCompression(old, 'initrd', 'zstd'), { code: 'IMAGE_BUILD_FAILED', hint: /gzip/ });
  assert.equal(chooseCompression(with_(undefined), 'initrd', 'auto'), 'gzip');
  assert.equal(chooseCompression(with_('CONFIG_SQUASHFS_ZSTD=y\n'), 'squashfs', 'auto'), 'zstd');
  assert.throws(() => chooseCompression(both, 'squashfs', 'auto'), { message: /cannot read a squashfs/ });
});
