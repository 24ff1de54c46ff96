import type { SiteFiles } from '../../site/testing/folderFixture.ts';

const WIPE = 'label wipe\nmenu label Install (erases the disk)\nkernel k1\nlabel other\nkernel k2\n';

/** Kernels that the menus of these tests boot: `k0` to `k7`, at the top of the tree. */
export const KERNELS: SiteFiles = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`tftp/k${i}`, 'kernel\n']));

/**
 * Menus: a name; `pxelinux.cfg/default`, or it and files beside pxelinux.0; what the site boots unasked and after how many
 * seconds; what the report says of it where it differs.
 */
export const MENUS: readonly (readonly [string, string | SiteFiles, string, number, RegExp?])[] = [
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

/** The files of such a menu as they stand below a folder. */
export function treeOf(files: string | SiteFiles): SiteFiles {
  const texts = typeof files === 'string' ? { default: files } : files;
  return Object.fromEntries(
    Object.entries(texts).map(([file, text]) => [
      file === 'default' ? 'tftp/pxelinux.cfg/default' : `tftp/${file}`,
      text,
    ]),
  );
}
