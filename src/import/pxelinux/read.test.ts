import assert from 'node:assert/strict';
import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatPlace } from '../../errors.ts';
import { loadSite } from '../../site/load.ts';
import { findingText, type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { writeSite } from '../write.ts';
import { copyFolder } from './folders.ts';
import { readTree } from './read.ts';

type Read = { readonly draft: SiteDraft; readonly yaml: string; readonly remarks: readonly string[] };

/** Reads a tree of these files, below `tftp/`, into a draft that has this site already; the draft has to load. */
async function read(
  files: SiteFiles,
  site: SiteText,
  use: (read: Read, folder: string) => Promise<void>,
): Promise<void> {
  await withSiteFolder(files, async (folder) => {
    const draft = new SiteDraft();
    Object.assign(draft.site, structuredClone(site));
    await readTree(draft, join(folder, 'tftp'));
    assert.deepEqual(unprovenClaims(draft), []);
    await writeSite(draft, join(folder, 'out'), ['tftp']);
    const loaded = await loadSite(join(folder, 'out'));
    assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
    const text = await readFile(join(folder, 'out/site.yaml'), 'utf8');
    const remarks = draft.remarks.map(
      ({ kind, place, what, why }) => `${kind} ${formatPlace(place)} ${what}${why === undefined ? '' : `: ${why}`}`,
    );
    const withoutFolder = (one: string) => one.replaceAll(folder, 'FOLDER');
    await use({ draft, yaml: withoutFolder(text), remarks: remarks.map(withoutFolder) }, folder);
  });
}

/** That this is the site.yaml in testing/pxelinux/. */
async function isGolden(yaml: string, name: string): Promise<void> {
  assert.equal(yaml, await readFile(join(import.meta.dirname, `../testing/pxelinux/${name}.yaml`), 'utf8'));
}

const NETWORK = { openstack: { subnet: '10.0.0.0/24', server: '10.0.0.2' } };
const OLD_NETWORK = { openstack: { ...NETWORK.openstack, bootFile: '/boot/pxelinux.0' } };

describe('a tree with one system for all nodes', () => {
  const files = {
    'tftp/pxelinux.cfg/default': `#default menu.c32
default nova
prompt 0
timeout 30

menu title Nova nodes

label node
   kernel nova/vmlinuz
   append rw root=/dev/ram0 initrd=nova/initrd.img TFTP=10.0.0.2
#the last word is what the script reads

label TINY
   kernel tiny/linux
   append rw root=/dev/ram0 initrd=tiny/initrd.xz
`,
    'tftp/nova/vmlinuz': '',
    'tftp/nova/initrd.img': '',
    'tftp/tiny/linux': '',
    'tftp/10-0-0-51/hostname': 'node01\n',
    'tftp/10-0-0-51/settings.sh': '#!/bin/sh\n',
    'tftp/10-0-0-99/hostname': 'gone\n',
  };
  const site: SiteText = {
    networks: NETWORK,
    profiles: { compute: { loader: 'pxelinux' } },
    nodes: {
      node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['compute'] },
      node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['compute'] },
      desktop: { mac: '52:54:00:00:01:00', ip: '10.0.0.100' },
    },
  };

  it('becomes a menu from which the nodes boot what was meant, though the default names no label', () =>
    read(files, site, async ({ yaml, remarks, draft }) => {
      await isGolden(yaml, 'one-system');
      assert.deepEqual(remarks, [
        'changed pxelinux.cfg/default:8:7 label node: it is called nova here',
        'changed pxelinux.cfg/default:13:7 label TINY: there is no file tiny/initrd.xz below FOLDER/tftp',
        "changed pxelinux.cfg/default:6:12 menu title Nova nodes: the menu's title is the name of the site",
        'changed pxelinux.cfg/default:2:9 default nova: no label is called "nova", and no file: pxelinux stops at its prompt there; here nodes boot label node (its kernel lies in a folder of that name), which lives in RAM, and other machines go on to their next boot device',
        'taken 10-0-0-51:1:1 folder 10-0-0-51: copied to nodes/10-0-0-51, which node01 gets from now on',
        'left 10-0-0-99:1:1 folder 10-0-0-99: no node has this address; it is still served from tftp.root',
      ]);
      assert.deepEqual(draft.commentsAt(['menu', 'entries', 'nova']), ['pxelinux.cfg/default:8: label node']);
      assert.deepEqual(draft.commentsAt(['profiles', 'compute', 'boot']), ['pxelinux.cfg/default:2: nova']);
      assert.deepEqual([...draft.folders.keys()], ['nodes/10-0-0-51']);
    }));
});

