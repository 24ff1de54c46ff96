import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MenuEntry } from '../model/menu.ts';
import type { SiteNode } from '../model/node.ts';
import { ip, mac, menuFixture, nodeFixture } from '../site/testing/fixture.ts';
import { ipxeScript } from './ipxe.ts';
import { pxelinuxConfig } from './pxelinux.ts';

const SERVER = { ip: ip('10.0.0.2'), httpPort: 8080 };
const MAC = mac('52:54:00:00:00:51');
const SHA = 'ab'.repeat(32);
const TINY: MenuEntry = {
  name: 'tiny',
  title: 'Tiny',
  kernel: 'tiny/linux',
  initrd: ['tiny/initrd.xz'],
  args: ['quiet'],
};
const asking = {
  node: nodeFixture({ kernelArgs: ['console=ttyS0'], services: ['libvirtd', 'nova-compute'] }),
  mac: MAC,
  built: { sha256: SHA },
};

describe('pxelinux configuration', () => {
  it('names the machine-id for systemd where the state has it, and keeps the operator`s own word', () => {
    const machineId = '0123456789abcdef0123456789abcdef';
    const line = (node: SiteNode) =>
      pxelinuxConfig('g-rack', menuFixture(), SERVER, { ...asking, node, machineId }).match(/systemd\.machine_id=\S+/g);
    assert.deepEqual(line(asking.node), [`systemd.machine_id=${machineId}`]);
    assert.deepEqual(line({ ...asking.node, kernelArgs: ['systemd.machine_id=1'] }), ['systemd.machine_id=1']);
  });

  it('boots a node into its image, with TFTP= last on the kernel line', () => {
    const text = pxelinuxConfig('g-rack', menuFixture(), SERVER, asking);
    assert.match(text, /^default node$/m);
    assert.match(text, new RegExp(`^ {2}kernel images/${SHA}/vmlinuz$`, 'm'));
    assert.ok(
      text.includes(
        `  append initrd=images/${SHA}/initrd console=ttyS0 rw rootfstype=ramfs BOOTIF=01-52-54-00-00-00-51 ` +
          'reveille.server=http://10.0.0.2:8080 reveille.node=node01 reveille.hold=libvirtd,nova-compute TFTP=10.0.0.2\n',
      ),
    );
    assert.match(text, /^serial 0 115200$/m);
    assert.doesNotMatch(text, /menu\.c32/);
  });

  it('offers the other entries behind a menu', () => {
    const text = pxelinuxConfig('g-rack', menuFixture({ entries: [TINY] }), SERVER, asking);
    assert.match(text, /^ui menu\.c32$/m);
    assert.match(text, /^timeout 30$/m);
    assert.match(
      text,
      /^label tiny\n {2}menu label Tiny\n {2}kernel tiny\/linux\n {2}append initrd=tiny\/initrd\.xz quiet TFTP=10\.0\.0\.2$/m,
    );
  });

  it('lets a stranger go on to its next device, and never shows it a node', () => {
    const text = pxelinuxConfig('g-rack', menuFixture({ entries: [TINY] }), SERVER);
    assert.match(text, /^default local$/m);
    assert.doesNotMatch(text, /label node/);
  });

  it('gives a stranger the entry that the site makes the default', () => {
    assert.match(
      pxelinuxConfig('g-rack', menuFixture({ entries: [TINY], default: 'tiny' }), SERVER),
      /^default tiny$/m,
    );
  });

  it('falls back to the next device while the image is not built', () => {
    const { built: _, ...unbuilt } = asking;
    assert.match(pxelinuxConfig('g-rack', menuFixture(), SERVER, unbuilt), /^default local$/m);
  });
});

