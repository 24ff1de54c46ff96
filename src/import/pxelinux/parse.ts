import type { Weight } from '../draft.ts';
import { invalid } from '../invalid.ts';
import { reason, type Why } from '../reason.ts';
import type { Config, Label, LabelType, MenuAction, MenuList, MenuRow, Said, Unused } from './config.ts';
import { LEFT, LEFT_OF_MENU } from './directives.ts';
import { bits, type Line, linesOf, secondWord, wholeNumber, withoutHotkey } from './lines.ts';

/** A file's path below the tree's root and its text. */
export type ConfigText = { readonly file: string; readonly text: string };

/** Gives the text of a file that a configuration names, or why there is none. */
export type ReadText = (named: Said) => Promise<ConfigText | { readonly why: Why }>;

const DEEPEST = 16;
const MOST_LINES = 200_000;

/**
 * Reads a configuration as pxelinux does (syslinux.cfg(5)): directives in any case, tabs as blanks, `append` and `ipappend`
 * in front of all labels for all of them, and what is included as if it stood there. Of several files, as menu.c32 takes them,
 * each goes on where the one before ended. What pxelinux itself passes over is among the `unused`. Throws IMPORT_INVALID for
 * far too many lines.
 */
export async function parseConfig(texts: readonly [ConfigText, ...ConfigText[]], read: ReadText): Promise<Config> {
  const parser = new Parser(read);
  for (const { file, text } of texts) await parser.file(file, text);
  return parser.finish(
    texts[0].file,
    texts.map(({ file }) => file),
  );
}

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** A menu that is being read; a title does not take the place of a label. */
type OpenMenu = Changing<Omit<MenuList, 'rows'>> & {
  readonly rows: MenuRow[];
  readonly parent?: OpenMenu;
  /** Its row in the parent. */
  readonly parentRow: number;
  title: string;
  isLabelled: boolean;
  hasPassword: boolean;
};

/** A label that is still being read. */
type Open = Changing<Label> & { ownAppend?: Said; isMenuDefault: boolean };

class Parser {
  readonly #read: ReadText;
  readonly #labels: { readonly label: Changing<Label>; readonly menu: OpenMenu }[] = [];
  readonly #unused: Unused[] = [];
  readonly #root: OpenMenu = newMenu('.top');
  readonly #hidden: OpenMenu = newMenu('.hidden');
  readonly #menus: OpenMenu[] = [this.#root, this.#hidden];
  /** The menu that the next file goes on in, and the one that this file is in: they differ where a file leaves a menu open. */
  #current = this.#root;
  #menu = this.#root;
  #startMenu = this.#root;
  readonly #including: string[] = [];
  readonly #files = new Set<string>();
  #lines = 0;
  #open: Open | undefined;
  #append: Said | undefined;
  #ipappend = 0;
  readonly #said: Changing<
    Pick<Config, 'default' | 'ui' | 'onTimeout' | 'serial' | 'title' | 'timeout' | 'totalTimeout' | 'prompt'>
  > = {};
  readonly #is: Changing<Pick<Config, 'labelsOnly' | 'namesOnly' | 'neverPrompts' | 'isForShiftKey' | 'isHiddenMenu'>> =
    { labelsOnly: false, namesOnly: false, neverPrompts: false, isForShiftKey: false, isHiddenMenu: false };

  constructor(read: ReadText) {
    this.#read = read;
  }

