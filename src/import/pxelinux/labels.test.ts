import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { reportText } from '../report.ts';
import { fileKind } from './fileKind.ts';
import { readTree } from './read.ts';

const FILES = { 'tftp/k/vmlinuz': '', 'tftp/k/initrd': '', 'tftp/k/more': '' };

/** The draft of a tree, and its remarks as lines. */
async function imported(files: SiteFiles, change?: (tftp: string) => Promise<void>, site: SiteText = {}) {
  return withSiteFolder({ ...FILES, ...files }, async (folder) => {
    const tftp = join(folder, 'tftp');
    await change?.(tftp);
    const draft = new SiteDraft();
    Object.assign(draft.site, site);
    await readTree(draft, tftp);
    assert.deepEqual(unprovenClaims(draft), []);
    const remarks = draft.remarks.map(({ kind, what, why }) => `${kind} ${what}: ${why}`.replaceAll(tftp, 'TFTP'));
    return { draft, entries: draft.site.menu?.entries ?? {}, remarks };
  });
}

function head(at: { readonly [offset: number]: string }): Buffer {
  const bytes = Buffer.alloc(4096);
  for (const [offset, text] of Object.entries(at)) bytes.write(text, Number(offset), 'latin1');
  return bytes;
}

const LINUX = head({ 0: 'MZ', 60: '\x80', 128: 'PE\0\0', 514: 'HdrS' });
const EFI = head({ 0: 'MZ', 60: '\x80', 128: 'PE\0\0' });
const OLD_MODULE = head({ 0: '\xb8\xffL\xcd!' });
const ELF = head({ 0: '\x7fELF' });
const ARM = head({ 0: 'MZ', 56: 'ARM\x64', 60: '\x80', 128: 'PE\0\0' });
const OTHER = head({ 510: '\x55\xaa' });

describe('a file', () => {
  const rows: [string, Buffer, ReturnType<typeof fileKind>][] = [
    ['a kernel with an EFI stub', LINUX, 'linux'],
    ['a kernel of arm64', ARM, 'linux'],
    ['a compressed EFI kernel', head({ 0: 'MZ\0\0zimg' }), 'linux'],
    ['an EFI program', EFI, 'efi'],
    ['an EFI program whose header lies elsewhere', head({ 0: 'MZ', 60: '\xff\xff\xff\xff' }), 'unknown'],
    ['a module before syslinux 5', OLD_MODULE, 'module'],
    ['ELF', ELF, 'elf'],
    ['a boot sector', OTHER, 'unknown'],
    ['nothing', Buffer.alloc(0), 'unknown'],
  ];
  for (const [name, bytes, kind] of rows) it(`is recognized: ${name}`, () => assert.equal(fileKind(bytes), kind));
});