describe('a tree with a graphical menu of many systems', () => {
  const files = {
    'tftp/pxelinux.cfg/default': `UI vesamenu.c32
TIMEOUT 100
ONTIMEOUT local
IPAPPEND 2
MENU BACKGROUND splash.png
MENU COLOR border 30;44
MENU COLOR title 1;36
F1 help.txt
APPEND quiet

LABEL local
  MENU LABEL Boot from ^disk
  MENU DEFAULT
  LOCALBOOT 0
LABEL chain
  KERNEL chain.c32
  APPEND hd0 1
MENU BEGIN installers
  MENU TITLE ^Installers
  INCLUDE installers.cfg
MENU END
LABEL tools
  MENU LABEL Tools
  KERNEL vesamenu.c32
  APPEND tools.cfg
LABEL hw
  COM32 hdt.c32
LABEL next
  PXE other/pxelinux.0
LABEL off
  MENU DISABLE
  KERNEL off
LABEL far
  KERNEL 10.9.9.9::linux
`,
    'tftp/installers.cfg': `LABEL debian 12
  MENU LABEL Debian
  MENU PASSWD secret
  LINUX \\Debian\\LINUX
  INITRD debian/initrd.gz,debian/firmware.gz
  APPEND -
LABEL debian 11
  KERNEL /debian/linux
  APPEND auto=true initrd=debian/initrd.gz
`,
    'tftp/tools.cfg': `LABEL dos
  KERNEL memdisk
  APPEND iso raw
  INITRD dos.iso
LABEL back
  KERNEL menu.c32
  APPEND pxelinux.cfg/default
`,
    'tftp/debian/linux': '',
    'tftp/debian/initrd.gz': '',
    'tftp/debian/firmware.gz': '',
    'tftp/memdisk': '',
    'tftp/dos.iso': '',
    'tftp/pxelinux.cfg/01-52-54-00-00-00-51': `DEFAULT debian
LABEL debian
  KERNEL debian/linux
  APPEND auto=true url=http://mirror.example.org/preseed initrd=debian/initrd.gz
`,
    'tftp/pxelinux.cfg/01-52-54-00-00-00-77': 'DEFAULT local\n',
    'tftp/pxelinux.cfg/01-52-54-00-00-00-5F': 'DEFAULT local\n',
  };
  const site: SiteText = {
    networks: NETWORK,
    nodes: {
      install: { mac: ['52:54:00:00:00:50', '52:54:00:00:00:51'], loader: 'pxelinux', ip: '10.0.0.51' },
      worker: { mac: '52:54:00:00:00:52', bootFile: 'pxelinux.0', ip: '10.0.0.52' },
    },
  };

  it('becomes one menu; what iPXE cannot run is left with the reason', () =>
    read(files, site, async ({ yaml, draft, remarks }) => {
      await isGolden(yaml, 'graphical-menu');
      assert.deepEqual(draft.site.menu, {
        timeout: 10,
        default: 'local',
        entries: {
          'debian-12': {
            title: 'Installers: Debian',
            kernel: 'debian/linux',
            initrd: ['debian/initrd.gz', 'debian/firmware.gz'],
            ipappend: 2,
          },
          'debian-11': {
            title: 'Installers: debian 11',
            kernel: 'debian/linux',
            initrd: 'debian/initrd.gz',
            args: ['auto=true'],
            ipappend: 2,
          },
          dos: { kernel: 'memdisk', initrd: 'dos.iso', args: ['iso', 'raw'] },
          debian: {
            kernel: 'debian/linux',
            initrd: 'debian/initrd.gz',
            args: ['auto=true', 'url=http://mirror.example.org/preseed'],
          },
        },
      });
      assert.equal(draft.site.nodes?.install?.boot, 'debian');
      assert.equal(draft.site.nodes?.worker?.boot, 'local');
      assert.deepEqual(remarks, [
        'taken pxelinux.cfg/default:11:7 label local: every menu has it, as `local`',
        'changed pxelinux.cfg/default:15:7 label chain: chain.c32 started a disk itself; the firmware goes on to the next device in its order',
        'changed installers.cfg:1:7 label debian 12: \\Debian\\LINUX is spelled debian/linux on disk; it asks for no password: whoever is at the console can choose it',
        'taken installers.cfg:7:7 label debian 11: menu.entries.debian-11',
        'taken tools.cfg:1:7 label dos: menu.entries.dos',
        'left tools.cfg:5:7 label back: it leads back to pxelinux.cfg/default, whose entries stand in the menu',
        'changed pxelinux.cfg/default:22:7 label tools: the entries of tools.cfg stand in the one menu',
        'left pxelinux.cfg/default:26:7 label hw: hdt.c32 is a module of syslinux, which iPXE cannot run; its pxelinux.cfg can stay with pxelinux alone',
        'left pxelinux.cfg/default:28:7 label next: it is a boot program, not a kernel: give the machines that need it `bootFile:` in the site',
        'left pxelinux.cfg/default:30:7 label off: `menu disable` switched it off',
        'left pxelinux.cfg/default:33:7 label far: 10.9.9.9::linux comes from another server: copy it below FOLDER/tftp',
        'left pxelinux.cfg/default:5:1 MENU BACKGROUND splash.png and 2 more: menu color: the menu that Reveille makes has looks of its own',
        'left pxelinux.cfg/default:8:1 F1 help.txt: what the console shows is the menu that Reveille makes',
        'taken pxelinux.cfg/01-52-54-00-00-00-51:2:7 label debian: menu.entries.debian',
        'changed pxelinux.cfg/01-52-54-00-00-00-51:1:1 pxelinux.cfg/01-52-54-00-00-00-51 waits 0 s: the menu has one time, that of pxelinux.cfg/default',
        'left pxelinux.cfg/01-52-54-00-00-00-77:1:1 pxelinux.cfg/01-52-54-00-00-00-77: it is for no node of the site; who asks for it is given this very file, from tftp.root',
        'left pxelinux.cfg/01-52-54-00-00-00-5F:1:1 pxelinux.cfg/01-52-54-00-00-00-5F: pxelinux asks for 01-52-54-00-00-00-5f, in small letters',
        'taken pxelinux.cfg/default:3:11 local boots unasked: menu.default, after 10 s',
      ]);
    }));
});

