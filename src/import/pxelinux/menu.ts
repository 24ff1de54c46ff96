import { posix } from 'node:path';
import type { Place } from '../../errors.ts';
import type { SiteDraft } from '../draft.ts';
import { reason, reasons, type Why } from '../reason.ts';
import type { Config, Label, Said } from './config.ts';
import { Configs } from './configs.ts';
import { type Entries, fit } from './entries.ts';
import { words } from './lines.ts';
import { type EntryResult, isMenuModule, outcomeOf, THIS_CONFIG } from './outcome.ts';
import type { Teller } from './tell.ts';
import type { Tree } from './tree.ts';
import { labelOf, menuUnasked, promptUnasked, type Unasked } from './unasked.ts';
import { tellUnused } from './unused.ts';

/** What one configuration comes to: the entry that boots unasked and after how long. */
export type Choice = {
  /** Name of an entry, or `local`. */
  readonly boots: string;
  /** Why this one, for the site's reader. */
  readonly from: Said;
  readonly timeoutSeconds: number;
  /** Whether what booted unasked could not be taken over, which is reported by then. */
  readonly isLost?: true;
  /**
   * What nodes boot that were set up for this, where `boots` is `local` because the configuration names no label, yet one that
   * only lives in RAM was clearly meant.
   */
  readonly meant?: string;
};

/** Whose configuration is being read. */
type Reading = {
  /** Name of the one machine that it is for, if it is for one. */
  readonly whose: string | undefined;
  /** The configuration that pxelinux has read, which `~` stands for. */
  readonly main: string;
  /** The files of the menus on the way here. */
  readonly within: readonly string[];
};

/** How far what boots unasked has been followed. */
type Way = {
  readonly whose: string | undefined;
  readonly main: string;
  /** What the site's reader and the report's are shown. */
  readonly from: Said;
  readonly what: string;
  /** Seconds so far. */
  readonly after: number;
  readonly depth: number;
};

/** Where it ends: an entry or `local`, or nothing and why, at once or only for a person (`Infinity`). */
type End = Pick<Way, 'from' | 'what' | 'after'> & {
  readonly name?: string;
  readonly why?: Why;
  /** A command that names no label and no file. */
  readonly unknown?: { readonly command: Said; readonly config: Config };
};

const LONGEST_WAIT = 3600;
const DEEPEST = 8;
/** Files of menus that lead to menus. */
const MOST_WITHIN = 500;

/** Reads configurations of one tree into one menu. */
export class Menu {
  readonly #draft: SiteDraft;
  readonly #tree: Tree;
  readonly #entries: Entries;
  readonly #teller: Teller;
  readonly #configs: Configs;
  readonly #outcomes = new Map<Label, Promise<EntryResult>>();
  /** What each label is called in the menu; nothing for those that have no part in it. */
  readonly #names = new Map<Label, string | undefined>();

  constructor(draft: SiteDraft, tree: Tree, entries: Entries, teller: Teller) {
    this.#draft = draft;
    this.#tree = tree;
    this.#entries = entries;
    this.#teller = teller;
    this.#configs = new Configs(tree, teller);
  }

  /** Every file that was read so far, by its path below the root. */
  get filesRead(): ReadonlySet<string> {
    return this.#configs.filesRead;
  }

  /**
   * Takes the labels of a configuration into the menu and says what it boots unasked. `whose` names the machine that the
   * configuration is for, where it is for one.
   */
  async take(file: string, whose?: string): Promise<Choice> {
    const config = await this.#configs.open(file);
    if ('why' in config) {
      this.#teller.tell('left', top(file), file, reason`${config.why}; its machines go on to their next boot device`);
      return { boots: 'local', from: { value: 'not read', place: top(file) }, timeoutSeconds: 0, isLost: true };
    }
    const reading = { whose, main: file, within: config.files };
    await this.#takeShown(config, reading);
    return this.#choose(config, reading);
  }

