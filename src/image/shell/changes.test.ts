import assert from 'node:assert/strict';
import { test } from 'node:test';
import { automaticPackages, rootChanges } from './changes.ts';

const line = (kind: string, path: string, more: { mode?: string; stamp?: string; target?: string } = {}) =>
  `${kind} ${more.mode ?? '644'} 0:0 12 ${more.stamp ?? '7 1700000000.5'} .${path}\0${more.target ?? ''}\0`;
const pkg = (name: string, version = '1') =>
  ({ name, version, architecture: 'amd64', needs: [], provides: [], essential: false }) as const;
const none = { installed: [], removed: [], changed: [] };

test('files of a package are listed as the package', () => {
  const before = { listing: line('f', '/etc/motd'), packages: [pkg('bash')] };
  const after = {
    listing:
      line('f', '/etc/motd') +
      line('f', '/usr/bin/vim') +
      line('f', '/usr/lib/libgpm.so') +
      line('f', '/opt/mine') +
      line('f', '/var/cache/apt/x.deb') +
      line('f', '/var/lib/dpkg/status', { stamp: '9 1700000009.5' }),
    packages: [pkg('bash', '2'), pkg('libgpm2'), pkg('vim')],
  };
  const lists = new Map([
    ['vim', '/.\n/usr/bin/vim\n'],
    ['libgpm2:amd64', '/lib/libgpm.so\n'],
  ]);
  const automatic = automaticPackages('Package: libgpm2\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: vim\n');
  assert.deepEqual(rootChanges(before, after, lists, automatic), {
    packages: { installed: [pkg('vim')], removed: [], changed: [{ name: 'bash', before: '1', after: '2' }] },
    files: { added: ['/opt/mine'], changed: [], removed: [] },
  });
});

test('files are distinguished by kind, mode, owner and stamp, folders not by their stamp', () => {
  const before =
    line('d', '/etc') +
    line('f', '/etc/a') +
    line('f', '/etc/b') +
    line('l', '/etc/c', { target: 'x' }) +
    line('f', '/etc/a name\nof two lines') +
    line('f', '/etc/gone');
  const after =
    line('d', '/etc', { stamp: '7 1700000003.5' }) +
    line('f', '/etc/a', { mode: '600' }) +
    line('f', '/etc/b', { stamp: '7 1700000003.5' }) +
    line('l', '/etc/c', { target: 'y' }) +
    line('f', '/etc/a name\nof two lines') +
    line('f', '/proc/1/status');
  assert.deepEqual(
    rootChanges({ listing: before, packages: [] }, { listing: after, packages: [] }, new Map(), new Set()),
    {
      packages: none,
      files: { added: [], changed: ['/etc/a', '/etc/b', '/etc/c'], removed: ['/etc/gone'] },
    },
  );
});
