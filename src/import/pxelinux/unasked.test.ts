import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { KERNELS, MENUS, treeOf } from '../testing/menusFixture.ts';
import { bootedBy } from '../testing/syslinuxFixture.ts';
import { readTree } from './read.ts';

/** The draft that these files make; every kernel that it names is there. */
async function imported(files: SiteFiles): Promise<SiteDraft> {
  return withSiteFolder({ ...KERNELS, ...files }, async (folder) => {
    const draft = new SiteDraft();
    await readTree(draft, join(folder, 'tftp'));
    return draft;
  });
}

/** What the draft boots unasked: kernel and words, or `local`. */
function booted({ site: { menu } }: SiteDraft): string {
  const entry = menu?.entries?.[menu.default ?? ''];
  if (entry === undefined) return menu?.default ?? '';
  return [entry.kernel, ...(entry.args ?? [])].join(' ');
}

describe('what boots unasked', () => {
  for (const [name, files, boots, seconds, told] of MENUS) {
    it(name, async () => {
      const draft = await imported(treeOf(files));
      assert.deepEqual([booted(draft), draft.site.menu?.timeout], [boots, seconds]);
      const changed = draft.remarks.filter(({ kind }) => kind === 'changed').map(({ what, why }) => `${what}: ${why}`);
      if (told) assert.match(changed.join('\n'), told);
      assert.deepEqual(unprovenClaims(draft), []);
    });
  }
});

describe('what nodes boot unasked', () => {
  const node = (last: number, more: object = {}) => ({
    mac: `52:54:00:00:00:${last}`,
    ip: `10.0.0.${last}`,
    loader: 'pxelinux' as const,
    ...more,
  });
  const mac = (last: number) => `tftp/pxelinux.cfg/01-52-54-00-00-00-${last}`;
  const only = (kernel: number) => `default a\nlabel a\nkernel k${kernel}\n`;
  const DISK = 'default disk\nlabel disk\nlocalboot 0\n';
  const bootsOf = async (files: SiteFiles, site: SiteText, change?: (folder: string) => Promise<void>) =>
    withSiteFolder({ ...KERNELS, ...files }, async (folder) => {
      await change?.(folder);
      const draft = new SiteDraft();
      Object.assign(draft.site, structuredClone(site));
      await readTree(draft, join(folder, 'tftp'));
      assert.deepEqual(unprovenClaims(draft), []);
      const { menu, nodes = {}, profiles = {} } = draft.site;
      const kernelOf = (name: string | undefined) => menu?.entries?.[name ?? '']?.kernel ?? name;
      return {
        default: kernelOf(menu?.default),
        nodes: Object.values(nodes).map(({ boot, profiles: [first = ''] = [] }) =>
          kernelOf(boot ?? profiles[first]?.boot),
        ),
        changed: draft.remarks.filter(({ kind }) => kind === 'changed').map(({ what, why }) => `${what}: ${why}`),
      };
    });

  it('is what their own file says, and nothing else where that cannot be read', async () => {
    const files = { 'tftp/pxelinux.cfg/default': only(1), [mac(51)]: only(2), secret: only(3) };
    const site = { nodes: { a: node(51), b: node(52), c: node(53) } };
    const boots = await bootsOf(files, site, (folder) => symlink('../../secret', join(folder, mac(52))));
    assert.deepEqual([boots.default, boots.nodes], ['k1', ['k2', 'local', 'k1']]);
  });

  it('is never what another node of their profile boots', async () => {
    const site: SiteText = {
      profiles: { rack: { loader: 'pxelinux' } },
      nodes: {
        a: { mac: '52:54:00:00:00:51', profiles: ['rack'] },
        b: { mac: '52:54:00:00:00:52', profiles: ['rack'] },
      },
    };
    const own = await bootsOf({ [mac(51)]: only(1) }, site);
    assert.deepEqual([own.default, own.nodes], [undefined, ['k1', undefined]]);
    // One of the profile's nodes does not start pxelinux.
    const other = structuredClone(site);
    Object.assign(other.nodes?.b ?? {}, { loader: 'ipxe', image: 'debian' });
    const mixed = await bootsOf({ 'tftp/pxelinux.cfg/default': only(1) }, other);
    assert.deepEqual([mixed.default, mixed.nodes], ['k1', ['k1', undefined]]);
  });

  it('is the next device where their two cards differ', async () => {
    const site: SiteText = { nodes: { a: node(51, { mac: ['52:54:00:00:00:51', '52:54:00:00:00:52'] }) } };
    const torn = await bootsOf({ [mac(51)]: only(1), [mac(52)]: only(2) }, site);
    assert.deepEqual(torn.nodes, ['local']);
    assert.match(torn.changed.join('\n'), /another of its cards boots/);
    assert.deepEqual((await bootsOf({ [mac(51)]: only(1), [mac(52)]: only(1) }, site)).nodes, ['k1']);
  });

  it('is the next device where their address is drawn and addresses have files', async () => {
    const site: SiteText = { nodes: { a: { mac: '52:54:00:00:00:51', loader: 'pxelinux' }, b: node(52) } };
    const files = { 'tftp/pxelinux.cfg/default': only(1) };
    const drawn = await bootsOf({ ...files, 'tftp/pxelinux.cfg/0A0000': DISK }, site);
    assert.deepEqual([drawn.default, drawn.nodes], ['k1', ['local', 'local']]);
    // Nobody else is given the address of a node.
    const kept = await bootsOf({ ...files, 'tftp/pxelinux.cfg/0A000034': DISK }, site);
    assert.deepEqual(kept.nodes, ['k1', 'local']);
  });

  it('does not reach machines whose own file is asked for no more', async () => {
    const site: SiteText = { networks: { lan: { subnet: '10.0.0.0/24', bootFile: 'boot/pxelinux.0' } } };
    const files = { 'tftp/k1': '', 'tftp/boot/pxelinux.cfg/default': 'default /k1\n' };
    assert.equal((await bootsOf(files, site)).default, 'k1');
    const { default: boots, changed } = await bootsOf({ ...files, 'tftp/boot/pxelinux.cfg/0A0000': DISK }, site);
    assert.equal(boots, 'local');
    assert.match(changed.join('\n'), /ask for no file of boot\/pxelinux.cfg any more/);
  });
});

