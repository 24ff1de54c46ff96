import type { Place } from '../../errors.ts';
import { invalid } from '../invalid.ts';
import type { Config, Label, LabelType, Said, Unused } from './config.ts';
import { LEFT, LEFT_OF_MENU } from './directives.ts';

/**
 * Gives the text of a file that a configuration names, with its path below the tree's root; `undefined` if there is none.
 * Throws IMPORT_INVALID for a name that leaves the tree.
 */
export type ReadText = (named: Said) => Promise<{ readonly file: string; readonly text: string } | undefined>;

const DEEPEST = 16;
const MOST_LINES = 200_000;

/**
 * Reads a configuration as pxelinux does (syslinux.cfg(5)): directives in any case, tabs as blanks, `append` and `ipappend`
 * in front of all labels for all of them, and what is included as if it stood there. Throws IMPORT_INVALID for files that
 * include each other without end or that leave the tree. What pxelinux itself passes over is among the `unused`.
 */
export async function parseConfig(file: string, text: string, read: ReadText): Promise<Config> {
  const parser = new Parser(read);
  await parser.file(file, text);
  return parser.finish(file);
}

type Line = { readonly keyword: string; readonly rest: Said; readonly place: Place; readonly whole: string };

/** A label that is still being read. */
type Open = { -readonly [K in keyof Label]: Label[K] } & { ownAppend?: Said };

class Parser {
  readonly #read: ReadText;
  readonly #labels: Label[] = [];
  readonly #unused: Unused[] = [];
  /** The submenus that are open; a title does not take the place of a label. */
  readonly #menus: { title: string; isLabelled: boolean }[] = [];
  readonly #including: string[] = [];
  #lines = 0;
  #open: Open | undefined;
  #append: Said | undefined;
  #ipappend = 0;
  #global: { -readonly [K in 'default' | 'ui' | 'onTimeout' | 'serial' | 'title']?: Said } = {};
  #timeout: Said<number> | undefined;
  #prompt: Said<boolean> | undefined;

  constructor(read: ReadText) {
    this.#read = read;
  }

  async file(file: string, text: string, from?: Place): Promise<void> {
    if (this.#including.includes(file)) throw invalid(from ?? start(file), `${file} includes itself`);
    if (this.#including.length >= DEEPEST) throw invalid(from ?? start(file), 'files are included too deeply');
    this.#including.push(file);
    let helping = false;
    for (const line of linesOf(file, text)) {
      if (++this.#lines > MOST_LINES) throw invalid(line.place, `this configuration has more than ${MOST_LINES} lines`);
      if (helping) helping = line.keyword !== 'endtext';
      else if (line.keyword === 'text') helping = true;
      else await this.#directive(line);
    }
    this.#including.pop();
  }

  finish(file: string): Config {
    this.#close();
    return {
      file,
      labels: this.#labels,
      ...this.#global,
      ...(this.#timeout === undefined ? {} : { timeout: this.#timeout }),
      ...(this.#prompt === undefined ? {} : { prompt: this.#prompt }),
      unused: this.#unused,
    };
  }

  async #directive(line: Line): Promise<void> {
    const { keyword, rest, place } = line;
    const open = this.#open;
    switch (keyword) {
      case 'label':
        return this.#label(rest);
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
        return this.#menu(line);
      case 'include':
        return this.#include(line, rest);
      case 'default':
      case 'ui':
      case 'serial':
        this.#global[keyword] = rest;
        return;
      case 'ontimeout':
        this.#global.onTimeout = rest;
        return;
      case 'timeout':
        this.#timeout = { value: wholeNumber(rest.value), place };
        return;
      case 'prompt':
        this.#prompt = { value: wholeNumber(rest.value) !== 0, place };
        return;
      default:
        return this.#leave(line, LEFT.get(keyword) ?? 'pxelinux knows no such directive and passes over the line');
    }
  }

  async #menu(line: Line): Promise<void> {
    const { keyword, rest } = secondWord(line);
    const open = this.#open;
    const submenu = this.#menus.at(-1);
    switch (keyword) {
      case 'label':
        if (open) open.title = withoutHotkey(rest.value);
        else if (submenu) Object.assign(submenu, { title: withoutHotkey(rest.value), isLabelled: true });
        return;
      case 'title':
        if (!submenu) this.#global.title ??= rest;
        else if (!submenu.isLabelled) submenu.title = withoutHotkey(rest.value);
        return;
      case 'default':
        if (open) open.isMenuDefault = true;
        return;
      case 'hide':
        if (open) open.isHidden = true;
        return;
      case 'disable':
      case 'disabled':
        if (open) open.isDisabled = true;
        return;
      case 'passwd':
        if (!open) return this.#leave(line, LEFT_OF_MENU.get('master') ?? '');
        open.hasPassword = true;
        return;
      case 'begin':
        this.#close();
        this.#menus.push({ title: withoutHotkey(rest.value), isLabelled: false });
        return;
      case 'end':
        this.#close();
        this.#menus.pop();
        return;
      case 'include':
        return this.#include(line, rest);
      default:
        if (keyword === 'separator') this.#close();
        return this.#leave(line, LEFT_OF_MENU.get(keyword) ?? 'pxelinux knows no such directive and passes over it');
    }
  }

  #label(name: Said): void {
    this.#close();
    const [first = ''] = words(name.value);
    if (first === '') throw invalid(name.place, 'this label has no name');
    this.#open = {
      value: first,
      place: name.place,
      type: 'kernel',
      start: { value: first, place: name.place },
      append: { value: '', place: name.place },
      ipappend: this.#ipappend,
      menus: this.#menus.map(({ title }) => title),
      isMenuDefault: false,
      isHidden: false,
      isDisabled: false,
      hasPassword: false,
    };
  }

  #startOf(open: Open, type: LabelType, rest: Said): void {
    open.type = type;
    open.start = rest;
  }

