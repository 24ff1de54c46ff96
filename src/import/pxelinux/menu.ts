import { posix } from 'node:path';
import type { SiteDraft } from '../draft.ts';
import { invalid } from '../invalid.ts';
import type { Config, Label, Said } from './config.ts';
import type { Entries } from './entries.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import { parseConfig, words } from './parse.ts';
import type { Tree } from './tree.ts';

/** What one configuration comes to: the entry that boots unasked and after how long. */
export type Choice = {
  /** Name of an entry, or `local`. */
  readonly boots: string;
  /** Why this one, for the site's reader. */
  readonly from: Said;
  readonly timeoutSeconds: number;
};

/** A label of the menu, with the name under which it stands in the site. */
type Chosen = { readonly label: Label; readonly name: string };

const LONGEST_WAIT = 3600;
const DEEPEST = 8;

/** Reads configurations of one tree into one menu. */
export class Menu {
  readonly #draft: SiteDraft;
  readonly #tree: Tree;
  readonly #entries: Entries;

  constructor(draft: SiteDraft, tree: Tree, entries: Entries) {
    this.#draft = draft;
    this.#tree = tree;
    this.#entries = entries;
  }

  /**
   * Takes the labels of a configuration into the menu and says what it boots unasked. `whose` names the machine that the
   * configuration is for, where it is for one. Throws IMPORT_INVALID.
   */
  async take(file: string, whose?: string): Promise<Choice | undefined> {
    const config = await this.#read(file);
    if (config === undefined) return undefined;
    const chosen = await this.#labels(config, whose, [file]);
    const choice = await this.#unasked(config, chosen, whose);
    this.#tellUnused(config);
    return { ...choice, timeoutSeconds: this.#wait(config) };
  }

  async #read(file: string): Promise<Config | undefined> {
    const text = await this.#tree.text(file);
    if (text === undefined) {
      const why = 'it is a link that leads out of the folder, or a file that cannot be read';
      this.#draft.remark('left', start(file), file, why);
      return undefined;
    }
    return parseConfig(file, text, async (named) => {
      const where = await this.#tree.find(named);
      if (where.kind !== 'file') return undefined;
      const included = await this.#tree.text(where.name);
      return included === undefined ? undefined : { file: where.name, text: included };
    });
  }