  #outcome(label: Label): Promise<EntryResult> {
    const outcome = this.#outcomes.get(label) ?? outcomeOf(label, this.#tree);
    this.#outcomes.set(label, outcome);
    return outcome;
  }

  // --- the labels ---

  /** The labels of the menu that is shown, then those of the configuration itself, where the menu is made of other files. */
  async #takeShown(config: Config, reading: Reading): Promise<void> {
    const shown = menuOf(config.ui ?? config.default, config);
    const files = shown === undefined ? [] : filesOf(shown);
    if (shown !== undefined && files.length > 0) await this.#others(files, shown, reading);
    await this.#labels(config, reading);
  }

  async #labels(config: Config, reading: Reading): Promise<void> {
    for (const label of config.labels) {
      if (this.#names.has(label)) continue;
      const outcome = await this.#outcome(label);
      const what = whatOf(label);
      if (outcome.kind === 'entry' || outcome.kind === 'local') this.#name(label, outcome, reading.whose);
      else this.#names.set(label, undefined);
      if (outcome.kind === 'left') this.#teller.tell('left', label.place, what, outcome.why);
      if (outcome.kind === 'config') {
        const main = outcome.reader === 'pxelinux' ? (outcome.files[0].value ?? reading.main) : reading.main;
        const names = await this.#others(outcome.files, { value: what, place: label.place }, { ...reading, main });
        const why = reason`the entries of ${names.join(', ')} stand in the one menu`;
        if (names.length > 0) this.#teller.tell('changed', label.place, what, why);
      }
    }
    tellUnused(config, this.#teller);
  }

  /** The name of a label's entry, which is made if the menu has none that boots the same. */
  #name(
    label: Label,
    outcome: EntryResult & { kind: 'entry' | 'local' },
    whose: string | undefined,
  ): string | undefined {
    const what = whatOf(label);
    const isKnown = this.#names.has(label);
    if (outcome.kind === 'local') {
      this.#names.set(label, 'local');
      const { note } = outcome;
      if (note === undefined)
        this.#teller.tell('taken', label.place, what, 'every menu has it, as `local`', { at: [['menu']] });
      else this.#teller.tell('changed', label.place, what, note);
      return 'local';
    }
    const added = this.#entries.add(label, outcome.entry, whose);
    if (!isKnown) this.#names.set(label, added?.name);
    if (added === undefined) {
      this.#teller.tell('left', label.place, what, `the menu holds ${this.#entries.names.length} entries already`);
      return undefined;
    }
    const { name, isNew, isShownAs } = added;
    const [called, title = name] = [fit(label.line), outcome.entry.title];
    const notes = [
      ...(isNew && called !== undefined && called !== name ? [reason`it is called ${name} here`] : []),
      ...(isShownAs === title
        ? []
        : [reason`it boots the same as ${JSON.stringify(isShownAs)}, which stands for both`]),
      ...outcome.notes,
    ];
    if (notes.length > 0) this.#teller.tell('changed', label.place, what, reasons(notes));
    else this.#teller.tell('taken', label.place, what, `menu.entries.${name}`, { at: [['menu', 'entries', name]] });
    return name;
  }

  /** The labels of other configurations that a label or `ui` leads to: they come into this menu. Gives the files that were read. */
  async #others(named: readonly Said[], from: Said, reading: Reading): Promise<readonly string[]> {
    const config = await this.#configs.read(named, reading.main);
    const leave = (why: Why): readonly string[] => {
      this.#teller.tell('left', from.place, from.value, why);
      return [];
    };
    if ('why' in config) return leave(config.why);
    if (config.given.every((file) => reading.within.includes(file))) {
      return named.every(({ value }) => value === THIS_CONFIG)
        ? []
        : leave(reason`it leads back to ${config.given.join(', ')}, whose entries stand in the menu`);
    }
    if (reading.within.length >= MOST_WITHIN) return leave('menus lead to menus too deeply');
    await this.#labels(config, { ...reading, within: [...reading.within, ...config.files] });
    return config.given;
  }

  // --- what boots unasked ---

  async #choose(config: Config, { whose, main }: Reading): Promise<Choice> {
    const from = { value: 'no default', place: top(config.file) };
    const what = 'what boots unasked';
    const { name, why, ...end } = await this.#follow(promptUnasked(config), config, {
      whose,
      main,
      from,
      what,
      after: 0,
      depth: 0,
    });
    const timeoutSeconds = Math.min(end.after, LONGEST_WAIT);
    if (name !== undefined) {
      if (end.after > LONGEST_WAIT) {
        const why = `the menu waits for ${LONGEST_WAIT / 3600} hour, the longest that it can`;
        this.#teller.tell('changed', end.from.place, `${config.file} waits ${end.after} s`, why);
      }
      return { boots: name, from: end.from, timeoutSeconds };
    }
    const meant = end.unknown && this.#meant(end.unknown.command, end.unknown.config);
    const others = 'machines go on to their next boot device';
    const instead = meant
      ? `here nodes boot label ${meant.label.value} (${meant.because}), which lives in RAM, and other ${others}`
      : `here ${others}${timeoutSeconds > 0 ? ' once `menu.timeout` is over' : ''}`;
    this.#teller.tell('changed', end.from.place, end.what, reason`${why ?? ''}; ${instead}`);
    return {
      boots: 'local',
      from: end.from,
      isLost: true,
      timeoutSeconds: meant ? 0 : timeoutSeconds,
      ...(meant === undefined ? {} : { meant: meant.name }),
    };
  }

  async #follow(unasked: Unasked, config: Config, way: Way): Promise<End> {
    if (unasked.kind === 'nothing') {
      const { place, why } = unasked;
      return {
        ...way,
        from: { value: why.toString(), place },
        why: reason`nothing boots unasked: ${why}`,
        after: Number.POSITIVE_INFINITY,
      };
    }
    const after = way.after + unasked.after;
    if (unasked.kind === 'label') {
      const { label, from } = unasked;
      return this.#start(label, [], config, { ...way, from, what: whatOf(label), after });
    }
    const { command, directive, by } = unasked;
    const here: Way = { ...way, from: command, what: `${directive} ${command.value}`, after };
    const waits = (why: Why): End => ({ ...here, why, after: Number.POSITIVE_INFINITY });
    const [first = '', ...more] = words(command.value);
    const label = labelOf(command.value, by, config);
    if (label) return this.#start(label, more, config, here);
    if (by === 'menu' && config.labels.some(({ line }) => line !== first && line.trim() === first)) {
      return waits(`blanks stand behind the label ${first}, so menu.c32 does not find it`);
    }
    // A menu's module is no label either.
    if (by === 'prompt' && config.labelsOnly)
      return waits(`\`implicit 0\` starts labels only, and none is called ${first}`);
    const menu = menuOf(command, config);
    if (menu) return this.#startMenu(filesOf(menu), config, here);
    if (by === 'prompt' && config.namesOnly && more.length > 0) return waits('`allowoptions 0` takes its words away');
    const where = await this.#tree.find({ value: first, place: command.place });
    if (where.kind === 'file') return this.#start(implicit(first, command), more, config, here);
    const fault = `no label is called ${JSON.stringify(first)}, and no file: pxelinux stops at its prompt there`;
    return { ...waits(fault), unknown: { command, config } };
  }

  /** What a label starts, with more words behind its own. */
  async #start(label: Label, more: readonly string[], config: Config, way: Way): Promise<End> {
    const said = more.length === 0 ? label : withWords(label, more, way.from);
    const outcome = await this.#outcome(said);
    switch (outcome.kind) {
      case 'left':
        return { ...way, why: reason`${whatOf(label)} is left out (${outcome.why})` };
      case 'local':
        return { ...way, name: 'local' };
      case 'config': {
        if (outcome.reader === 'menu') return this.#startMenu(outcome.files, config, way);
        if (way.depth >= DEEPEST) return { ...way, why: 'configurations lead to each other without end' };
        const other = await this.#configs.read(outcome.files, way.main);
        if ('why' in other) return { ...way, why: other.why };
        await this.#labels(other, { whose: way.whose, main: other.file, within: other.files });
        return this.#follow(promptUnasked(other), other, { ...way, main: other.file, depth: way.depth + 1 });
      }
      case 'entry': {
        const name = this.#names.get(said) ?? this.#name(said, outcome, way.whose);
        return name === undefined ? { ...way, why: 'the menu is full' } : { ...way, name };
      }
    }
  }

  async #startMenu(files: readonly Said[], config: Config, way: Way): Promise<End> {
    if (way.depth >= DEEPEST) return { ...way, why: 'menus lead to each other without end' };
    const shown = files.length === 0 ? config : await this.#configs.read(files, way.main);
    if ('why' in shown) return { ...way, why: shown.why };
    await this.#labels(shown, { whose: way.whose, main: way.main, within: shown.files });
    return this.#follow(menuUnasked(shown), shown, { ...way, depth: way.depth + 1 });
  }

  /** No label is called so: the one that was clearly meant, if it lives in RAM and so harms no disk. */
  #meant(command: Said, config: Config) {
    const [wanted = ''] = words(command.value.toLowerCase());
    const offered = config.labels.flatMap((label) => {
      const name = this.#names.get(label);
      const entry = name === undefined ? undefined : this.#draft.site.menu?.entries?.[name];
      return name !== undefined && entry?.args?.some((arg) => /^root=\/dev\/ram\d*$/.test(arg))
        ? [{ label, name }]
        : [];
    });
    const folders = ({ label }: (typeof offered)[number]) =>
      posix.dirname(label.start.value.replaceAll('\\', '/')).toLowerCase().split('/');
    const guesses = [
      [offered.find(({ label }) => label.value.toLowerCase() === wanted), 'pxelinux tells large from small letters'],
      [offered.find((one) => folders(one).includes(wanted)), 'its kernel lies in a folder of that name'],
    ] as const;
    for (const [one, because] of guesses) if (one !== undefined) return { ...one, because };
    return undefined;
  }
}