  async file(file: string, text: string): Promise<void> {
    const around = this.#menu;
    this.#menu = this.#current;
    this.#files.add(file);
    this.#including.push(file);
    let helping = false;
    for (const line of linesOf(file, text)) {
      if (++this.#lines > MOST_LINES) throw invalid(line.place, `this configuration has more than ${MOST_LINES} lines`);
      if (helping) helping = line.keyword !== 'endtext';
      else if (line.keyword === 'text') helping = true;
      else if (line.keyword.startsWith(BYTE_ORDER_MARK)) await this.#marked(line);
      else await this.#directive(line);
    }
    this.#including.pop();
    if (this.#including.length > 0) this.#menu = around;
  }

  finish(file: string, given: readonly string[]): Config {
    this.#menu = this.#current;
    this.#close();
    for (const { label, menu } of this.#labels) {
      const within = menusAround(menu);
      label.menus = within.map(({ title }) => title);
      label.hasPassword ||= within.some(({ hasPassword }) => hasPassword);
    }
    return {
      file,
      given,
      files: [...this.#files],
      labels: this.#labels.map(({ label }) => label),
      menus: this.#menus,
      startMenu: this.#startMenu,
      ...this.#said,
      ...this.#is,
      unused: this.#unused,
    };
  }

  /**
   * pxelinux takes a byte order mark for a part of the first word, and so passes over that line. What only adds to the menu is
   * taken all the same; what chooses is not.
   */
  async #marked(line: Line): Promise<void> {
    const keyword = line.keyword.slice(BYTE_ORDER_MARK.length);
    if (keyword === '' || keyword.startsWith('#')) return;
    const whole = line.whole.slice(BYTE_ORDER_MARK.length);
    if (CHOOSING.has(keyword))
      this.#leave(
        { ...line, keyword, whole },
        'a byte order mark stands in front of it, so pxelinux passes over this line',
      );
    else await this.#directive({ ...line, keyword, whole });
  }

  async #directive(line: Line): Promise<void> {
    const { keyword, rest, place } = line;
    const open = this.#open;
    switch (keyword) {
      case 'label':
        return this.#label(line);
      case 'kernel':
      case 'linux':
      case 'boot':
      case 'bss':
      case 'pxe':
      case 'fdimage':
      case 'comboot':
      case 'com32':
      case 'config':
      case 'localboot':
        return open ? this.#startOf(open, keyword, rest) : this.#leave(line, NO_LABEL);
      case 'append':
        if (open) open.ownAppend = rest;
        else this.#append = rest;
        return;
      case 'initrd':
        if (!open) return this.#leave(line, NO_LABEL);
        open.initrd = rest;
        return;
      case 'ipappend':
      case 'sysappend':
        if (open) open.ipappend = bits(rest);
        else this.#ipappend = bits(rest);
        return;
      case 'menu':
        return this.#menuDirective(line);
      case 'include':
        return this.#include(line, rest, false);
      case 'default':
      case 'ui':
      case 'serial':
        this.#said[keyword] = rest;
        return;
      case 'ontimeout':
        this.#said.onTimeout = rest;
        this.#menu.onTimeout = rest;
        return;
      case 'timeout':
        this.#said.timeout = { value: wholeNumber(rest.value), place };
        this.#menu.timeout = this.#said.timeout;
        return;
      case 'totaltimeout':
        this.#said.totalTimeout = { value: wholeNumber(rest.value), place };
        return;
      case 'prompt':
        this.#said.prompt = { value: wholeNumber(rest.value) !== 0, place };
        return;
      case 'implicit':
        this.#is.labelsOnly = wholeNumber(rest.value) === 0;
        break;
      case 'allowoptions':
        this.#is.namesOnly = wholeNumber(rest.value) === 0;
        break;
      case 'noescape':
        this.#is.neverPrompts = wholeNumber(rest.value) !== 0;
        break;
      default:
    }
    this.#leave(line, LEFT.get(keyword) ?? UNKNOWN, LEFT.has(keyword) ? 'other' : 'clients');
  }

