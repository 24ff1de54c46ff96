import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ip, mac, menuFixture, nodeFixture } from '../site/fixture.ts';
import type { MenuEntry } from '../site/model.ts';
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
