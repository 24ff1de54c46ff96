import { NAME_PATTERN } from '../../site/forms.ts';
import type { SiteDraft } from '../draft.ts';
import type { Label } from './config.ts';
import type { EntryText } from './outcome.ts';
import { shownText } from './tell.ts';

/** Names that a site's menu keeps for itself. */
const RESERVED = ['node', 'local', 'menu', 'failed'];
const MOST_ENTRIES = 5000;

/** The entries of the menu that is being made: one for each thing that can be booted, each with a name of its own. */
export class Entries {
  readonly #draft: SiteDraft;
  readonly #entries: Record<string, EntryText>;
  /** The names of entries by what they boot. */
  readonly #byContent = new Map<string, string>();

  constructor(draft: SiteDraft) {
    this.#draft = draft;
    this.#draft.site.menu ??= {};
    this.#entries = this.#draft.site.menu.entries ??= {};
  }

  get names(): readonly string[] {
    return Object.keys(this.#entries);
  }

  /**
   * Gives the name under which a label's entry stands in the menu: an entry that boots the very same is not added again,
   * whatever its title; `isShownAs` tells the title that the menu shows for it. `whose` tells labels of one name apart that
   * boot different things. `undefined` where the menu is full.
   */
  add(
    label: Label,
    entry: EntryText,
    whose: string | undefined,
  ): { readonly name: string; readonly isNew: boolean; readonly isShownAs: string } | undefined {
    const { title, ...booted } = entry;
    const content = JSON.stringify(booted);
    const known = this.#byContent.get(content);
    if (known !== undefined) return { name: known, isNew: false, isShownAs: this.#entries[known]?.title ?? known };
    if (this.names.length >= MOST_ENTRIES) return undefined;
    const name = this.#name(label, entry, whose);
    this.#entries[name] = title === name ? booted : entry;
    this.#byContent.set(content, name);
    const comment = `${label.place.file}:${label.place.line}: label ${label.line.trim()}`;
    this.#draft.comment(['menu', 'entries', name], shownText(comment));
    return { name, isNew: true, isShownAs: title ?? name };
  }

  #name({ line, value }: Label, { kernel, title = '' }: EntryText, whose: string | undefined): string {
    const folder = kernel.split('/').at(-2) ?? '';
    const own = fit(line) ?? fit(title);
    const wanted = own === undefined || RESERVED.includes(own) ? [fit(folder), fit(`${own ?? value}-entry`)] : [own];
    const more = whose === undefined ? [] : [fit(`${own ?? value}-${whose}`)];
    const isFree = (name: string) => !RESERVED.includes(name) && !Object.hasOwn(this.#entries, name);
    const free = [...wanted, ...more].find((name) => name !== undefined && isFree(name));
    for (let i = 2; free === undefined; i++) {
      const name = `${(own ?? 'entry').slice(0, 56)}-${i}`;
      if (isFree(name)) return name;
    }
    return free;
  }
}

/** The text as the name of an entry, where it makes one: other signs become `-`. */
export function fit(text: string): string | undefined {
  const name = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
    .replace(/-+$/, '');
  return NAME_PATTERN.test(name) ? name : undefined;
}
