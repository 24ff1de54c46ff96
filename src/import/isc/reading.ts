import { formatPlace, type Place, ReveilleError } from '../../errors.ts';
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import type { Remark, SiteDraft } from '../draft.ts';
import { Problems } from '../invalid.ts';
import { whereFrom } from './comments.ts';
import { OptionTable } from './optionTable.ts';
import type { Resolved } from './optionValues.ts';
import { type Outline, settingsIn } from './scopes.ts';
import { show } from './show.ts';
import type { Statement } from './tree.ts';
import { wordOf } from './words.ts';

/** What the configuration does not say of itself. */
export type Surroundings = {
  /** The interface on which requests arrive, if the operator names it. */
  readonly interface?: string;
  /** The addresses of this machine's interfaces. */
  readonly addresses: ReadonlyMap<string, readonly { readonly ip: Ipv4 }[]>;
  /** Whether the boot server's files move here too: then nodes boot by loader and entry, not by a file's name. */
  readonly tree: boolean;
  /** Addresses of the host names that stand where an address could. */
  readonly resolved: Resolved;
};

/** What all parts of the translation share: where the draft goes, and what the configuration says as a whole. */
export class Reading {
  readonly draft: SiteDraft;
  readonly around: Surroundings;
  readonly outline: Outline;
  readonly options: OptionTable;
  readonly problems = new Problems();
  /** The boot server that this one takes the place of, if the boot files move here. */
  readonly bootServer: Ipv4 | undefined;
  readonly #told = new Set<string>();
  /** Places that the remarks up to `seen` tell of. */
  readonly #places = new Set<string>();
  #seen = 0;
  readonly #entries = new Map<string, Place>();

  constructor(outline: Outline, around: Surroundings, draft: SiteDraft) {
    this.outline = outline;
    this.around = around;
    this.draft = draft;
    this.options = new OptionTable(outline.definitions);
    this.bootServer = around.tree ? mostNamedServer(outline, around.resolved) : undefined;
  }

  /** Whether an address is this server's: one of this machine, or of the boot server whose files move here. */
  isOurs(ip: Ipv4): boolean {
    if (ip === this.bootServer) return true;
    return [...this.around.addresses.values()].some((list) => list.some((one) => one.ip === ip));
  }

  /** Puts the comment that says where an entry of the site comes from, and remembers the place. */
  from(section: string, entry: string, place: Place, words: string): void {
    this.draft.comment([section, entry], whereFrom(place, words));
    this.#entries.set(`${section} ${entry}`, place);
  }

  /** Where an entry of the site comes from. */
  placeOf(section: string, entry: string): Place {
    return this.#entries.get(`${section} ${entry}`) ?? this.outline.global.place;
  }

  /** Runs `read`; a problem is noted, and what was to be read is absent. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (problem) {
      if (!(problem instanceof ReveilleError)) throw problem;
      this.problems.add(problem);
      return undefined;
    }
  }

  /** Tells what became of a statement; the same thing of one statement once, however many scopes it counts in. */
  tell(kind: Remark['kind'], statement: Statement, why?: string): void {
    this.tellOf(kind, statement.place, show(statement), why);
  }

  /** Whether anything has been told of a statement. */
  hasTold({ place }: Statement): boolean {
    const { remarks } = this.draft;
    for (; this.#seen < remarks.length; this.#seen++)
      this.#places.add(formatPlace(remarks[this.#seen]?.place ?? place));
    return this.#places.has(formatPlace(place));
  }

  tellOf(kind: Remark['kind'], place: Place, what: string, why?: string): void {
    const key = JSON.stringify([kind, place, what, why]);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.draft.remark(kind, place, what, why);
  }
}

/** The boot server that most hosts name, else most scopes. */
function mostNamedServer({ hosts, scopes }: Outline, resolved: Resolved): Ipv4 | undefined {
  const counts = new Map<Ipv4, number>();
  for (const scope of [...hosts.map(({ scope }) => scope), ...scopes]) {
    const setting = settingsIn(scope).get('next-server');
    const word = setting === undefined ? undefined : wordOf(setting);
    const ip = word === undefined ? undefined : (parseIpv4(word) ?? resolved.get(word));
    if (ip !== undefined) counts.set(ip, (counts.get(ip) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0];
}