describe('any menu', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'b two', 'k1');
  const starts = fc.oneof(
    { weight: 6, arbitrary: fc.nat(7).map((i) => `kernel k${i}`) },
    fc.constantFrom(
      'localboot 0',
      'kernel hdt.c32',
      '',
      'kernel menu.c32\nappend one',
      'kernel menu.c32\nappend two ~',
      'config two',
    ),
  );
  const more = fc.constantFrom(
    'menu default',
    'menu hide',
    'menu disable',
    'menu exit',
    'menu quit',
    'menu goto t',
    'append words',
    'menu label ^x',
  );
  const label = fc
    .tuple(name, starts, fc.array(more, { maxLength: 2 }))
    .map(([named, start, others]) => [`label ${named}`, start, ...others].join('\n'));
  const global = fc.oneof(
    fc.constantFrom(
      'timeout 50',
      'timeout 50',
      'timeout 0',
      'totaltimeout 300',
      'prompt 1',
      'prompt 0',
      'noescape 1',
      'implicit 0',
    ),
    fc.constantFrom(
      'menu shiftkey',
      'menu hidden',
      'menu separator',
      'menu start',
      'include one',
      'menu include two',
      'menu include one Sub',
    ),
    fc
      .tuple(fc.constantFrom('default', 'ontimeout'), fc.constantFrom('a', 'b', 'c', 'k1', 'gone', 'a words'))
      .map((two) => two.join(' ')),
    fc.constantFrom(
      'ui menu.c32',
      'ui menu.c32',
      'ui menu.c32 one',
      'default menu.c32',
      'default menu.c32 ~ two',
      'menu default',
    ),
  );
  const row = fc.oneof({ weight: 3, arbitrary: label }, { weight: 2, arbitrary: global });
  const submenu = fc
    .tuple(fc.constantFrom('t', 'u'), fc.array(row, { maxLength: 4 }))
    .map(([tag, rows]) => [`menu begin ${tag}`, ...rows, 'menu end'].join('\n'));
  const text = (maxLength: number) =>
    fc
      .array(fc.oneof({ weight: 8, arbitrary: row }, { weight: 1, arbitrary: submenu }), { maxLength })
      .map((rows) => `${rows.join('\n')}\n`);
  // What is included includes no more, so that no file includes itself.
  const plain = (maxLength: number) => text(maxLength).map((all) => all.replace(/^(menu )?include .*$/gm, ''));

  it('boots unasked what pxelinux boots unasked, else the next device', async () => {
    let entries = 0;
    await fc.assert(
      fc.asyncProperty(fc.tuple(global, global), text(8), plain(4), plain(4), async (head, main, one, two) => {
        const files: SiteFiles = {
          ...KERNELS,
          'tftp/pxelinux.cfg/default': `${head.join('\n')}\n${main}`,
          'tftp/one': one,
          'tftp/two': two,
        };
        const draft = await imported(files);
        const boots = booted(draft);
        assert.equal(boots, bootedBy(files) ?? 'local');
        assert.deepEqual(unprovenClaims(draft), []);
        if (boots !== 'local') entries += 1;
      }),
      { numRuns: 300 },
    );
    assert.ok(entries > 10, `only ${entries} booted an entry`);
  });
});
