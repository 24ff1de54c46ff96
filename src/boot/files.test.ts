import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { FileRole } from '../model/bootFile.ts';
import type { Site } from '../site/site.ts';
import { ip, menuFixture, siteFixture } from '../site/testing/fixture.ts';
import { cleanName, fileInside } from './confine.ts';
import { type BootFilesFrom, httpFiles, tftpFiles } from './files.ts';

const SHA = 'cd'.repeat(32);
const NODE = ip('10.0.0.51');
const STRANGER = ip('10.0.0.200');

describe('file names from the wire', () => {
  const rows: [string, string | undefined][] = [
    ['pxelinux.0', 'pxelinux.0'],
    ['/pxelinux.0', 'pxelinux.0'],
    ['\\boot\\pxelinux.0', 'boot/pxelinux.0'],
    ['a//./b', 'a/b'],
    ['pxelinux.0\u00ff', 'pxelinux.0'],
    ['', undefined],
    ['/', undefined],
    ['..', undefined],
    ['a/../../etc/passwd', undefined],
    ['..\\etc\\passwd', undefined],
    ['a\u0000b', undefined],
    ['a'.repeat(2000), undefined],
  ];
  for (const [asked, name] of rows)
    it(`${JSON.stringify(asked).slice(0, 40)} means ${name}`, () => assert.equal(cleanName(asked), name));

  it('never come out absolute or climbing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (asked) => {
        const name = cleanName(asked);
        if (name !== undefined) assert.ok(!name.startsWith('/') && !name.split('/').includes('..'));
      }),
    );
  });
});

