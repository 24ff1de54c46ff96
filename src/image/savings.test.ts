import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainDirectory } from './entry.ts';
import type { RootIndex } from './index.ts';
import { type Package, parseDpkgStatus } from './packages.ts';
import { findSavings, idlePackages, neededBy, type SavingsFrom } from './savings.ts';
import { slimmer } from './slim.ts';

const MB = 1_000_000;
const KERNEL = '6.1.0-10-amd64';

/** A root of files: path, bytes and the package each came from. */
function from(files: readonly (readonly [string, number, string?])[], packages: readonly Package[] = []): SavingsFrom {
  const entries = new Map(
    files.map(([path, size]) => [path, { ...plainDirectory(path, 0), kind: 'file' as const, size }]),
  );
  const owners = new Map(files.flatMap(([path, , owner]) => (owner === undefined ? [] : [[path, owner] as const])));
  const lists = (version: string) => ({
    folder: `usr/lib/modules/${version}`,
    dep: '',
    builtin: '',
    softdep: '',
    alias: '',
  });
  const moduleLists: RootIndex['moduleLists'] = new Map([KERNEL, '6.1.0-9-amd64'].map((one) => [one, lists(one)]));
  return {
    index: { entries, owners, packages, moduleLists },
    kernel: KERNEL,
    dropped: slimmer({ slim: true, remove: [], keep: [] }),
    packages: [],
    keepPaths: [],
  };
}

const packageOf = (name: string, needs: readonly (readonly string[])[] = [], more: Partial<Package> = {}): Package => ({
  ...{ name, version: '1', architecture: 'amd64', needs, provides: [], essential: false },
  ...more,
});

const removes = (input: SavingsFrom) => findSavings(input).savings.map(({ remove }) => remove);