describe('a tree below a folder of its own, with a file for each address', () => {
  const files = {
    'tftp/boot/pxelinux.0': '',
    'tftp/boot/linux/vmlinuz': '',
    'tftp/images/special': '',
    'tftp/boot/pxelinux.cfg/0A0000': 'default linux/vmlinuz root=/dev/nfs ip=dhcp\nprompt 1\ntimeout 50\n',
    'tftp/boot/pxelinux.cfg/0A000034': 'default disk\nlabel disk\nlocalboot -1\n',
    'tftp/boot/pxelinux.cfg/0A000035': 'default special debug\nlabel special\nkernel ../images/special\nappend one\n',
    'tftp/boot/pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d': '',
    'tftp/boot/pxelinux.cfg/common': '',
    'tftp/node53/settings.sh': '',
  };
  const node = (last: number) => ({ mac: `52:54:00:00:00:${last}`, ip: `10.0.0.${last}`, profiles: ['diskless'] });
  const site: SiteText = {
    networks: OLD_NETWORK,
    profiles: { diskless: { bootFile: 'boot/pxelinux.0' } },
    nodes: { node51: node(51), node52: node(52), node53: node(53), node54: node(54) },
  };

  it('gives each node what its most exact file says', () =>
    read(files, site, async ({ yaml, draft, remarks }) => {
      await isGolden(yaml, 'own-folder');
      const { menu, profiles, nodes } = draft.site;
      assert.deepEqual(menu?.entries, {
        special: { kernel: 'images/special', args: ['one'] },
        'special-node53': { title: 'special', kernel: 'images/special', args: ['one', 'debug'] },
        vmlinuz: { kernel: 'boot/linux/vmlinuz', args: ['root=/dev/nfs', 'ip=dhcp'] },
      });
      assert.deepEqual(profiles?.diskless, { loader: 'pxelinux' });
      assert.deepEqual(
        Object.values(nodes ?? {}).map(({ boot }) => boot),
        ['vmlinuz', 'local', 'special-node53', 'vmlinuz'],
      );
      assert.deepEqual(
        remarks.filter((remark) => /b8945908|common|without end/.test(remark)),
        [
          'left boot/pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d:1:1 boot/pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d: machines ask for pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d: move it to the top of tftp.root',
          'left boot/pxelinux.cfg/common:1:1 boot/pxelinux.cfg/common: pxelinux asks for no file of this name by itself, and nothing that is read includes it',
        ],
      );
      assert.deepEqual([...draft.folders.keys()], ['nodes/node53']);
    }));
});