describe('boot files', () => {
  let folder = '';
  let site: Site = siteFixture();
  const from: BootFilesFrom = {
    site: () => site,
    serverOf: (network) => (network.server === undefined ? undefined : { ip: network.server, httpPort: 8080 }),
    networkOf: () => site.networks.get('openstack'),
    imageOf: async ({ image }) => (image === 'bookworm' ? { sha256: SHA } : undefined),
    machineIdOf: async () => '0123456789abcdef0123456789abcdef',
    imageFile: async (sha256, which) =>
      sha256 === SHA ? { path: `/shelf/${which}`, sha256: 'ef'.repeat(32) } : undefined,
  };
  const files = tftpFiles(from);
  const read = async (name: string, from = STRANGER) => {
    const file = await files(name, from);
    return file?.kind === 'bytes' ? Buffer.from(file.bytes).toString() : file?.path;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reveille-files-'));
    await mkdir(join(folder, 'nodes/10-0-0-51'), { recursive: true });
    await mkdir(join(folder, 'tftp/pxelinux.cfg'), { recursive: true });
    await writeFile(join(folder, 'nodes/10-0-0-51/hostname'), 'node01\n');
    await writeFile(join(folder, 'tftp/tiny'), 'kernel');
    await writeFile(join(folder, 'tftp/ldlinux.c32'), 'mine');
    await writeFile(join(folder, 'tftp/pxelinux.cfg/default'), 'my own default');
    await symlink('/etc/passwd', join(folder, 'tftp/passwd'));
    site = siteFixture({ root: folder, tftp: { ...siteFixture().tftp, root: join(folder, 'tftp') } });
  });
  after(() => rm(folder, { recursive: true }));

  it('make the configuration of a node by its MAC, by its address, and for `default` when it asks from its address', async () => {
    for (const name of ['01-52-54-00-00-00-51', '0A000033', 'default']) {
      assert.match((await read(`pxelinux.cfg/${name}`, NODE)) ?? '', /reveille\.node=node01/, name);
    }
  });

  it('leave pxelinux.cfg/default to the operator until the site has a menu', async () => {
    assert.equal(await read('pxelinux.cfg/default'), join(folder, 'tftp/pxelinux.cfg/default'));
    const entry = { name: 'tiny', title: 'Tiny', kernel: 'tiny', initrd: [], args: [] };
    site = { ...site, menu: menuFixture({ entries: [entry] }) };
    assert.match((await read('pxelinux.cfg/default')) ?? '', /^label tiny$/m);
  });

  it('answer a miss in the list that pxelinux works through with nothing', async () => {
    assert.equal(await read('pxelinux.cfg/01-52-54-00-00-01-00'), undefined);
    assert.equal(await read('pxelinux.cfg/0A0000'), undefined);
  });

  it('serve images, node folders and the operator`s own files', async () => {
    assert.equal(await read(`images/${SHA}/initrd`), '/shelf/initrd');
    assert.equal(await read(`images/${SHA}/root.squashfs`), undefined);
    assert.equal(await read('10-0-0-51/hostname'), join(folder, 'nodes/10-0-0-51/hostname'));
    assert.equal(await read('tiny'), join(folder, 'tftp/tiny'));
  });

  it('come with what they are to a boot, and to which image they belong', async () => {
    const facts = async (name: string) => {
      const file = await files(name, NODE);
      return file && [file.role, file.image];
    };
    const rows: [name: string, role: FileRole, image?: string][] = [
      [`images/${SHA}/vmlinuz`, 'kernel', SHA],
      [`images/${SHA}/initrd`, 'initrd', SHA],
      ['pxelinux.cfg/0A000033', 'script'],
      ['pxelinux.cfg/default', 'script'],
      ['10-0-0-51/hostname', 'file'],
      ['tiny', 'file'],
      ['ldlinux.c32', 'loader'],
      ['undionly.kpxe', 'loader'],
      ['menu.c32', 'loader'],
    ];
    for (const [name, role, image] of rows) assert.deepEqual(await facts(name), [role, image], name);
    assert.equal(await facts('absent'), undefined);
  });

  it('serve of node folders what others can read, and what links of theirs lead to in the site', async () => {
    const nodes = join(folder, 'nodes/10-0-0-51');
    await mkdir(join(nodes, 'files/root/.ssh'), { recursive: true });
    await mkdir(join(folder, 'shared'), { recursive: true });
    for (const [path, mode] of [
      ['nodes/10-0-0-51/settings.sh', 0o700],
      ['nodes/10-0-0-51/open.conf', 0o644],
      ['nodes/10-0-0-51/key', 0o600],
      ['nodes/10-0-0-51/files/root/.ssh/id', 0o644],
      ['shared/open', 0o644],
      ['shared/secret', 0o600],
    ] as const) {
      await writeFile(join(folder, path), 'x', { mode });
    }
    await chmod(join(nodes, 'files/root/.ssh'), 0o700);
    await mkdir(join(folder, 'nodes/n'), { recursive: true });
    for (const [name, target] of [
      ['settings.sh', '../10-0-0-51/settings.sh'],
      ['hosts', '../../shared/open'],
      ['hostname', '../../shared/secret'],
      ['out', '/etc/passwd'],
    ] as const) {
      await symlink(target, join(folder, 'nodes/n', name));
    }
    assert.equal(await read('10-0-0-51/settings.sh'), join(nodes, 'settings.sh'));
    assert.equal(await read('10-0-0-51/open.conf'), join(nodes, 'open.conf'));
    assert.equal(await read('n/settings.sh'), join(nodes, 'settings.sh'));
    assert.equal(await read('n/hosts'), join(folder, 'shared/open'));
    for (const name of ['10-0-0-51/key', '10-0-0-51/files/root/.ssh/id', 'n/hostname', 'n/out'])
      assert.equal(await read(name), undefined, name);
  });

  it('prefer the operator`s copy of a loader to the packaged one', async () => {
    assert.equal(await read('ldlinux.c32'), join(folder, 'tftp/ldlinux.c32'));
    assert.equal(await read('pxelinux.0'), '/usr/lib/PXELINUX/pxelinux.0');
    assert.equal(await read('undionly.kpxe'), '/usr/lib/ipxe/undionly.kpxe');
  });

  it('come by HTTP from a folder of images, of scripts by MAC, and of the operator`s files', async () => {
    const byHttp = httpFiles(from);
    const about = async (name: string) => {
      const file = await byHttp(name, NODE);
      return file && (file.kind === 'bytes' ? [file.role, file.mac] : [file.role, file.path, file.sha256]);
    };
    const rows: [name: string, expected: unknown[] | undefined][] = [
      [`images/${SHA}/initrd`, ['initrd', '/shelf/initrd', 'ef'.repeat(32)]],
      [`images/${SHA}/root.squashfs`, ['root', '/shelf/root.squashfs', 'ef'.repeat(32)]],
      [`images/${SHA}/other`, undefined],
      [`images/${SHA.toUpperCase()}/initrd`, undefined],
      ['images', undefined],
      ['files/tiny', ['file', join(folder, 'tftp/tiny'), undefined]],
      ['files/pxelinux.cfg/default', ['script', join(folder, 'tftp/pxelinux.cfg/default'), undefined]],
      ['files', undefined],
      ['files/pxelinux.cfg', undefined],
      ['ipxe/52-54-00-00-00-51', ['script', '52:54:00:00:00:51']],
      ['ipxe/52:54:00:00:01:00', undefined],
      ['ipxe/nonsense', undefined],
      // What only TFTP gives: the nodes' folders, generated configuration, loaders.
      ['10-0-0-51/hostname', undefined],
      ['pxelinux.cfg/0A000033', undefined],
      ['files/undionly.kpxe', undefined],
      ['tiny', undefined],
    ];
    for (const [name, expected] of rows) assert.deepEqual(await about(name), expected, name);
  });

  it('follow no symbolic link out of their root', async () => {
    assert.equal(await read('passwd'), undefined);
    assert.equal(await fileInside(join(folder, 'tftp'), 'tiny/x'), undefined);
  });
});
