import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { baseRoot } from '../../src/image/base.ts';
import { buildImage } from '../../src/image/build.ts';
import { BASE_HOURS, defaultCache, openCache } from '../../src/image/cache.ts';
import { cpio, type Member } from '../../src/image/cpio.ts';
import { type DiskReader, diskReader } from '../../src/image/disk/reader.ts';
import { spoolDisk } from '../../src/image/disk/spool.ts';
import { plainDirectory } from '../../src/image/entry.ts';
import { readRootTar } from '../../src/image/roottar.ts';
import { openShelf } from '../../src/image/shelf.ts';
import { tar } from '../../src/image/tarWriter.ts';
import { agentFiles } from '../../src/node/agent/files.ts';
import { loadSite } from '../../src/site/load.ts';
import { recipeFixture } from '../../src/site/testing/fixture.ts';
import { openBootRack } from './bootRack.ts';
import { ext4Of, logicalVolume, partitioned, toQcow2 } from './disks.ts';

// Disks of every kind that a guest reads, and a node that boots from one. The first run fetches the guest's packages.
if (process.env.REVEILLE_ISOLATED === '1') throw new Error('run this outside of test/isolated: it fetches packages');

const folder = mkdtempSync(join(tmpdir(), 'disk-lab-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
let reader: DiskReader;
before(async () => {
  const cache = await openCache(defaultCache(process.env, process.getuid?.()), 'lab-disk');
  reader = await diskReader(recipeFixture(), cache.diskReader, Date.now, () => {});
  ext4Of(at('root.ext4'), await tarFile('root.tar', TREE), 32);
});

/** Capabilities cap_setuid+ep as the kernel stores them: a byte of it is no text. */
const CAPABLE = new Map([['security.capability', Buffer.from('0100000280000000000000000000000000000000', 'hex')]]);

type Some = Partial<Omit<Member['entry'], 'path'>> & { readonly text?: string; readonly linkTo?: string };

function membersOf(files: { readonly [path: string]: Some }): Member[] {
  const paths = Object.keys(files);
  const inodeOf = (path: string) => paths.indexOf(files[path]?.linkTo ?? path) + 1;
  return paths.map((path) => {
    const { text = '', linkTo, ...more } = files[path] ?? {};
    const size = more.kind === undefined && linkTo === undefined ? text.length : 0;
    return {
      entry: { ...plainDirectory(path, 1_600_000_000), kind: 'file', mode: 0o644, size, ...more },
      inode: inodeOf(path),
      links: paths.filter((one) => inodeOf(one) === inodeOf(path)).length,
      ...(size > 0 ? { content: [Buffer.from(text)] } : {}),
      ...(path.endsWith('/capable') ? { xattrs: CAPABLE } : {}),
    };
  });
}

async function tarFile(name: string, files: { readonly [path: string]: Some }): Promise<string> {
  writeFileSync(at(name), Buffer.concat(await Array.fromAsync(tar(membersOf(files)))));
  return at(name);
}

const root = (title: string, fstab = ''): { [path: string]: Some } => ({
  etc: { kind: 'directory', mode: 0o755 },
  'etc/passwd': { text: 'root:x:0:0::/root:/bin/sh\n' },
  'etc/os-release': { text: `PRETTY_NAME="${title}"\n` },
  'etc/fstab': { text: fstab },
});

const TREE: { readonly [path: string]: Some } = {
  ...root('Test 1', 'UUID=11111111-2222-3333-4444-555555555555 /var ext4 defaults 0 2\n'),
  'etc/shadow': { text: 'secret\n', mode: 0o640, gid: 42 },
  opt: { kind: 'directory', mode: 0o2750, uid: 1000, gid: 1000 },
  'opt/a name with spaces': { text: 'x'.repeat(100_000), uid: 1000, gid: 1001 },
  'opt/capable': { text: 'c', mode: 0o755 },
  'opt/link': { linkTo: 'opt/a name with spaces', uid: 1000, gid: 1001 },
  'opt/su': { text: 'su', mode: 0o4755 },
  'opt/symlink': { kind: 'symlink', mode: 0o777, target: '/etc/passwd' },
  'opt/fifo': { kind: 'fifo' },
  tmp: { kind: 'directory', mode: 0o1777 },
  'tmp/left': { text: 'not read' },
  var: { kind: 'directory', mode: 0o755 },
};

/** What a tar holds, in words that can be compared. */
async function contentsOf(path: string): Promise<readonly string[]> {
  const found: string[] = [];
  const links: (readonly [string, string])[] = [];
  for await (const record of readRootTar(path)) {
    if (record.kind === 'link') {
      links.push([record.path, record.to]);
      continue;
    }
    const { entry, content, xattrs } = record;
    const hash = createHash('sha256');
    for await (const chunk of content) hash.update(chunk);
    const what = entry.kind === 'file' ? hash.digest('hex').slice(0, 12) : (entry.target ?? '');
    const caps = Buffer.from(xattrs.get('security.capability') ?? []).toString('hex');
    found.push(`${entry.path} ${entry.kind} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${what} ${caps}`);
  }
  for (const names of links) found.push(`linked ${[...names].sort().join(' = ')}`);
  return found.sort();
}

async function read(disk: string, partition?: string): Promise<readonly string[]> {
  const to = at('out.tar');
  rmSync(to, { force: true });
  const from = { kind: 'disk', path: disk, ...(partition === undefined ? {} : { partition }) } as const;
  await spoolDisk(from, reader, to, folder, () => {});
  return contentsOf(to);
}

/** What is read of TREE: the links whichever name came first, and nothing of /tmp. */
async function expected(more: { readonly [path: string]: Some } = {}): Promise<readonly string[]> {
  const { 'tmp/left': _, ...kept } = TREE;
  return contentsOf(await tarFile('expected.tar', { ...kept, ...more }));
}

const comparable = (found: readonly string[]) =>
  found
    .filter((line) => !line.startsWith('lost+found'))
    .map((line) =>
      /^opt\/(link|a name with spaces) /.test(line) ? line.replace(/^opt\/[^/]*? file/, 'one of two: file') : line,
    )
    .sort();

test('a qcow2 with GPT, an EFI partition and /var apart is read with owners, modes, links and capabilities', async () => {
  ext4Of(
    at('var.ext4'),
    await tarFile('var.tar', { spool: { kind: 'directory', mode: 0o700 }, 'spool/a': { text: 'a' } }),
    16,
    '-U',
    '11111111-2222-3333-4444-555555555555',
  );
  writeFileSync(at('efi'), '');
  truncateSync(at('efi'), 4 << 20);
  partitioned(at('gpt.raw'), 'gpt', [
    { content: at('efi'), type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B' },
    { content: at('root.ext4') },
    { content: at('var.ext4') },
  ]);
  toQcow2(at('gpt.raw'), at('gpt.qcow2'));
  const untouched = createHash('sha256')
    .update(readFileSync(at('gpt.qcow2')))
    .digest('hex');
  const found = await read(at('gpt.qcow2'));
  const more = { 'var/spool': { kind: 'directory', mode: 0o700 }, 'var/spool/a': { text: 'a' } } as const;
  assert.deepEqual(
    comparable(found).filter((line) => !line.startsWith('var/lost+found')),
    comparable(await expected(more)),
  );
  assert.equal(
    createHash('sha256')
      .update(readFileSync(at('gpt.qcow2')))
      .digest('hex'),
    untouched,
    'it was not written',
  );
});

test('a file system on the whole disk, and one in an MBR partition, are read', async () => {
  assert.deepEqual(comparable(await read(at('root.ext4'))), comparable(await expected()));
  partitioned(at('mbr.raw'), 'dos', [{ content: at('root.ext4') }]);
  assert.deepEqual(comparable(await read(at('mbr.raw'))), comparable(await expected()));
});

test('a root in a logical volume is found', async () => {
  const make = `#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /run/lock/lvm /etc /sbin /usr/bin /usr/sbin
/bin/busybox --install -s 2>/dev/null
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
modprobe -a virtio_pci virtio_blk dm-mod
while [ ! -b /dev/vda ] || [ ! -b /dev/vdb ]; do sleep 0.1; done
config='devices/use_devicesfile=0 activation/udev_sync=0 activation/udev_rules=0 activation/verify_udev_operations=0'
lvm pvcreate --config "$config" /dev/vda && lvm vgcreate --config "$config" vg-a /dev/vda &&
  lvm lvcreate --config "$config" -y -Zn -Wn -n root -l 100%FREE vg-a && cat /dev/vdb >/dev/mapper/vg--a-root
sync; echo the volume is made; reboot -f
`;
  const entry = { ...plainDirectory('make', 0), kind: 'file' as const, size: make.length };
  const init = Buffer.concat(
    await Array.fromAsync(cpio([{ entry, inode: 1, links: 1, content: [Buffer.from(make)] }])),
  );
  logicalVolume(at('lvm.raw'), at('root.ext4'), reader, init);
  assert.deepEqual(comparable(await read(at('lvm.raw'))), comparable(await expected()));
  assert.deepEqual(comparable(await read(at('lvm.raw'), 'vg-a/root')), comparable(await expected()));
});

test('a root on xfs and one on btrfs are read', async () => {
  mkdirSync(at('small/etc'), { recursive: true });
  for (const [path, { text }] of Object.entries(root('Small')))
    if (text !== undefined) writeFileSync(at(`small/${path}`), text);
  const proto = [
    '/none',
    '0 0',
    'd--755 0 0',
    'etc d--755 0 0',
    ...['passwd', 'os-release', 'fstab'].map((name) => `${name} ---644 0 0 ${at(`small/etc/${name}`)}`),
    '$',
    '$',
  ];
  writeFileSync(at('proto'), `${proto.join('\n')}\n`);
  for (const [type, program, ...args] of [
    ['xfs', 'mkfs.xfs', '-q', '-p', at('proto')],
    ['btrfs', 'mkfs.btrfs', '-q', '--rootdir', at('small')],
  ] as const) {
    writeFileSync(at(type), '');
    truncateSync(at(type), 320 << 20);
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    execFileSync(program, [...args, at(type)], { stdio: 'pipe', env });
    const names = (await read(at(type))).map((line) => line.split(' ')[0]);
    assert.deepEqual(names, ['etc', 'etc/fstab', 'etc/os-release', 'etc/passwd'], type);
  }
});

test('several roots, none, and an encrypted disk are named in the error', async () => {
  ext4Of(at('other.ext4'), await tarFile('other.tar', root('Other 2')), 16);
  writeFileSync(at('luks'), Buffer.concat([Buffer.from('LUKS\xba\xbe\x00\x01', 'latin1'), Buffer.alloc(4 << 20)]));
  partitioned(at('two.raw'), 'gpt', [
    { content: at('root.ext4') },
    { content: at('other.ext4') },
    { content: at('luks') },
  ]);
  await assert.rejects(read(at('two.raw')), {
    message: /several roots .*\n.*1: .*Test 1\n.*2: .*Other 2$/,
    hint: /partition: 1/,
  });
  assert.ok((await read(at('two.raw'), '2')).some((line) => line.startsWith('etc/os-release')));
  partitioned(at('locked.raw'), 'gpt', [{ content: at('luks') }]);
  await assert.rejects(read(at('locked.raw')), { message: /no root was found .* encrypted/ });
  writeFileSync(at('text.qcow2'), 'this is no disk');
  await assert.rejects(read(at('text.qcow2')), {
    code: 'IMAGE_BUILD_FAILED',
    message: /no root was found|cannot be read/,
  });
});

test('the disk of a running machine is refused in words', async () => {
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', at('used.qcow2'), '10M']);
  const drive = `driver=qcow2,node-name=a,file.driver=file,file.filename=${at('used.qcow2')}`;
  const holder = spawn('qemu-storage-daemon', ['--blockdev', drive, '--pidfile', at('holder.pid')], {
    stdio: 'ignore',
  });
  try {
    while (!existsSync(at('holder.pid')) && holder.exitCode === null) await sleep(50);
    await assert.rejects(read(at('used.qcow2')), { message: /is in use: a machine runs from it/, hint: /switch/ });
  } finally {
    holder.kill('SIGKILL');
  }
});

test('a node boots from the disk of a virtual machine and becomes ready', async () => {
  const cache = defaultCache(process.env, process.getuid?.());
  const demo = join(import.meta.dirname, '../../examples/demo');
  const loaded = await loadSite(demo);
  const recipe = loaded.ok ? loaded.site.images.get('bookworm-ram') : undefined;
  assert.ok(recipe);
  const files = await openCache(cache, 'bookworm-ram');
  const options = { cache: files, site: demo, rootHours: BASE_HOURS, now: Date.now, onStep: () => {} };
  const { tar: debian } = await baseRoot(recipe, options);
  ext4Of(at('debian.ext4'), debian, Math.ceil(statSync(debian).size / 1e6) + 200);
  partitioned(at('node.raw'), 'gpt', [{ content: at('debian.ext4') }]);
  toQcow2(at('node.raw'), at('node.qcow2'));

  const boots = await openBootRack(
    {
      'site.yaml': `site: disk
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }
nodes:
  node01: { mac: "52:54:00:00:03:01", ip: 10.0.0.91, image: virtual, kernelArgs: [console=ttyS0, quiet, no_timer_check] }
`,
      'images/virtual.yaml': `from: { disk: ${at('node.qcow2')} }\nrun:\n  - echo from a disk >/etc/issue\n`,
    },
    { node01: { nics: 1, model: 'virtio-net-pci' } },
  );
  try {
    const site = await loadSite(boots.siteFolder);
    const virtual = site.ok ? site.site.images.get('virtual') : undefined;
    assert.ok(virtual);
    const report = await buildImage(virtual, {
      shelf: openShelf(join(boots.stateFolder, 'images')),
      cache: at('cache'),
      site: boots.siteFolder,
      agent: agentFiles(),
      check: true,
      fresh: false,
      now: Date.now,
      onProgress: () => {},
    });
    assert.match(report.image.kernelVersion, /^6\./);
    await boots.rack.boot('node01');
    const node = await boots.settled('node01');
    assert.equal(node.state, 'ready', JSON.stringify(node.boot?.steps));
  } finally {
    await boots.close();
  }
});