describe('a tree', () => {
  it('with a control character in the words of a kernel loses that label, and has none in its titles', () =>
    read(
      {
        'tftp/pxelinux.cfg/default':
          'label a\n  menu label \u0001A\u0007\n  kernel a\nlabel b\n  kernel a\n  append qui\u0007et\n',
      },
      {},
      async ({ draft, remarks }) => {
        assert.deepEqual(draft.site.menu?.entries, { a: { title: 'A', kernel: 'a' } });
        assert.ok(remarks.some((remark) => /left .*label b: line 6 of .* holds a control character/.test(remark)));
      },
    ));

  it('whose configuration is a link out of it says so', () =>
    withSiteFolder({ 'tftp/pxelinux.cfg/': '', secret: 'label a\n' }, async (folder) => {
      await symlink('../../secret', join(folder, 'tftp/pxelinux.cfg/default'));
      const draft = new SiteDraft();
      await readTree(draft, join(folder, 'tftp'));
      assert.deepEqual(
        draft.remarks.map(({ kind, what }) => [kind, what]),
        [['left', 'pxelinux.cfg/default']],
      );
      assert.deepEqual(draft.site.menu, { entries: {}, timeout: 0, default: 'local' });
    }));

  it('that is not there is refused', () =>
    assert.rejects(readTree(new SiteDraft(), '/nonexistent/tftp'), { code: 'IMPORT_INVALID' }));

  it('without a configuration is only served', () =>
    read({ 'tftp/file': '' }, {}, async ({ draft, remarks }) => {
      assert.deepEqual(Object.keys(draft.site), ['tftp']);
      assert.deepEqual(remarks, []);
    }));
});

describe('a node`s folder', () => {
  it('is copied with its modes; a link out of the tree is not', () =>
    withSiteFolder(
      { 'tftp/n/settings.sh': 'echo', 'tftp/n/etc/x': 'x', 'tftp/common': 'all', secret: '' },
      async (folder) => {
        const root = join(folder, 'tftp');
        await chmod(join(root, 'n/settings.sh'), 0o755);
        await symlink('../common', join(root, 'n/hosts'));
        await symlink('../../secret', join(root, 'n/leak'));
        const left = await copyFolder(join(root, 'n'), join(folder, 'copy'), root);
        assert.deepEqual(left, ['leak']);
        assert.equal((await stat(join(folder, 'copy/settings.sh'))).mode & 0o777, 0o755);
        assert.equal(await readFile(join(folder, 'copy/hosts'), 'utf8'), 'all');
        assert.equal(await readFile(join(folder, 'copy/etc/x'), 'utf8'), 'x');
        await assert.rejects(stat(join(folder, 'copy/leak')));
      },
    ));
});