  /** The label that was being read is complete; `append` for all labels is taken as it is by now. */
  #close(): void {
    if (!this.#open) return;
    const { ownAppend, ...label } = this.#open;
    const append = ownAppend ?? this.#append ?? label.append;
    this.#labels.push({ ...label, append: append.value === '-' ? { ...append, value: '' } : append });
    this.#open = undefined;
  }

  /** `include FILE`; behind `menu include` a title may follow, which makes a submenu of it. */
  async #include(line: Line, rest: Said): Promise<void> {
    const [name = '', ...title] = words(rest.value);
    const found = await this.#read({ value: name, place: rest.place });
    if (!found) return this.#leave(line, 'there is no such file, and pxelinux passes over the line');
    const isSubmenu = line.keyword === 'menu' && title.length > 0;
    if (isSubmenu) {
      this.#close();
      this.#menus.push({ title: withoutHotkey(title.join(' ')), isLabelled: false });
    }
    await this.file(found.file, found.text, line.place);
    if (isSubmenu) {
      this.#close();
      this.#menus.pop();
    }
  }

  #leave(line: Line, why: string): void {
    const directive = line.keyword === 'menu' ? `menu ${secondWord(line).keyword}` : line.keyword;
    this.#unused.push({ value: line.whole, place: line.place, directive, why });
  }
}

const NO_LABEL = 'it stands in front of every label, where pxelinux passes over it';

function* linesOf(file: string, text: string): Generator<Line> {
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r.*$/s, '');
    const [, blank = '', keyword = '', gap = '', rest = ''] = /^([ \t\f\v]*)(\S*)([ \t\f\v]*)(.*)$/.exec(line) ?? [];
    if (keyword === '' || keyword.startsWith('#')) continue;
    const at = (col: number): Place => ({ file, line: i + 1, col });
    const col = blank.length + 1;
    const restCol = rest === '' ? col : col + keyword.length + gap.length;
    yield {
      keyword: keyword.toLowerCase(),
      rest: { value: rest.trimEnd(), place: at(restCol) },
      place: at(col),
      whole: line.trim(),
    };
  }
}

function secondWord({ rest }: Line): { keyword: string; rest: Said } {
  const [, keyword = '', gap = '', value = ''] = /^(\S*)(\s*)(.*)$/.exec(rest.value) ?? [];
  const { file, line, col } = rest.place;
  return {
    keyword: keyword.toLowerCase(),
    rest: { value, place: { file, line, col: value === '' ? col : col + keyword.length + gap.length } },
  };
}

/** The words of a line; what stands in double quotes stays together, as the kernel reads it. */
export function words(text: string): string[] {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** The leading digits, as C reads them; 0 without any. */
function wholeNumber(text: string): number {
  return Math.min(Number.parseInt(/^\d{1,9}/.exec(text)?.[0] ?? '0', 10), 1e9);
}

/** Decimal, or hexadecimal behind 0x. */
function bits({ value }: Said): number {
  const number = /^0x[0-9a-f]{1,5}$/i.test(value) ? Number(value) : wholeNumber(value);
  return number & 0x3ffff;
}

/** `^` marks the letter that chooses an entry. */
function withoutHotkey(title: string): string {
  return title
    .replaceAll('^', '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

function start(file: string): Place {
  return { file, line: 1, col: 1 };
}