/** The module and its files, where a command shows a menu and no label is called so. */
function menuOf(command: Said | undefined, config: Config): Said | undefined {
  if (command === undefined || labelOf(command.value, 'prompt', config)) return undefined;
  const [first = ''] = words(command.value);
  return isMenuModule(first) || isMenuModule(`${first}.c32`) ? command : undefined;
}

function filesOf({ value, place }: Said): readonly Said[] {
  return words(value)
    .slice(1)
    .map((file) => ({ value: file, place }));
}

function whatOf({ line }: Label): string {
  return `label ${line.trim()}`.trim();
}

function withWords(label: Label, more: readonly string[], { place }: Said): Label {
  return { ...label, place, append: { value: [label.append.value, ...more].join(' ').trim(), place } };
}

/** A kernel that a command names itself. */
function implicit(kernel: string, { place }: Said): Label {
  const name = posix.basename(kernel.replaceAll('\\', '/'));
  return {
    value: name,
    line: name,
    place,
    type: 'kernel',
    hasKernel: true,
    start: { value: kernel, place },
    append: { value: '', place },
    ipappend: 0,
    menus: [],
    action: 'boot',
    isHidden: false,
    isDisabled: false,
    hasPassword: false,
  };
}

function top(file: string): Place {
  return { file, line: 1, col: 1 };
}