describe('what a label starts', () => {
  // A kernel that is taken, a note that says otherwise, or the reason why it is left.
  const rows: [string, string, Buffer, 'entry' | 'local' | RegExp][] = [
    ['kernel', 'vmlinuz.efi', LINUX, 'entry'],
    ['kernel', 'vmlinuz.efi', Buffer.from('x'), 'entry'],
    ['kernel', 'linux.efi', Buffer.alloc(0), 'entry'],
    ['kernel', 'grubx64.efi', EFI, /boot program/],
    ['kernel', 'vmlinuz.efi', EFI, /boot program/],
    ['kernel', 'grubx64.efi', Buffer.alloc(0), /boot program/],
    ['linux', 'bootx64.efi', LINUX, 'entry'],
    ['kernel', 'memtest.bin', LINUX, 'entry'],
    ['kernel', 'memtest.bin', OTHER, /boot sector/],
    ['kernel', 'memtest', OTHER, /not the header/],
    ['kernel', 'x.bss', OTHER, /boot sector/],
    ['kernel', 'pxelinux.0', OTHER, /boot program/],
    ['kernel', 'ipxe.pxe', OTHER, /boot program/],
    ['kernel', 'undionly.kpxe', OTHER, /boot program/],
    ['kernel', 'ipxe.lkrn', LINUX, 'entry'],
    ['linux', 'odd.0', LINUX, 'entry'],
    ['linux', 'odd.0', Buffer.alloc(0), 'entry'],
    ['pxe', 'odd', Buffer.alloc(0), /boot program/],
    ['bss', 'odd', Buffer.alloc(0), /boot sector/],
    ['boot', 'odd', Buffer.alloc(0), /boot sector/],
    ['fdimage', 'odd', Buffer.alloc(0), /disk image/],
    ['kernel', 'dos.img', Buffer.alloc(0), /disk image/],
    ['kernel', 'memdisk', LINUX, 'entry'],
    ['kernel', 'program', ELF, /ELF program/],
    ['kernel', 'program', OLD_MODULE, /module of syslinux/],
    ['kernel', 'mboot.c32', ELF, /mboot.c32 is a module/],
    ['com32', 'hdt', ELF, /hdt.c32 is a module/],
    ['kernel', 'HDT.C32', Buffer.alloc(0), /HDT.C32 is a module/],
    ['com32', 'chain.c32', Buffer.alloc(0), 'local'],
    ['kernel', 'reboot.c32', Buffer.alloc(0), /own power/],
    ['localboot', '0', Buffer.alloc(0), 'local'],
    ['localboot', '-1', Buffer.alloc(0), 'local'],
    ['localboot', '0x80', Buffer.alloc(0), 'local'],
    ['localboot', '0x81', Buffer.alloc(0), 'local'],
    ['localboot', '4', Buffer.alloc(0), 'local'],
  ];
  for (const [directive, file, bytes, becomes] of rows) {
    it(`${directive} ${file} with ${fileKind(bytes)} inside: ${becomes}`, async () => {
      const { entries, remarks } = await imported(
        { 'tftp/pxelinux.cfg/default': `label a\n${directive} k/${file}\n`.replace(/(localboot) k\//, '$1 ') },
        (tftp) => writeFile(join(tftp, 'k', file), bytes),
      );
      if (becomes instanceof RegExp) assert.match(remarks.join('\n'), becomes);
      else if (becomes === 'local') assert.match(remarks.join('\n'), /(taken|changed) label a/);
      else assert.equal(entries.a?.kernel, `k/${file}`);
      if (becomes === 'local') assert.deepEqual(entries, {});
    });
  }

  it('linux.c32 starts the kernel of its words', async () => {
    const text = 'label a\nkernel linux.c32\nappend k/vmlinuz initrd=k/gone initrd=k/initrd initrd+=k/more quiet\n';
    const { entries } = await imported({ 'tftp/pxelinux.cfg/default': text });
    assert.deepEqual(entries, { a: { kernel: 'k/vmlinuz', initrd: ['k/initrd', 'k/more'], args: ['quiet'] } });
  });

  it('has initrds by `initrd` and by `initrd=`, of which pxelinux loads the first', async () => {
    const { entries, remarks } = await imported({
      'tftp/pxelinux.cfg/default':
        'label a\nkernel k/vmlinuz\ninitrd k/initrd,k/more\nlabel b\nkernel k/vmlinuz\nappend initrd=k/initrd,k/more x\n' +
        'label c\nkernel k/vmlinuz\nappend initrd=k/initrd y\ninitrd k/more\n',
    });
    const both = ['k/initrd', 'k/more'];
    assert.deepEqual(entries, {
      a: { kernel: 'k/vmlinuz', initrd: both },
      b: { kernel: 'k/vmlinuz', initrd: both, args: ['x'] },
      c: { kernel: 'k/vmlinuz', initrd: 'k/initrd', args: ['y'] },
    });
    assert.match(
      remarks.join('\n'),
      /changed label c: of several initrd only what is loaded is taken: initrd=k\/initrd/,
    );
  });
});

describe('a label', () => {
  it('is shown as menu.c32 shows it, and named so that it can be distinguished', async () => {
    const label = (line: string, n: number, more = '') => `label ${line}\nkernel k/vmlinuz\nappend n=${n}\n${more}`;
    const { entries, draft } = await imported({
      'tftp/pxelinux.cfg/default': [
        label('Debian installer (graphical)', 1),
        label('Debian installer (text)', 2),
        label('x', 3, 'menu label ^X of ^all\n'),
        label('- Debian', 4),
        label('>', 5, 'menu label > Other\n'),
        label('x', 6),
        label('local', 7),
      ].join(''),
    });
    assert.deepEqual(
      Object.entries(entries).map(([name, { title }]) => [name, title]),
      [
        ['Debian-installer-graphical', 'Debian installer (graphical)'],
        ['Debian-installer-text', 'Debian installer (text)'],
        ['x', 'X of all'],
        ['Debian', '- Debian'],
        ['Other', '> Other'],
        ['x-2', 'x'],
        ['k', 'local'],
      ],
    );
    assert.deepEqual(draft.commentsAt(['menu', 'entries', 'Debian-installer-text']), [
      'pxelinux.cfg/default:4: label Debian installer (text)',
    ]);
  });

  it('that starts nothing is left with the reason, and never an entry', async () => {
    const { entries, remarks } = await imported({
      'tftp/pxelinux.cfg/default': `label Systems:
label -
  menu label -----
  menu disable
label
label q
  menu quit
label h
  menu help text.txt
menu begin tools
label back
  menu exit
label top
  menu goto .top
  kernel k/vmlinuz
label one
  kernel k/vmlinuz
menu end
label stays
  menu exit
  kernel k/vmlinuz
  append x
`,
    });
    assert.deepEqual(Object.keys(entries), ['one', 'stays']);
    for (const told of [
      /left label Systems:: it is a heading/,
      /left label -: `menu disable`/,
      /left label: it names no kernel/,
      /left label q: it leaves the menu/,
      /left label h: it shows a text/,
      /left label back: .*all entries stand in one menu/,
      /left label top: .*all entries stand in one menu/,
      /left menu exit: it stands in no submenu/,
    ])
      assert.match(remarks.join('\n'), told);
  });

  it('whose files Reveille cannot give out is left; the others are not', async () => {
    const row = (name: string, kernel: string, append = '') => `label ${name}\nkernel ${kernel}\nappend ${append}\n`;
    const { entries, remarks } = await imported(
      {
        'tftp/pxelinux.cfg/default': [
          row('good', 'k/vmlinuz'),
          row('up', '../other/vmlinuz'),
          row('initrd', 'k/vmlinuz', 'initrd=../../other/initrd'),
          row('out', 'k/out'),
          row('far', 'http://10.9.9.9/linux'),
          row('inside', 'k/inside', 'x'),
          'include ../../secret\n',
        ].join(''),
        secret: '',
        'tftp/deep/vmlinuz': '',
      },
      async (tftp) => {
        await symlink('../../secret', join(tftp, 'k/out'));
        await symlink('../deep/vmlinuz', join(tftp, 'k/inside'));
      },
    );
    assert.deepEqual(Object.keys(entries), ['good', 'inside']);
    for (const told of [
      /left label up: ..\/other\/vmlinuz leaves the folder TFTP: move the file below it/,
      /left label initrd: .* leaves the folder/,
      /left label out: k\/out is a link that leads out of TFTP/,
      /left label far: .* comes from another server/,
      /left include ..\/..\/secret: .* leaves the folder/,
    ])
      assert.match(remarks.join('\n'), told);
  });

  it('that holds a control character is left, wherever that stands', async () => {
    const { entries, remarks } = await imported({
      'tftp/pxelinux.cfg/default':
        'label a\nkernel k/vmlinuz x\x01\nlabel b\nkernel k/vmlinuz\nappend "a\tb"\nlabel c\nkernel "k/v\tm"\nlabel d\nkernel k/vmlinuz\nappend a\tb\n',
    });
    assert.deepEqual(Object.keys(entries), ['d']);
    assert.equal(
      remarks.filter((remark) => /^left label [abc]: line \d of .* holds a control character/.test(remark)).length,
      3,
    );
  });

  it('boots the same as another under another title: the report says so', async () => {
    const { entries, remarks } = await imported({
      'tftp/pxelinux.cfg/default': 'label a\nkernel k/vmlinuz\nlabel b\nmenu label Other\nkernel k/vmlinuz\n',
    });
    assert.deepEqual(Object.keys(entries), ['a']);
    assert.match(remarks.join('\n'), /changed label b: it boots the same as "a"/);
  });
});

describe('menus of several files', () => {
  it('are read whole, and no file of theirs is reported as unused', async () => {
    const { entries, remarks } = await imported({
      'tftp/pxelinux.cfg/default':
        'default vesamenu.c32\nlabel l\nkernel vesamenu.c32\nappend pxelinux.cfg/looks pxelinux.cfg/linux\n',
      'tftp/pxelinux.cfg/looks': 'menu width 70\n',
      'tftp/pxelinux.cfg/linux':
        'label one\nkernel k/vmlinuz\nlabel b\nkernel vesamenu.c32\nappend pxelinux.cfg/looks pxelinux.cfg/default\n',
      'tftp/pxelinux.cfg/default.bak': 'label gone\nkernel k/vmlinuz\n',
    });
    assert.deepEqual(Object.keys(entries), ['one']);
    assert.deepEqual(
      remarks.filter((remark) => /no file of this name/.test(remark)).map((remark) => remark.split(':')[0]),
      ['left pxelinux.cfg/default.bak'],
    );
  });

  it('are named by `ui` and `default`; labels of the first file stand in the menu too', async () => {
    for (const first of ['ui menu.c32 one gone two', 'default menu.c32 one gone two']) {
      const { entries, remarks } = await imported({
        'tftp/pxelinux.cfg/default': `${first}\nlabel p\nkernel k/vmlinuz\nappend p\n`,
        'tftp/one': 'label a\nkernel k/vmlinuz\n',
        'tftp/two': 'append x\nlabel b\nkernel k/vmlinuz\nmenu include three Sub\n',
        'tftp/three': 'label c\nkernel k/vmlinuz\nappend y\n',
      });
      assert.deepEqual(Object.keys(entries), ['a', 'b', 'c', 'p']);
      assert.equal(entries.c?.title, 'Sub: c');
      assert.match(remarks.join('\n'), /left gone: there is no file gone/);
    }
  });
});

describe('a tree', () => {
  it('with several pxelinux.cfg: the one that machines start from is read, the others are reported', async () => {
    const files = {
      'tftp/bios/pxelinux.cfg/default': 'label b\nkernel /k/vmlinuz\n',
      'tftp/a/deep/pxelinux.cfg/default': 'label a\nkernel /k/vmlinuz\n',
      'tftp/efi64/pxelinux.cfg/default': 'label e\nkernel /k/vmlinuz\n',
    };
    const first = await imported(files);
    assert.deepEqual(Object.keys(first.entries), ['b']);
    assert.match(first.remarks.join('\n'), /left efi64\/pxelinux.cfg: only bios\/pxelinux.cfg is read/);
    const pools = [{ range: '10.0.0.9', allow: 'any' as const, bootFile: 'efi64/pxelinux.0' }];
    const named = await imported(files, undefined, { networks: { lan: { subnet: '10.0.0.0/24', pools } } });
    assert.deepEqual(Object.keys(named.entries), ['e']);
    assert.equal(pools[0]?.bootFile, 'pxelinux.0');
  });

  it('with folders of nodes that are links: those inside are copied, those out of it are reported', async () => {
    const nodes = {
      n1: { mac: '52:54:00:00:00:51', ip: '10.0.0.51' },
      n2: { mac: '52:54:00:00:00:52', ip: '10.0.0.52' },
    };
    const { draft, remarks } = await imported(
      { 'tftp/shared/hosts': 'h', 'out/hosts': 'h' },
      async (tftp) => {
        await symlink('shared', join(tftp, '10-0-0-51'));
        await symlink('../out', join(tftp, '10-0-0-52'));
        await mkdir(join(tftp, 'n2'));
      },
      { nodes },
    );
    assert.deepEqual([...draft.folders.keys()], ['nodes/10-0-0-51', 'nodes/n2']);
    assert.match(
      remarks.join('\n'),
      /left folder 10-0-0-52: it is a link that leads out of TFTP: copy it to nodes\/10-0-0-52/,
    );
  });
});

describe('secrets of a tree', () => {
  it('boot as before, and stand in no report', async () => {
    const { draft, entries } = await imported({
      'tftp/pxelinux.cfg/default': `default gone rootpw=hunter2
ontimeout linux password=hunter2
menu master passwd $4$hunter2
serial 0 passwd=hunter2
menu title rootpw=hunter2
  rootpw=hunter2 is a line that went astray, token=hunter2
include http://user:hunter2@10.0.0.1/more.cfg
label linux
  kernel k/vmlinuz
  menu passwd hunter2
  append rootpw=hunter2 ks=http://user:hunter2@10.0.0.1/ks.cfg
label far
  kernel ftp://user:hunter2@10.0.0.1/linux
label of rootpw=hunter2
  kernel hdt.c32
`,
    });
    assert.deepEqual(entries.linux?.args, ['rootpw=hunter2', 'ks=http://user:hunter2@10.0.0.1/ks.cfg']);
    assert.ok(draft.remarks.length > 8);
    assert.doesNotMatch(reportText(draft.remarks, ['tftp']), /hunter2/);
    assert.doesNotMatch(JSON.stringify(draft.remarks), /hunter2/);
    const comments = [...Object.keys(entries)].flatMap((name) => draft.commentsAt(['menu', 'entries', name]));
    assert.doesNotMatch(JSON.stringify([comments, draft.commentsAt(['menu', 'default'])]), /hunter2/);
  });
});