  async #labels(config: Config, whose: string | undefined, within: readonly string[]): Promise<Chosen[]> {
    const chosen: Chosen[] = [];
    for (const label of config.labels) {
      const outcome = await outcomeOf(label, this.#tree);
      const what = `label ${label.value}`;
      if (outcome.kind === 'config') chosen.push(...(await this.#other(label, outcome, whose, within)));
      else if (outcome.kind === 'left') this.#draft.remark('left', label.place, what, outcome.why);
      else chosen.push({ label, name: this.#name(label, outcome, whose) });
    }
    return chosen;
  }

  #name(label: Label, outcome: Outcome & { kind: 'entry' | 'local' }, whose: string | undefined): string {
    const what = `label ${label.value}`;
    if (outcome.kind === 'local') {
      const why = outcome.note ?? 'every menu has it, as `local`';
      this.#draft.remark(outcome.note === undefined ? 'taken' : 'changed', label.place, what, why);
      return 'local';
    }
    const name = this.#entries.add(label, outcome.entry, whose);
    const renamed = name === label.value ? [] : [`it is called ${name} here`];
    const notes = [...renamed, ...outcome.notes];
    if (notes.length === 0) this.#draft.remark('taken', label.place, what);
    else this.#draft.remark('changed', label.place, what, notes.join('; '));
    return name;
  }

  /** The labels of another configuration that a label leads to: they come into this menu. */
  async #other(
    label: Label,
    { file }: Outcome & { kind: 'config' },
    whose: string | undefined,
    within: readonly string[],
  ): Promise<Chosen[]> {
    const what = `label ${label.value}`;
    const where = await this.#tree.find(file);
    if (where.kind !== 'file') {
      this.#draft.remark('left', label.place, what, `there is no file ${file.value} below ${this.#tree.root}`);
      return [];
    }
    if (within.includes(where.name)) {
      this.#draft.remark('left', label.place, what, `it leads back to ${where.name}, whose entries stand in the menu`);
      return [];
    }
    if (within.length >= DEEPEST) throw invalid(label.place, 'menus lead to menus too deeply');
    this.#draft.remark('changed', label.place, what, `the entries of ${where.name} stand in the one menu`);
    const config = await this.#read(where.name);
    if (config === undefined) return [];
    this.#tellUnused(config);
    return this.#labels(config, whose, [...within, where.name]);
  }

  /** What is booted where nobody touches a key, as pxelinux or its menu would have it. */
  async #unasked(config: Config, chosen: readonly Chosen[], whose: string | undefined) {
    const { onTimeout, default: usual } = config;
    if (onTimeout && (showsMenu(config) || config.prompt?.value === true)) {
      const name = await this.#command(onTimeout, config, chosen, whose);
      return { boots: name ?? this.#guess(onTimeout, 'ontimeout', chosen), from: onTimeout };
    }
    if (usual && !isMenuModule(usual.value)) {
      const name = await this.#command(usual, config, chosen, whose);
      if (name !== undefined) return { boots: name, from: usual };
      if (config.ui === undefined) return { boots: this.#guess(usual, 'default', chosen), from: usual };
    }
    const first =
      chosen.find(({ label }) => label.isMenuDefault && label.menus.length === 0) ??
      chosen.find(({ label }) => label.isMenuDefault) ??
      chosen.find(({ label }) => !label.isHidden);
    const at = { value: `label ${first?.label.value ?? ''}`, place: first?.label.place ?? start(config.file) };
    if (showsMenu(config) && first) return { boots: first.name, from: at };
    const why = 'nothing is booted unasked; machines go on to their next boot device once `menu.timeout` is over';
    this.#draft.remark('changed', start(config.file), `${config.file} without a default`, why);
    return { boots: 'local', from: { value: 'no default', place: start(config.file) } };
  }

  /** A command line of pxelinux: a label and perhaps more words, or a kernel file and its words. */
  async #command(said: Said, config: Config, chosen: readonly Chosen[], whose: string | undefined) {
    const [first = '', ...more] = words(said.value);
    const known = chosen.find(({ label }) => label.value === first);
    if (known && (more.length === 0 || known.name === 'local')) return known.name;
    const label = config.labels.find(({ value }) => value === first) ?? implicit(first, said);
    if (!known && config.labels.includes(label)) return undefined;
    if (!known && (await this.#tree.find({ value: first, place: said.place })).kind !== 'file') return undefined;
    const append = { value: [label.append.value, ...more].join(' ').trim(), place: said.place };
    const outcome = await outcomeOf({ ...label, append }, this.#tree);
    if (outcome.kind === 'local') return 'local';
    return outcome.kind === 'entry' ? this.#name({ ...label, place: said.place }, outcome, whose) : undefined;
  }

  /** No label is called so: the one that was most likely meant. */
  #guess(said: Said, directive: string, chosen: readonly Chosen[]): string {
    const [meant = ''] = words(said.value.toLowerCase());
    const offered = chosen.filter(({ name }) => name !== 'local');
    const kernelFolder = ({ label }: Chosen) => posix.dirname(label.start.value.replaceAll('\\', '/')).toLowerCase();
    const guesses: readonly [Chosen | undefined, string][] = [
      [chosen.find(({ label }) => label.value.toLowerCase() === meant), 'pxelinux tells large from small letters'],
      [offered.find((one) => kernelFolder(one).split('/').includes(meant)), 'its kernel lies in a folder of that name'],
      [offered.find(({ label }) => label.title?.toLowerCase().includes(meant)), 'its title has that name'],
      [offered.find(({ label }) => /(^|\s)TFTP=/.test(label.append.value)), 'its words have TFTP='],
      [offered.length === 1 ? offered[0] : undefined, 'it is the only one'],
      [offered[0], 'it is the first'],
    ];
    const [guess, because] = guesses.find(([one]) => one !== undefined) ?? [];
    const fault = `no label is called ${JSON.stringify(meant)}, and no file: pxelinux stops at its prompt there`;
    const here = guess
      ? `here label ${guess.label.value} boots (${because})`
      : 'here machines go on to their next boot device';
    this.#draft.remark('changed', said.place, `${directive} ${said.value}`, `${fault}; ${here}`);
    return guess?.name ?? 'local';
  }

  #wait(config: Config): number {
    const { timeout, file } = config;
    const waits = showsMenu(config) || config.prompt?.value === true || config.default === undefined;
    if (!waits) return 0;
    const tenths = timeout?.value ?? 0;
    if (tenths > 0 && tenths <= LONGEST_WAIT * 10) return tenths / 10;
    const why = `the menu waits for ${LONGEST_WAIT / 3600} hour, the longest that it can`;
    this.#draft.remark('changed', timeout?.place ?? start(file), `${file} waits without end`, why);
    return LONGEST_WAIT;
  }

  /** One remark for all lines of one kind in one file. */
  #tellUnused(config: Config): void {
    const groups = Map.groupBy(config.unused, ({ place, why }) => `${place.file}\n${why}`);
    for (const [first, ...others] of groups.values()) {
      if (first === undefined) continue;
      const kinds = [...new Set(others.map(({ directive }) => directive))].filter((kind) => kind !== first.directive);
      const more =
        others.length === 0 ? '' : ` and ${others.length} more${kinds.length === 0 ? '' : `: ${kinds.join(', ')}`}`;
      this.#draft.remark('left', first.place, `${first.value.slice(0, 100)}${more}`, first.why);
    }
    if (config.title !== undefined) {
      const { value, place } = config.title;
      this.#draft.remark('changed', place, `menu title ${value}`, "the menu's title is the name of the site");
    }
    if (config.serial !== undefined) {
      const why = 'pxelinux talks on the serial line that `console=` of the entry names';
      this.#draft.remark('changed', config.serial.place, `serial ${config.serial.value}`, why);
    }
  }
}

/** Whether a menu is shown, whose first entry is chosen where nothing else is said. */
function showsMenu({ ui, default: usual }: Config): boolean {
  return ui !== undefined || isMenuModule(usual?.value ?? '');
}

function isMenuModule(command: string): boolean {
  return /(^|\/)(vesa)?menu\.c32(\s|$)/i.test(command);
}

/** A kernel that a command names itself. */
function implicit(kernel: string, { place }: Said): Label {
  return {
    value: posix.basename(kernel),
    place,
    type: 'kernel',
    start: { value: kernel, place },
    append: { value: '', place },
    ipappend: 0,
    menus: [],
    isMenuDefault: false,
    isHidden: false,
    isDisabled: false,
    hasPassword: false,
  };
}

function start(file: string) {
  return { file, line: 1, col: 1 };
}