describe('iPXE script', () => {
  it('fetches kernel and initrd over HTTP and names the initrd for UEFI', () => {
    const script = ipxeScript('g-rack', menuFixture(), SERVER, asking);
    assert.match(script, /^#!ipxe\n/);
    assert.match(
      script,
      new RegExp(
        `^kernel http://10\\.0\\.0\\.2:8080/boot/images/${SHA}/vmlinuz initrd=initrd .* TFTP=10\\.0\\.0\\.2 \\|\\| goto failed$`,
        'm',
      ),
    );
    assert.match(
      script,
      new RegExp(`^initrd --name initrd http://10\\.0\\.0\\.2:8080/boot/images/${SHA}/initrd \\|\\| goto failed$`, 'm'),
    );
  });

  it('sends a node with a squashfs root to fetch it, and leaves out what is for a root in the initrd', () => {
    const built = { sha256: SHA, root: { sha256: 'cd'.repeat(32), size: 1234 } };
    const script = ipxeScript('g-rack', menuFixture(), SERVER, { ...asking, built });
    assert.ok(
      script.includes(
        ` rw reveille.root=/boot/images/${SHA}/root.squashfs reveille.rootsum=${'cd'.repeat(32)} reveille.rootsize=1234 BOOTIF=`,
      ),
    );
    assert.doesNotMatch(script, /rootfstype/);
    assert.match(pxelinuxConfig('g-rack', menuFixture(), SERVER, { ...asking, built }), /reveille\.rootsize=1234/);
  });

  it('says that an image is not built, and tries again', () => {
    const { built: _, ...unbuilt } = asking;
    const script = ipxeScript('g-rack', menuFixture(), SERVER, unbuilt);
    assert.match(script, /has not been built yet/);
    assert.match(script, /^chain --replace http:\/\/10\.0\.0\.2:8080\/boot\/ipxe\/52:54:00:00:00:51$/m);
  });

  it('has a menu where the site has entries, each a target of its own', () => {
    const script = ipxeScript('g-rack', menuFixture({ entries: [TINY] }), SERVER, asking);
    assert.match(script, /^choose --timeout 3000 --default node choice \|\| goto node$/m);
    assert.match(
      script,
      /^:tiny\nkernel http:\/\/10\.0\.0\.2:8080\/boot\/files\/tiny\/linux initrd=initrd0 quiet TFTP=10\.0\.0\.2 \|\| goto failed$/m,
    );
  });

  it('never lets a title be expanded as a variable', () => {
    const script = ipxeScript(
      'g-rack',
      menuFixture({ entries: [{ ...TINY, title: `a \${net0/mac}\nboot` }] }),
      SERVER,
      asking,
    );
    assert.match(script, /^item tiny a \{net0\/mac\} boot$/m);
  });
});

describe('a node that boots a menu entry', () => {
  const NOVA: MenuEntry = {
    name: 'nova',
    title: 'Nova',
    kernel: 'nova/vmlinuz',
    initrd: ['nova/initrd.img', 'nova/extra.img'],
    args: ['rw', 'root=/dev/ram0', 'rw'],
    ipappend: 7,
  };
  const OWN: MenuEntry = { ...TINY, name: 'own', args: ['TFTP=10.9.9.9', 'console=ttyS1,9600'] };
  const menu = menuFixture({ entries: [NOVA, OWN], timeoutSeconds: 0 });
  const node = (boot: string) => ({ node: nodeFixture({ boot, kernelArgs: ['unused'] }, []), mac: MAC });

  it('gets it from pxelinux with the words as written, and no menu that would wait for no time', () => {
    const text = pxelinuxConfig('g-rack', menu, SERVER, node('nova'));
    assert.match(text, /^default nova$/m);
    assert.ok(
      text.includes(
        '  append initrd=nova/initrd.img,nova/extra.img rw root=/dev/ram0 rw TFTP=10.0.0.2\n  ipappend 7\n',
      ),
    );
    assert.doesNotMatch(text, /label node|menu\.c32|unused/);
  });

  it('gets it from iPXE, with the words of ipappend made by iPXE', () => {
    const script = ipxeScript('g-rack', menu, SERVER, node('nova'));
    assert.match(script, /^goto nova$/m);
    const words = `ip=\${netX/ip}:\${next-server}:\${netX/gateway}:\${netX/netmask} BOOTIF=01-52-54-00-00-00-51 SYSUUID=\${uuid}`;
    assert.ok(
      script.includes(
        `kernel http://10.0.0.2:8080/boot/files/nova/vmlinuz initrd=initrd0 initrd=initrd1 rw root=/dev/ram0 rw TFTP=10.0.0.2 ${words} ||`,
      ),
    );
    assert.doesNotMatch(script, /^:node$|^:menu$|^:own$/m);
  });

  it('keeps a TFTP= of its own where it stands, and talks on its serial line', () => {
    const text = pxelinuxConfig('g-rack', menu, SERVER, node('own'));
    assert.match(text, /^ {2}append initrd=tiny\/initrd\.xz TFTP=10\.9\.9\.9 console=ttyS1,9600$/m);
    assert.match(text, /^serial 1 9600$/m);
  });

  it('goes on to its next device where that is what it boots', () => {
    assert.match(pxelinuxConfig('g-rack', menu, SERVER, node('local')), /^default local$/m);
    assert.match(ipxeScript('g-rack', menu, SERVER, node('local')), /^goto local$/m);
  });

  it('stands behind a menu that waits, and goes before the default of the site', () => {
    const waiting = { ...menu, timeoutSeconds: 2 };
    const script = ipxeScript('g-rack', waiting, SERVER, node('nova'));
    assert.match(script, /^choose --timeout 2000 --default nova choice \|\| goto nova$/m);
    assert.doesNotMatch(script, /item node/);
    assert.match(ipxeScript('g-rack', { ...waiting, default: 'own' }, SERVER, node('nova')), /--default nova /);
  });
});
