import { posix } from 'node:path';
import type { SiteText } from '../draft.ts';
import { invalid } from '../invalid.ts';
import type { Label, Said } from './config.ts';
import { words } from './parse.ts';
import type { Tree } from './tree.ts';

export type EntryText = NonNullable<NonNullable<SiteText['menu']>['entries']>[string];

/** What a label comes to in a site's menu. `notes` say what is not quite as it was. */
export type Outcome =
  | { readonly kind: 'entry'; readonly entry: EntryText; readonly notes: readonly string[] }
  /** The machine's next boot device, which every menu has under this name. */
  | { readonly kind: 'local'; readonly note?: string }
  /** Another configuration, whose labels belong to the menu too. */
  | { readonly kind: 'config'; readonly file: Said }
  | { readonly kind: 'left'; readonly why: string };

const left = (why: string): Outcome => ({ kind: 'left', why });

/** Modules that show a menu of the configuration that their words name, or of the one that is being read. */
const MENUS = /^(vesa)?menu\.c32$/i;
const NEXT_DEVICE = /^(chain\.c32|reboot\.c32)$/i;

/** Says what a label comes to. Throws IMPORT_INVALID for file names that leave the tree. */
export async function outcomeOf(label: Label, tree: Tree): Promise<Outcome> {
  if (label.isDisabled) return left('`menu disable` switched it off');
  if (label.type === 'localboot') return localboot(label);
  const [file = '', ...given] = words(label.start.value);
  const args = [...given, ...words(label.append.value)];
  const module = posix.basename(file.replaceAll('\\', '/'));
  if (label.type === 'config') return { kind: 'config', file: { value: file, place: label.start.place } };
  if (MENUS.test(module)) {
    const other = args.find((word) => word !== '~');
    if (other === undefined) return left('it shows the menu that is being imported');
    return { kind: 'config', file: { value: other, place: label.append.place } };
  }
  if (/^linux\.c32$/i.test(module)) {
    const [kernel = '', ...rest] = args;
    return entry(label, { value: kernel, place: label.append.place }, rest, tree);
  }
  const foreign = foreignWords(label, module);
  if (foreign !== undefined) return foreign;
  return entry(label, { value: file, place: label.start.place }, args, tree);
}

function localboot({ start }: Label): Outcome {
  const usual = /^(-1|0|0x80|)$/i.test(start.value.trim());
  return usual
    ? { kind: 'local' }
    : {
        kind: 'local',
        note: `localboot ${start.value} named one device; the firmware goes on to the next in its order`,
      };
}

/** What is no Linux kernel by its directive or its file's ending. */
function foreignWords({ type }: Label, module: string): Outcome | undefined {
  if (/^chain\.c32$/i.test(module)) {
    return {
      kind: 'local',
      note: 'chain.c32 started a disk itself; the firmware goes on to the next device in its order',
    };
  }
  if (NEXT_DEVICE.test(module)) return left('a machine is started anew by its own power management');
  if (/\.c32$/i.test(module) || type === 'com32') {
    return left(
      `${module} is a module of syslinux, which iPXE cannot run; its pxelinux.cfg can stay with pxelinux alone`,
    );
  }
  if (type === 'pxe' || /\.(0|pxe|kpxe|efi)$/i.test(module)) {
    return left('it is a boot program, not a kernel: give the machines that need it `bootFile:` in the site');
  }
  if (type === 'comboot' || /\.(cbt|com)$/i.test(module)) return left('it is a COMBOOT program, not a kernel');
  if (type === 'fdimage' || /\.img$/i.test(module)) return left('it is a disk image: boot it by memdisk, as an initrd');
  if (type === 'bss' || /\.(bss|bs|bin)$/i.test(module)) return left('it is a boot sector, not a kernel');
  return undefined;
}

async function entry(label: Label, kernel: Said, args: readonly string[], tree: Tree): Promise<Outcome> {
  for (const said of [kernel, label.append, label.initrd]) {
    if (/[^\P{Cc}\s]/u.test(said?.value ?? ''))
      throw invalid(said?.place ?? label.place, 'this line holds a control character');
  }
  const notes: string[] = [];
  const given = args.filter((arg) => arg.startsWith('initrd=')).map((arg) => arg.slice('initrd='.length));
  const own = label.initrd === undefined ? [] : [label.initrd.value];
  if (given.length > 0 && own.length > 0) notes.push('the files of `initrd` are loaded after those of `initrd=`');
  const initrd: string[] = [];
  for (const name of [...given, ...own].flatMap((list) => list.split(',')).filter((one) => one !== '')) {
    const place = (given.length > 0 ? label.append : (label.initrd ?? label.append)).place;
    const path = await pathOf({ value: name, place }, tree, notes);
    if (path === undefined) return left(`${name} comes from another server: copy it below ${tree.root}`);
    initrd.push(path);
  }
  const path = await pathOf(kernel, tree, notes);
  if (path === undefined) return left(`${kernel.value} comes from another server: copy it below ${tree.root}`);
  if (path === '') return left('it names no kernel');
  const rest = args.filter((arg) => !arg.startsWith('initrd='));
  if (label.hasPassword) notes.push('it asks for no password: whoever is at the console can choose it');
  if (label.isHidden) notes.push('the menu shows it; it was hidden');
  if (label.ipappend > 7)
    notes.push('only pxelinux adds the words of ipappend beyond 7; iPXE adds those of 1, 2 and 4');
  return {
    kind: 'entry',
    entry: {
      ...((label.title ?? '') === '' && label.menus.length === 0 ? {} : { title: titleOf(label) }),
      kernel: path,
      ...(initrd.length === 0 ? {} : { initrd: initrd.length === 1 ? (initrd[0] ?? '') : initrd }),
      ...(rest.length === 0 ? {} : { args: rest }),
      ...(label.ipappend === 0 ? {} : { ipappend: label.ipappend }),
    },
    notes,
  };
}

/** All entries stand in one menu, so what stood in a submenu is told by its title. */
function titleOf({ title, value, menus }: Label): string {
  return [...menus.filter((menu) => menu !== ''), title || value].join(': ');
}

async function pathOf(said: Said, tree: Tree, notes: string[]): Promise<string | undefined> {
  if (said.value === '') return '';
  const where = await tree.find(said);
  if (where.kind === 'elsewhere') return undefined;
  if (where.kind === 'missing') notes.push(`there is no file ${where.name} below ${tree.root}`);
  else if (!where.exact) notes.push(`${said.value} is spelled ${where.name} on disk`);
  return where.name;
}