  async #menuDirective(line: Line): Promise<void> {
    const { keyword, rest } = secondWord(line);
    const open = this.#open;
    const menu = this.#menu;
    switch (keyword) {
      case 'label':
        if (open) open.title = withoutHotkey(rest.value);
        else if (menu.parent) Object.assign(menu, { title: withoutHotkey(rest.value), isLabelled: true });
        return;
      case 'title':
        if (!menu.parent) this.#said.title = rest;
        else if (!menu.isLabelled) menu.title = withoutHotkey(rest.value);
        return;
      case 'default':
        if (open) open.isMenuDefault = true;
        else if (menu.parent) menu.parent.defaultRow = menu.parentRow;
        return;
      case 'hide':
        if (open) open.isHidden = true;
        return;
      case 'disable':
      case 'disabled':
        if (open) open.isDisabled = true;
        return;
      case 'passwd':
        if (open) open.hasPassword = true;
        else if (menu.parent) menu.hasPassword = true;
        else this.#leave(line, LEFT_OF_MENU.get('master') ?? '');
        return;
      case 'begin':
        this.#close();
        return this.#begin(rest.value);
      case 'end':
        this.#close();
        return this.#end();
      case 'quit':
      case 'goto':
      case 'exit':
      case 'help':
        this.#goOn(line, keyword, rest.value.trim());
        return;
      case 'start':
        this.#startMenu = menu;
        return;
      case 'include':
        return this.#include(line, rest, true);
      case 'separator':
        this.#close();
        menu.rows.push({ kind: 'gap' });
        break;
      case 'shiftkey':
        this.#is.isForShiftKey = true;
        break;
      case 'hidden':
        this.#is.isHiddenMenu = true;
        break;
      default:
    }
    const weight = LEFT_OF_MENU.has(keyword) && keyword !== 'master' ? 'other' : 'clients';
    this.#leave(line, LEFT_OF_MENU.get(keyword) ?? UNKNOWN, weight);
  }

  #begin(tag: string): void {
    const parent = this.#current;
    const menu = newMenu(tag.trim(), parent);
    parent.rows.push({ kind: 'submenu', title: menu.title });
    this.#menus.push(menu);
    this.#menu = this.#current = menu;
  }

  #end(): void {
    this.#menu = this.#current = this.#current.parent ?? this.#current;
  }

  /** `menu exit` has no effect outside a submenu. */
  #goOn(line: Line, action: Exclude<MenuAction, 'boot'>, goesTo: string): void {
    const open = this.#open;
    if (!open || (action === 'exit' && !this.#menu.parent)) {
      this.#leave(line, open ? 'it stands in no submenu' : NO_LABEL);
      return;
    }
    open.action = action;
    if ((action === 'goto' || action === 'exit') && goesTo !== '') open.goesTo = goesTo;
    else delete open.goesTo;
  }

  #label({ rest, tail }: Line): void {
    this.#close();
    const [first = ''] = /^\S+/.exec(rest.value) ?? [];
    this.#open = {
      value: first,
      line: tail,
      place: rest.place,
      type: 'kernel',
      hasKernel: false,
      start: { value: rest.value, place: rest.place },
      append: { value: '', place: rest.place },
      ipappend: this.#ipappend,
      menus: [],
      action: 'boot',
      isMenuDefault: false,
      isHidden: false,
      isDisabled: false,
      hasPassword: false,
    };
  }

  #startOf(open: Open, type: LabelType, rest: Said): void {
    open.type = type;
    open.start = rest;
    open.hasKernel = true;
  }

  /** The label that was being read is complete; `append` for all labels is taken as it is by now. */
  #close(): void {
    if (!this.#open) return;
    const { ownAppend, isMenuDefault, ...label } = this.#open;
    this.#open = undefined;
    const append = ownAppend ?? this.#append ?? label.append;
    const complete = { ...label, append: append.value === '-' ? { ...append, value: '' } : append };
    const list = label.isHidden ? this.#hidden : this.#menu;
    list.rows.push({ kind: 'label', label: complete });
    this.#labels.push({ label: complete, menu: this.#menu });
    const canBeDefault = label.action === 'boot' || label.action === 'goto';
    if (isMenuDefault && canBeDefault && !label.isDisabled) list.defaultRow = list.rows.length - 1;
  }

  /** `include FILE`; behind `menu include` a title may follow, which makes a submenu of it. */
  async #include(line: Line, rest: Said, isMenu: boolean): Promise<void> {
    const [name = '', ...title] = rest.value.split(/\s+/);
    const found = await this.#read({ value: name, place: rest.place });
    if ('why' in found) return this.#leave(line, reason`${found.why}; the line is passed over`);
    if (this.#including.includes(found.file)) return this.#leave(line, reason`${found.file} includes itself`);
    if (this.#including.length >= DEEPEST) return this.#leave(line, 'files are included too deeply');
    const isSubmenu = isMenu && title.length > 0;
    if (isSubmenu) {
      this.#close();
      this.#begin(title.join(' '));
    }
    await this.file(found.file, found.text);
    if (isSubmenu) {
      this.#close();
      this.#end();
    }
  }

  #leave(line: Line, why: Why, weight: Weight = 'clients'): void {
    const directive = line.keyword === 'menu' ? `menu ${secondWord(line).keyword}` : line.keyword;
    this.#unused.push({ value: line.whole, place: line.place, directive, why, weight });
  }
}

const UNKNOWN = 'pxelinux knows no such directive and passes over the line';
const NO_LABEL = 'it stands in front of every label, where pxelinux passes over it';
const BYTE_ORDER_MARK = '\ufeff';
const CHOOSING = new Set(['default', 'ui', 'ontimeout', 'timeout', 'totaltimeout', 'prompt', 'implicit', 'noescape']);

/** A submenu begins with the time and the `ontimeout` that the menu around it has by then. */
function newMenu(tag: string, parent?: OpenMenu): OpenMenu {
  return {
    tag,
    rows: [],
    defaultRow: 0,
    ...(parent?.timeout === undefined ? {} : { timeout: parent.timeout }),
    ...(parent?.onTimeout === undefined ? {} : { onTimeout: parent.onTimeout }),
    ...(parent === undefined ? {} : { parent }),
    parentRow: parent?.rows.length ?? 0,
    title: parent === undefined ? '' : withoutHotkey(tag),
    isLabelled: false,
    hasPassword: false,
  };
}

/** The submenus from the outermost to this one; the first menu is none. */
function menusAround(menu: OpenMenu): readonly OpenMenu[] {
  return menu.parent === undefined ? [] : [...menusAround(menu.parent), menu];
}
