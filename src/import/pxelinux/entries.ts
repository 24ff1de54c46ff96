import { NAME_PATTERN } from '../../site/forms.ts';
import type { SiteDraft } from '../draft.ts';
import type { Label } from './config.ts';
import type { EntryText } from './outcome.ts';

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
   * whatever its title. `whose` tells labels of one name apart that boot different things.
   */
  add(label: Label, entry: EntryText, whose: string | undefined): string {
    const { title: _, ...booted } = entry;
    const content = JSON.stringify(booted);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    const name = this.#name(label.value, entry, whose);
    if (this.names.length >= MOST_ENTRIES) {
      this.#draft.remark('left', label.place, `label ${label.value}`, `the menu holds ${MOST_ENTRIES} entries already`);
      return 'local';
    }
    // The name as it was is what the menu showed.
    const said = label.value.replace(/\p{Cc}+/gu, '');
    const shown = entry.title === undefined && name !== label.value && said !== '' ? { title: said, ...entry } : entry;
    this.#entries[name] = shown;
    this.#byContent.set(content, name);
    this.#draft.comment(['menu', 'entries', name], `${label.place.file}:${label.place.line}: label ${label.value}`);
    return name;
  }

  #name(label: string, entry: EntryText, whose: string | undefined): string {
    const folder = entry.kernel.split('/').at(-2) ?? '';
    const own = fit(label);
    const wanted = own === undefined || RESERVED.includes(own) ? [fit(folder), fit(`${label}-entry`)] : [own];
    const more = whose === undefined ? [] : [fit(`${label}-${whose}`)];
    const isFree = (name: string) => !RESERVED.includes(name) && !Object.hasOwn(this.#entries, name);
    const free = [...wanted, ...more].find((name) => name !== undefined && isFree(name));
    for (let i = 2; free === undefined; i++) {
      const name = `${(own ?? 'entry').slice(0, 56)}-${i}`;
      if (isFree(name)) return name;
    }
    return free;
  }
}

/** The text as the name of an entry: other signs become `-`. */
function fit(text: string): string | undefined {
  const name = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return NAME_PATTERN.test(name) ? name : undefined;
}
