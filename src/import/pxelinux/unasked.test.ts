import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type SiteFiles, withSiteFolder } from '../../site/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { readTree } from './read.ts';
import { bootedBy } from './syslinuxFixture.ts';

const KERNELS = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`tftp/k${i}`, '']));

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

const WIPE = 'label wipe\nmenu label Install (erases the disk)\nkernel k1\nlabel other\nkernel k2\n';

describe('what boots unasked', () => {
  // What the site boots, after how many seconds, and what the report says of it where it differs.
  const rows: [string, string | SiteFiles, string, number, RegExp?][] = [
    ['default label', `default other\n${WIPE}`, 'k2', 0],
    ['the last default', `default wipe\ndefault other\n${WIPE}`, 'k2', 0],
    ['default with more words', `default other a b\n${WIPE}`, 'k2 a b', 0],
    ['a kernel named by default', `default k3 a\n${WIPE}`, 'k3 a', 0],
    ['no default', `timeout 50\n${WIPE}`, 'local', 3600, /neither `default`, `ui` nor `ontimeout`/],
    ['no default, and a prompt without time', WIPE, 'local', 3600, /waits at its prompt without end/],
    ['no default but ontimeout', `timeout 50\nontimeout other\n${WIPE}`, 'k2', 5],
    ['default that is no label', `default gone\n${WIPE}`, 'local', 3600, /no label is called "gone"/],
    ['default in other letters', `default WIPE\n${WIPE}`, 'local', 3600, /no label is called "WIPE"/],
    ['prompt without time', `default wipe\nprompt 1\n${WIPE}`, 'local', 3600, /waits at its prompt without end/],
    ['prompt with a time of 0', `default wipe\nprompt 1\ntimeout 0\n${WIPE}`, 'local', 3600, /without end/],
    ['prompt and time', `default wipe\nprompt 1\ntimeout 35\n${WIPE}`, 'k1', 3.5],
    ['prompt, time and ontimeout', `default wipe\nprompt 1\ntimeout 35\nontimeout other\n${WIPE}`, 'k2', 3.5],
    ['prompt and totaltimeout', `default wipe\nprompt 1\ntotaltimeout 900\n${WIPE}`, 'k1', 90],
    ['prompt that is never shown', `default wipe\nprompt 1\nnoescape 1\n${WIPE}`, 'k1', 0],
    ['implicit 0', `default k3\nimplicit 0\n${WIPE}`, 'local', 3600, /starts labels only/],
    ['implicit 0 and a menu', `ui menu.c32\ntimeout 50\nimplicit 0\n${WIPE}`, 'local', 3600, /starts labels only/],
    ['a menu without time', `default menu.c32\n${WIPE}`, 'local', 3600, /waits for a person/],
    ['a menu with a time of 0', `UI vesamenu.c32\ntimeout 0\n${WIPE}`, 'local', 3600, /waits for a person/],
    ['a menu with time', `ui menu.c32\ntimeout 50\n${WIPE}`, 'k1', 5],
    ['a menu with total time', `ui menu.c32\ntotaltimeout 600\n${WIPE}`, 'k1', 60],
    ['the shorter of two times', `ui menu.c32\ntimeout 300\ntotaltimeout 100\n${WIPE}`, 'k1', 10],
    ['a time of hours', `ui menu.c32\ntimeout 72000\n${WIPE}`, 'k1', 3600, /the longest/],
    ['default menu.c32 and prompt', `default menu.c32\nprompt 1\n${WIPE}`, 'local', 3600, /prompt without end/],
    ['both times of prompt and menu', `default menu.c32\nprompt 1\ntimeout 50\n${WIPE}`, 'k1', 10],
    ['ui and default', `ui menu.c32\ntimeout 50\ndefault other\n${WIPE}`, 'k2', 5],
    ['a label behind default menu.c32', `default menu.c32\ndefault other\ntimeout 50\n${WIPE}`, 'k2', 0],
    ['menu default', `ui menu.c32\ntimeout 50\n${WIPE}menu default\n`, 'k2', 5],
    [
      'the last menu default',
      `ui menu.c32\ntimeout 50\nlabel a\nkernel k3\nmenu default\n${WIPE}menu default\n`,
      'k2',
      5,
    ],
    ['default before menu default', `ui menu.c32\ndefault wipe\ntimeout 50\n${WIPE}menu default\n`, 'k1', 5],
    ['menu default without ui', `default menu.c32\ntimeout 50\n${WIPE}menu default\n`, 'k2', 5],
    ['menu default of a hidden label', `ui menu.c32\ntimeout 50\n${WIPE}menu default\nmenu hide\n`, 'k1', 5],
    ['a hidden default', `ui menu.c32\ndefault other\ntimeout 50\n${WIPE}menu hide\n`, 'k1', 5],
    ['menu default that is switched off', `ui menu.c32\ntimeout 50\n${WIPE}menu default\nmenu disable\n`, 'k1', 5],
    ['ontimeout', `ui menu.c32\ntimeout 50\nontimeout other\n${WIPE}`, 'k2', 5],
    ['ontimeout that is no label', `ui menu.c32\ntimeout 50\nontimeout gone\n${WIPE}`, 'local', 3600, /"gone"/],
    ['ontimeout without time', `ui menu.c32\nontimeout other\n${WIPE}`, 'local', 3600, /waits for a person/],
    ['ontimeout of a hidden label', `ui menu.c32\ntimeout 50\nontimeout other\n${WIPE}menu hide\n`, 'k2', 5],
    [
      'a gap first, which stops the time',
      `ui menu.c32\ntimeout 50\nmenu separator\n${WIPE}`,
      'local',
      3600,
      /stops the time/,
    ],
    [
      'a gap first, and a total time',
      `ui menu.c32\ntotaltimeout 50\nmenu separator\n${WIPE}`,
      'local',
      3600,
      /boots nothing/,
    ],
    ['a heading first', `ui menu.c32\ntimeout 50\nlabel -\nmenu label ---\n${WIPE}`, 'local', 5, /heading/],
    ['a submenu first', `ui menu.c32\ntimeout 50\nmenu begin a\n${WIPE}menu end\n`, 'local', 3600, /first row/],
    [
      'menu default in a submenu',
      `ui menu.c32\ntimeout 50\nlabel a\nkernel k3\nmenu begin\n${WIPE}menu default\nmenu end\n`,
      'k3',
      5,
    ],
    ['menu start', `ui menu.c32\ntimeout 50\nlabel a\nkernel k3\nmenu begin\nmenu start\n${WIPE}menu end\n`, 'k1', 5],
    [
      'the time of another menu',
      `ui menu.c32\n${WIPE}menu begin\ntimeout 50\nlabel a\nkernel k3\nmenu end\n`,
      'local',
      3600,
      /person/,
    ],
    ['menu exit first', `ui menu.c32\ntimeout 50\nlabel q\nmenu quit\n${WIPE}`, 'local', 3600, /boots nothing/],
    ['the shift key', `ui menu.c32\nmenu shiftkey\n${WIPE}`, 'k1', 0],
    ['a module first', `ui menu.c32\ntimeout 50\nlabel a\nkernel hdt.c32\n${WIPE}`, 'local', 5, /label a is left out/],
    ['another menu program', `ui gfxboot.c32 logo\ntimeout 50\ndefault wipe\n${WIPE}`, 'local', 3600, /gfxboot/],
    ['localboot', `ui menu.c32\ntimeout 50\nlabel disk\nlocalboot 0\n${WIPE}`, 'local', 5],
    [
      'a label of several words',
      `ui menu.c32\ntimeout 50\ndefault wipe\nlabel a\nkernel k3\nlabel wipe it\nkernel k1\n`,
      'k3',
      5,
    ],
    ['the same for the prompt', 'default wipe\nlabel a\nkernel k3\nlabel wipe it\nkernel k1\n', 'k1', 0],
    [
      'blanks behind a label',
      `ui menu.c32\ntimeout 50\nontimeout a\nlabel a \nkernel k3\n${WIPE}`,
      'local',
      3600,
      /blanks/,
    ],
    ['a kernel that is not there', 'default a\nlabel a\nkernel gone\n', 'gone', 0],
    ['the first of two labels', 'default a\nlabel a\nkernel k3\nlabel a\nkernel k4\n', 'k3', 0],
    [
      'menus of two files',
      { default: 'ui menu.c32 looks menu\ntimeout 90\n', looks: 'menu width 70\n', menu: `timeout 50\n${WIPE}` },
      'k1',
      5,
    ],
    [
      'the time of a file that is not the menu`s',
      { default: `ui menu.c32 menu\ntimeout 90\n`, menu: WIPE },
      'local',
      3600,
      /person/,
    ],
    ['default menu.c32 FILE ~', { default: `default menu.c32 looks ~\n${WIPE}`, looks: 'timeout 50\n' }, 'k1', 5],
    [
      'menu default in an included file',
      { default: `ui menu.c32\ntimeout 50\n${WIPE}include more\n`, more: 'label m\nkernel k4\nmenu default\n' },
      'k4',
      5,
    ],
    [
      'menu default below menu begin',
      {
        default: `ui menu.c32\ntimeout 50\n${WIPE}menu begin\nmenu include more\nmenu end\n`,
        more: 'label m\nkernel k4\nmenu default\n',
      },
      'k1',
      5,
    ],
    [
      'a menu of a menu',
      { default: 'ui menu.c32\ntimeout 50\nlabel a\nkernel menu.c32\nappend more\n', more: WIPE },
      'local',
      3600,
      /person/,
    ],
    [
      'a menu of a menu with time',
      { default: 'ui menu.c32\ntimeout 50\nlabel a\nkernel menu.c32\nappend more\n', more: `timeout 20\n${WIPE}` },
      'k1',
      7,
    ],
    ['config', { default: 'default a\nlabel a\nconfig more\n', more: `default other\n${WIPE}` }, 'k2', 0],
    ['DOS line ends', `UI menu.c32\r\nTimeout 50\r\nLABEL wipe\r\n  KERNEL k1\r\n  Menu Default\r\n`, 'k1', 5],
  ];
  for (const [name, files, boots, seconds, told] of rows) {
    it(name, async () => {
      const texts = typeof files === 'string' ? { default: files } : files;
      const tree = Object.fromEntries(
        Object.entries(texts).map(([file, text]) => [
          file === 'default' ? 'tftp/pxelinux.cfg/default' : `tftp/${file}`,
          text,
        ]),
      );
      const draft = await imported(tree);
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
