import { posix } from 'node:path';
import type { SiteText } from '../draft.ts';
import { reason, type Why } from '../reason.ts';
import type { Label, LabelType, Said } from './config.ts';
import { type FileKind, fileKind, isTooShort } from './fileKind.ts';
import { withoutHotkey, words } from './lines.ts';
import type { Tree } from './tree.ts';

export type EntryText = NonNullable<NonNullable<SiteText['menu']>['entries']>[string];

/** What a label comes to in a site's menu. `notes` say what is not quite as it was. */
export type EntryResult =
  | { readonly kind: 'entry'; readonly entry: EntryText; readonly notes: readonly Why[] }
  /** The machine's next boot device, which every menu has under this name. */
  | { readonly kind: 'local'; readonly note?: Why }
  /** Other configurations, whose labels belong to the menu too: one that pxelinux starts anew with, or those of a menu. */
  | { readonly kind: 'config'; readonly reader: 'pxelinux' | 'menu'; readonly files: readonly [Said, ...Said[]] }
  | { readonly kind: 'left'; readonly why: Why };

const left = (why: Why): EntryResult & { kind: 'left' } => ({ kind: 'left', why });

/** Stands for the configuration that pxelinux has read, where a menu is given files. */
export const THIS_CONFIG = '~';

const NO_MENU_OF_MENUS = 'it leads from menu to menu: all entries stand in one menu';
const WAYS = {
  exit: NO_MENU_OF_MENUS,
  goto: NO_MENU_OF_MENUS,
  quit: 'it leaves the menu for the prompt, which is not there any more',
  help: 'it shows a text',
};

/** Says what a label comes to. */
export async function outcomeOf(label: Label, tree: Tree): Promise<EntryResult> {
  if (label.isDisabled) return left('`menu disable` switched it off');
  if (label.action !== 'boot') return left(WAYS[label.action]);
  if (label.type === 'localboot') return localboot(label);
  const [file = '', ...given] = words(label.start.value);
  const args = [...given, ...words(label.append.value)];
  if (file === '') return left('it names no kernel');
  if (!label.hasKernel && (await tree.find({ ...label.start, value: file })).kind !== 'file') {
    return left('it is a heading: it names no kernel, and no file is called so');
  }
  if (label.type === 'config') return { kind: 'config', reader: 'pxelinux', files: [{ ...label.start, value: file }] };
  const module = moduleOf(label.type, file);
  const said = args.map((value) => ({ value, place: label.append.place }));
  if (isMenuModule(module)) {
    const [first, ...others] = said;
    return first === undefined
      ? left('it shows the menu that is being imported')
      : { kind: 'config', reader: 'menu', files: [first, ...others] };
  }
  if (/^config\.c32$/i.test(module) && said[0] !== undefined) {
    return { kind: 'config', reader: 'pxelinux', files: [said[0]] };
  }
  if (/^linux\.c32$/i.test(module)) {
    const [kernel = '', ...rest] = args.filter((arg) => !arg.startsWith('-'));
    return entry({ ...label, type: 'linux' }, { value: kernel, place: label.append.place }, rest, 'module', tree);
  }
  return (
    byDirective(label.type, module) ?? entry(label, { value: file, place: label.start.place }, args, 'pxelinux', tree)
  );
}

/** Whether a file is the module that shows menus. */
export function isMenuModule(file: string): boolean {
  return /(^|[\\/])(vesa)?menu\.c32$/i.test(file);
}

/** The file's own name; `com32` adds the ending that a module's name lacks. */
function moduleOf(type: LabelType, file: string): string {
  const name = posix.basename(file.replaceAll('\\', '/'));
  return type === 'com32' && !/\.c32$/i.test(name) ? `${name}.c32` : name;
}

function localboot({ start }: Label): EntryResult {
  const value = start.value.trim();
  if (/^(-1|0|0x80|128|)$/i.test(value)) return { kind: 'local' };
  const note = /^(4|5|0x4|0x5)$/i.test(value)
    ? reason`localboot ${value} left the network driver loaded; the firmware goes on to the next device in its order`
    : reason`localboot ${value} named one device; the firmware goes on to the next in its order`;
  return { kind: 'local', note };
}

const MODULE = (name: string) =>
  left(reason`${name} is a module of syslinux, which iPXE cannot run; its pxelinux.cfg can stay with pxelinux alone`);
const BOOT_PROGRAM = left('it is a boot program, not a kernel: give the machines that need it `bootFile:` in the site');
const BOOT_SECTOR = left('it is a boot sector, not a kernel');
const DISK_IMAGE = left('it is a disk image: boot it by memdisk, as an initrd');
const COMBOOT = left('it is a COMBOOT program, not a kernel');

/** What is no Linux kernel by its directive, or is a module that stands for something else. */
function byDirective(type: LabelType, module: string): EntryResult | undefined {
  if (/^chain\.c32$/i.test(module)) {
    return {
      kind: 'local',
      note: 'chain.c32 started a disk itself; the firmware goes on to the next device in its order',
    };
  }
  if (/^reboot\.c32$/i.test(module)) return left('a machine is started anew by its own power management');
  switch (type) {
    case 'com32':
      return MODULE(module);
    case 'pxe':
      return BOOT_PROGRAM;
    case 'comboot':
      return COMBOOT;
    case 'fdimage':
      return DISK_IMAGE;
    case 'bss':
    case 'boot':
      return BOOT_SECTOR;
    default:
      return undefined;
  }
}