describe('what could go from an image', () => {
  it('is what only an installed machine needs, modules of other kernels, and what lies in /boot', () => {
    const input = from([
      ['usr/lib/modules/6.1.0-9-amd64/kernel/a.ko', 9 * MB, 'linux-image-6.1.0-9-amd64'],
      [`usr/lib/modules/${KERNEL}/kernel/a.ko`, 9 * MB, `linux-image-${KERNEL}`],
      ['boot/config-6.1', 300_000],
      ['usr/share/doc/bash/README', 5 * MB, 'bash'],
      ['usr/lib/python3.11/test/test_a.py', 7 * MB],
      ['usr/share/fonts/tiny', 99],
    ]);
    assert.deepEqual(removes(input), ['/usr/lib/modules/6.1.0-9-amd64', '/usr/lib/python3*/test', '/boot']);
    assert.equal(findSavings(input).bytes, 25 * MB + 300_000 + 99, 'documentation is left out already');
  });

  it('never counts a file twice', () => {
    const { savings } = findSavings(from([['boot/fonts/big', 2 * MB, 'grub-common']], [packageOf('grub-common')]));
    assert.deepEqual(
      savings.map(({ remove, bytes }) => [remove, bytes]),
      [['grub-common', 2 * MB]],
    );
  });

  it('is no useless package that another needs, unless that is the kernel, which asks for the maker of initrds', () => {
    const files = from(
      ['initramfs-tools', 'klibc-utils', 'ieee-data'].map((name) => [`usr/lib/${name}`, MB, name]),
      [
        packageOf('linux-image-6.1', [['initramfs-tools', 'linux-initramfs-tool']]),
        packageOf('initramfs-tools', [['klibc-utils']]),
        packageOf('klibc-utils'),
        packageOf('python3-netaddr', [['ieee-data']]),
        packageOf('ieee-data'),
      ],
    );
    assert.deepEqual(removes(files).sort(), ['initramfs-tools', 'klibc-utils']);
  });

  it('is nothing that the recipe names or spares', () => {
    const files = from(
      [
        ['usr/bin/cpio', MB, 'cpio'],
        ['usr/share/iso-codes/a', MB],
      ],
      [packageOf('cpio')],
    );
    assert.deepEqual(removes(files), ['cpio', '/usr/share/iso-codes']);
    assert.deepEqual(removes({ ...files, packages: ['cpio'], keepPaths: ['/usr/share/iso-codes'] }), []);
  });

  it('is, where boots reported what they opened, packages and folders that none of them touched', () => {
    const packages = [
      packageOf('nova', [['libused']]),
      packageOf('libused'),
      packageOf('orphan', [['liborphan']]),
      packageOf('liborphan'),
      packageOf('libneeded'),
      packageOf('libused-too', [['libneeded']]),
      packageOf('systemd'),
      packageOf('grep', [], { essential: true }),
    ];
    const files = packages.map(({ name }) => [`usr/bin/${name}`, MB, name] as const);
    const input = from(
      [...files, ['usr/share/huge/a/b', 3 * MB], ['usr/lib/firmware/card', 8 * MB], ['etc/big', 8 * MB]],
      packages,
    );
    const opened = new Set(['/usr/bin/nova', '/usr/bin/libused', '/usr/bin/libused-too']);
    assert.deepEqual(removes(input), []);
    assert.deepEqual(removes({ ...input, opened }).sort(), ['/usr/share/huge', 'liborphan', 'orphan']);
    assert.ok(findSavings({ ...input, opened }).savings.every(({ grounds }) => grounds === 'unopened'));
  });

  it('is no folder of a rule that a boot has read from', () => {
    const input = from([
      ['usr/lib/x86_64-linux-gnu/gconv/a.so', 2 * MB],
      ['usr/lib/x86_64-linux-gnu/gconv/b.so', 2 * MB],
    ]);
    assert.deepEqual(removes(input), ['/usr/lib/*/gconv']);
    assert.deepEqual(removes({ ...input, opened: new Set(['/usr/lib/x86_64-linux-gnu/gconv/a.so']) }), []);
  });

  it('is never the kernel, the C library, the shell, init, apt or the agent, though no boot had opened them', () => {
    const names = ['linux-image-amd64', 'libc6', 'dash', 'bash', 'systemd', 'udev', 'apt', 'dpkg', 'curl', 'iproute2'];
    const files = names.map((name) => [`usr/bin/${name}`, 5 * MB, name] as const);
    const input = from(
      [...files, ['usr/sbin/reveille-agent', 5 * MB]],
      names.map((name) => packageOf(name)),
    );
    assert.deepEqual(removes({ ...input, opened: new Set() }), []);
  });
});

describe('packages that need each other', () => {
  const status = parseDpkgStatus(
    [
      'Package: mta\nStatus: install ok installed\nVersion: 1\nProvides: mail-agent (= 1)\n',
      'Package: other\nStatus: install ok installed\nVersion: 1\nProvides: mail-agent\n',
      'Package: cron\nStatus: install ok installed\nVersion: 1\nDepends: mail-agent | nothing, libone (>= 2:1~), not-here\n',
      'Package: libone\nStatus: install ok installed\nVersion: 1\nPre-Depends: libc6:any\nPriority: required\n',
      'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nDepends: libone\n',
    ].join('\n'),
  );

  it('are read from dpkg, with what stands in for others', () => {
    assert.deepEqual(
      status.map(({ name, essential }) => [name, essential]),
      [
        ['cron', false],
        ['libone', true],
        ['mta', false],
        ['other', false],
      ],
    );
    assert.deepEqual(status[0]?.needs, [['mail-agent', 'nothing'], ['libone'], ['not-here']]);
    assert.deepEqual([...neededBy(status)], [['libone', ['cron']]]);
  });

  it('may go where another one can do their work', () => {
    assert.deepEqual(
      idlePackages(status, ({ name }) => name === 'mta'),
      ['mta'],
    );
    assert.deepEqual(
      idlePackages(status, ({ name }) => name === 'mta' || name === 'other'),
      [],
    );
    assert.deepEqual(
      idlePackages(status, () => true),
      ['cron', 'libone', 'mta', 'other'],
    );
  });
});
