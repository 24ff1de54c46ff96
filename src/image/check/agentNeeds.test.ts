import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../entry.ts';
import type { ModuleLists } from '../firstInitrd/modules.ts';
import { AGENT_PROGRAMS, agentLacks, type FinishedRoot } from './agentNeeds.ts';

const VERSION = '6.1';
/** A root of files, or links (`target`); folders are not listed, as in the layers of some containers. */
type Files = { readonly [path: string]: '' | { readonly target: string } };

const WHOLE: Files = {
  ...Object.fromEntries(AGENT_PROGRAMS.map((name) => [`usr/bin/${name}`, ''] as const)),
  'usr/lib/systemd/systemd': '',
  'usr/bin/udevadm': '',
};

const MODULES = 'kernel/drivers/net/ethernet/intel/e1000/e1000.ko.xz: kernel/x.ko\n';

function lacks(
  files: Files,
  {
    os = 'ID=debian\n',
    lists = { dep: MODULES },
    links = {},
    ...more
  }: {
    readonly os?: string;
    readonly lists?: Partial<ModuleLists> | undefined;
    readonly links?: { readonly [path: string]: readonly string[] };
  } & Partial<FinishedRoot> = {},
): readonly string[] {
  const entries = new Map<string, Entry>(
    Object.entries(files).map(([path, what]) => [
      path,
      {
        path,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        size: 1,
        ...(what === '' ? { kind: 'file' } : { kind: 'symlink', target: what.target }),
      },
    ]),
  );
  const folder = `usr/lib/modules/${VERSION}`;
  return agentLacks({
    index: {
      entries,
      links: new Map(Object.entries(links)),
      moduleLists: new Map([[VERSION, { folder, dep: '', builtin: '', softdep: '', alias: '', ...lists }]]),
      osRelease: os,
    },
    kernelVersion: VERSION,
    dropped: () => undefined,
    driversLoaded: false,
    ...more,
  }).map(({ what, package: name }) => `${what.split(/[ ,:]/)[0]} ${name ?? '-'}`);
}

/** The root without some of its files. */
function without(...paths: readonly string[]): Files {
  return Object.fromEntries(Object.entries(WHOLE).filter(([path]) => !paths.includes(path)));
}

test('a root with all that the agent calls lacks nothing', () => {
  assert.deepEqual(lacks(WHOLE), []);
});

test('what is missing is named by the package of its distribution', () => {
  const rows: readonly (readonly [missing: readonly string[], os: string, says: readonly string[]])[] = [
    [['usr/bin/curl'], 'ID=debian', ['a curl']],
    [['usr/bin/ip'], 'ID=debian', ['ip iproute2']],
    [['usr/bin/ip'], 'ID="rocky"\nID_LIKE="rhel centos fedora"', ['ip iproute']],
    [['usr/bin/ip'], 'ID="opensuse-leap"\nID_LIKE="suse opensuse"', ['ip iproute2']],
    [['usr/bin/ip'], '', ['ip iproute2']],
    [['usr/bin/awk'], 'ID=debian', ['awk mawk']],
    [['usr/bin/awk'], 'ID=fedora', ['awk gawk']],
    [['usr/bin/find', 'usr/bin/xargs'], 'ID=fedora', ['find findutils', 'xargs findutils']],
    [['usr/bin/timeout'], 'ID=ubuntu\nID_LIKE=debian', ['timeout coreutils']],
    [['usr/bin/cmp'], 'ID=fedora', ['cmp diffutils']],
    [['usr/bin/udevadm'], 'ID=debian', ['udev udev']],
    [['usr/bin/udevadm'], 'ID=fedora', ['udev systemd-udev']],
    [['usr/lib/systemd/systemd'], 'ID=debian', ['systemd systemd-sysv']],
    [['usr/lib/systemd/systemd'], 'ID=alpine', ['systemd -']],
    [['usr/bin/udhcpc'], 'ID=debian', ['a systemd']],
    [['usr/bin/udhcpc'], 'ID=ubuntu', ['a systemd']],
    [['usr/bin/udhcpc'], 'ID=centos', ['a NetworkManager']],
  ];
  for (const [missing, os, says] of rows)
    assert.deepEqual(lacks(without(...missing), { os }), says, `${missing.join(' ')} of ${os}`);
});

test('of several programs that do the same one suffices, wherever it lies and whatever leads to it', () => {
  const rows: readonly (readonly [missing: string, instead: Files])[] = [
    ['usr/bin/curl', { 'usr/bin/wget': '' }],
    ['usr/bin/curl', { 'bin/busybox': '' }],
    [
      'usr/bin/awk',
      {
        'usr/bin/awk': { target: '/etc/alternatives/awk' },
        'etc/alternatives/awk': { target: '../../usr/bin/mawk' },
        'usr/bin/mawk': '',
      },
    ],
    ['usr/bin/ip', { sbin: { target: 'usr/sbin' }, 'usr/sbin/ip': '' }],
    ['usr/bin/udhcpc', { 'lib/systemd/systemd-networkd': '' }],
    ['usr/bin/udhcpc', { 'usr/sbin/NetworkManager': '' }],
    ['usr/lib/systemd/systemd', { 'lib/systemd/systemd': '' }],
    // What starts such a root may start the agent too.
    ['usr/lib/systemd/systemd', { init: '' }],
  ];
  for (const [missing, instead] of rows) assert.deepEqual(lacks({ ...without(missing), ...instead }), [], missing);
  assert.deepEqual(lacks({ ...without('usr/bin/ip'), 'usr/bin/ip': { target: 'gone' } }), ['ip iproute2']);
  assert.deepEqual(lacks(without('usr/bin/ip'), { links: { 'usr/bin/tar': ['usr/sbin/ip'] } }), []);
});

test('what the recipe leaves out counts as missing, and is not to be installed', () => {
  const dropped = (path: string) => (path === 'usr/bin/curl' ? 'the recipe removes it' : undefined);
  assert.deepEqual(lacks(WHOLE, { dropped }), ['a -']);
  assert.deepEqual(lacks({ ...WHOLE, 'usr/bin/wget': '' }, { dropped }), []);
});

test('a kernel without the driver of any card is found, and udev counts only where drivers are in files', () => {
  const built = { builtin: 'kernel/drivers/net/virtio_net.ko\n' };
  assert.deepEqual(lacks(without('usr/bin/udevadm'), { lists: built }), []);
  assert.deepEqual(lacks(WHOLE, { lists: { dep: 'kernel/drivers/net/dummy.ko:\n' } }), ['a -']);
  assert.deepEqual(lacks(WHOLE, { lists: { dep: 'kernel/net/x.ko: kernel/drivers/net/ethernet/a.ko\n' } }), ['a -']);
  assert.deepEqual(lacks(without('usr/bin/udevadm'), { driversLoaded: true }), []);
  assert.deepEqual(lacks(WHOLE, { kernelVersion: 'without lists' }), []);
});