/** What a file is: by its first bytes where they tell, else by its name, as pxelinux takes it. */
function byFile(type: LabelType, kind: FileKind, module: string): EntryResult | undefined {
  if (kind === 'linux') return undefined;
  if (kind === 'module' || /\.c32$/i.test(module)) return MODULE(module);
  if (kind === 'elf') return left('it is an ELF program, not a Linux kernel');
  if (kind === 'efi') return BOOT_PROGRAM;
  if (type === 'linux') return undefined;
  if (/\.(0|k*pxe)$/i.test(module)) return BOOT_PROGRAM;
  // pxelinux takes it for a kernel whatever it is called.
  if (/\.efi$/i.test(module) && !/^(vmlinu|bzimage|linux|kernel|image)/i.test(module)) return BOOT_PROGRAM;
  if (/\.(cbt|com)$/i.test(module)) return COMBOOT;
  if (/\.img$/i.test(module)) return DISK_IMAGE;
  if (/\.(bss|bs|bin)$/i.test(module)) return BOOT_SECTOR;
  return undefined;
}

async function entry(
  label: Label,
  kernel: Said,
  args: readonly string[],
  loader: 'pxelinux' | 'module',
  tree: Tree,
): Promise<EntryResult> {
  const unprintable = [label.start, label.append, label.initrd].find((said) => hasControls(said?.value ?? ''));
  if (unprintable !== undefined) {
    const { line, file } = unprintable.place;
    return left(reason`line ${line} of ${file} holds a control character`);
  }
  if (kernel.value === '') return left('it names no kernel');
  const notes: Why[] = [];
  const initrds = initrdsOf(label, args, loader, notes);
  const paths: string[] = [];
  for (const value of [kernel.value, ...initrds]) {
    const where = await tree.find({ value, place: kernel.place });
    if (where.kind === 'unreachable') return left(where.why);
    if (where.kind === 'missing') notes.push(reason`there is no file ${where.name} below ${tree.root}`);
    else if (!where.exact) notes.push(reason`${value} is spelled ${where.name} on disk`);
    paths.push(where.name);
  }
  const [path = '', ...initrd] = paths;
  const head = await tree.head(path);
  const kind = fileKind(head);
  const foreign = byFile(label.type, kind, posix.basename(path));
  if (foreign !== undefined) return foreign;
  if (kind === 'unknown' && !isTooShort(head)) {
    notes.push('its kernel has not the header of one (HdrS): pxelinux may start it, iPXE does not');
  }
  const rest = args.filter((arg) => !isInitrd(arg, loader));
  if (label.hasPassword) notes.push('it asks for no password: whoever is at the console can choose it');
  if (label.isHidden) notes.push('the menu shows it; it was hidden');
  if (label.ipappend > 7)
    notes.push('only pxelinux adds the words of ipappend beyond 7; iPXE adds those of 1, 2 and 4');
  const title = titleOf(label);
  return {
    kind: 'entry',
    entry: {
      ...(title === '' ? {} : { title }),
      kernel: path,
      ...(initrd.length === 0 ? {} : { initrd: initrd.length === 1 ? (initrd[0] ?? '') : initrd }),
      ...(rest.length === 0 ? {} : { args: rest }),
      ...(label.ipappend === 0 ? {} : { ipappend: label.ipappend }),
    },
    notes,
  };
}

/** Whether words hold a control character: blanks are between them, but for those in quotes. */
function hasControls(text: string): boolean {
  return words(text).some((word) => /\p{Cc}/u.test(word));
}

function isInitrd(word: string, loader: 'pxelinux' | 'module'): boolean {
  return word.startsWith('initrd=') || (loader === 'module' && word.startsWith('initrd+='));
}

/**
 * The names of the initrds: pxelinux loads those of the first `initrd=` of the line, to which a directive of that name adds one
 * last; linux.c32 those of the last `initrd=` and of each `initrd+=`.
 */
function initrdsOf({ initrd }: Label, args: readonly string[], loader: 'pxelinux' | 'module', notes: Why[]) {
  const words = [
    ...args.filter((arg) => isInitrd(arg, loader)),
    ...(initrd === undefined ? [] : [`initrd=${initrd.value}`]),
  ];
  const plain = words.filter((word) => word.startsWith('initrd='));
  const loaded =
    loader === 'pxelinux'
      ? plain.slice(0, 1)
      : [...plain.slice(-1), ...words.filter((word) => word.startsWith('initrd+='))];
  if (loaded.length < words.length)
    notes.push(reason`of several initrd only what is loaded is taken: ${loaded.join(' ')}`);
  return loaded
    .flatMap((word) => word.slice(word.indexOf('=') + 1).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/**
 * What menu.c32 shows: without a title of its own the rest of the label's line. All entries stand in one menu, so what stood in
 * a submenu is known by its title.
 */
function titleOf({ title, line, menus }: Label): string {
  return [...menus.filter((menu) => menu !== ''), title || withoutHotkey(line)].join(': ');
}
