import { formatPlace, type Place, ReveilleError } from '../../../errors.ts';
import { type Ipv4, parseIpv4 } from '../../../model/ipv4.ts';
import type { Path } from '../../../site/yaml.ts';
import type { ImportContext } from '../../context.ts';
import type { SiteDraft, Weight } from '../../draft.ts';
import { Problems } from '../../invalid.ts';
import type { Why } from '../../reason.ts';
import { OptionTable } from '../text/optionTable.ts';
import { show } from '../text/show.ts';
import type { Statement } from '../text/tree.ts';
import type { Conditions } from './classConditions.ts';
import { ClassGifts } from './classGifts.ts';
import { whereFrom } from './comments.ts';
import type { Resolved } from './optionValues.ts';
import { type Outline, type Scope, type Setting, settingsIn } from './scopes.ts';
import { wordOf } from './words.ts';

/** What an import of dhcpd.conf knows besides; `resolved`: addresses of the host names that stand where an address could. */
export type DhcpdContext = ImportContext & { readonly resolved: Resolved };

/** Something of the configuration, and where in the new site it stands. */
export type Placement = { readonly place: Place; readonly what: () => string; readonly at: Path[] };

/** A part of what is written: the statement that it comes from, and where it stands below the entry. */
export type WrittenPart = { readonly from: Statement; readonly key: Path };

/** An option that carries those of a space, as a pool or a class gives it; of a class the conditions. */
export type Carried = { readonly code: number; readonly from: readonly Setting[]; readonly conditions?: Conditions };

/** Why something has no part in the site. */
export type Absence = { readonly why: Why; readonly weight?: Weight };

/** What all parts of the translation share: where the draft goes, and what the configuration says as a whole. */
export class Reading {
  readonly draft: SiteDraft;
  readonly context: DhcpdContext;
  readonly outline: Outline;
  readonly options: OptionTable;
  readonly problems = new Problems();
  /** The boot server that this one takes the place of, if the boot files move here. */
  readonly bootServer: Ipv4 | undefined;
  /** Whether some scope names a boot server that is not this one: then what names this one says so. */
  readonly namesOthers: boolean;
  /** Whether some scope names a boot server by `next-server`: then option 66 does not stand for it. */
  readonly namesServers: boolean;
  /** Whether boot files are named by `filename` and by option 67 both: then neither stands for the other. */
  readonly namesFilesTwice: boolean;
  readonly gifts = new ClassGifts();
  /** What pools and classes give of option spaces. */
  readonly carried: Carried[] = [];
  /** Classes whose members are given nothing. */
  readonly refusing: { readonly name: string; readonly from: Setting }[] = [];
  readonly #reported = new Set<string>();
  /** Places and words of what was reported as changed or left out. */
  readonly #toldOf = new Set<string>();
  readonly #left = new Set<string>();
  readonly #standing = new Map<Statement | string, Placement>();
  /** Of statements that say what another says already: that one. */
  readonly #same = new Map<Statement, Statement[]>();
  readonly #reasons = new Map<Statement, Absence>();
  readonly #leftOut = new Map<Scope, Absence>();
  readonly #entries = new Map<string, Place>();

  constructor(outline: Outline, context: DhcpdContext, draft: SiteDraft) {
    this.outline = outline;
    this.context = context;
    this.draft = draft;
    this.options = new OptionTable(outline.definitions);
    for (const { place, what } of draft.remarks) this.#toldOf.add(wordsAt(place, what));
    const stated = outline.stated.map(({ setting }) => setting);
    this.bootServer = context.tree ? mostNamedServer(outline, context.resolved) : undefined;
    this.namesOthers = stated.some((setting) => {
      if (setting.kind !== 'parameter' || setting.keyword !== 'next-server') return false;
      const ip = addressIn(wordOf(setting), context.resolved);
      return ip === undefined || !this.isOurs(ip);
    });
    const names = (test: (setting: (typeof stated)[number]) => boolean) => stated.some(test);
    this.namesServers = names((setting) => setting.kind === 'parameter' && setting.keyword === 'next-server');
    this.namesFilesTwice =
      names((setting) => setting.kind === 'parameter' && setting.keyword === 'filename') &&
      names((setting) => setting.kind === 'option' && setting.option.name.toLowerCase() === 'bootfile-name');
  }

  /** Whether an address is this server's: one of this machine, or of the boot server whose files move here. */
  isOurs(ip: Ipv4): boolean {
    if (ip === this.bootServer) return true;
    return [...this.context.addresses.values()].some((list) => list.some((one) => one.ip === ip));
  }

  /**
   * Whether a boot server need not be named: this one is where nothing else is, for those who have something to boot (`boots`).
   * Where its files move here too, loaders say what boots.
   */
  isImplied(ip: Ipv4, boots: boolean): boolean {
    return this.isOurs(ip) && !this.namesOthers && (boots || this.context.tree);
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

  /** Notes that a statement stands in the site at `at`, and with it what defines its option. */
  stands(statement: Statement, at: Path): void {
    this.#stand(statement, statement.place, () => show(statement), at);
    if (statement.kind !== 'option') return;
    for (const definition of this.options.definitionsOf(statement.option)) {
      this.#stand(definition, definition.place, () => show(definition), at);
    }
  }

  /** The same of something that is no statement by itself. */
  standsOf(place: Place, what: string, at: Path): void {
    this.#stand(wordsAt(place, what), place, () => what, at);
  }

  /** Notes of each part of the entry `at` where it stands. */
  standParts(at: Path, parts: readonly WrittenPart[]): void {
    for (const { from, key } of parts) this.stands(from, [...at, ...key]);
  }

  /** Notes that `statement` says what `other` says, which stands in the site where both count. */
  standsWith(statement: Statement, other: Statement): void {
    this.#same.set(statement, [...(this.#same.get(statement) ?? []), other]);
    for (const definition of statement.kind === 'option' ? this.options.definitionsOf(statement.option) : []) {
      this.#same.set(definition, [...(this.#same.get(definition) ?? []), other]);
    }
  }

  #stand(key: Statement | string, place: Place, what: () => string, at: Path): void {
    const known = this.#standing.get(key);
    if (known === undefined) this.#standing.set(key, { place, what, at: [at] });
    else known.at.push(at);
  }

  /** All that stands in the site, each with its statement where it is one. */
  get standing(): readonly (readonly [Statement | undefined, Placement])[] {
    for (const statement of this.#same.keys()) {
      const at = this.#pathsOf(statement, new Set());
      if (at.length > 0) this.#standing.set(statement, { place: statement.place, what: () => show(statement), at });
    }
    this.#same.clear();
    return [...this.#standing].map(([key, standing]) => [typeof key === 'string' ? undefined : key, standing]);
  }

  #pathsOf(statement: Statement, seen: Set<Statement>): Path[] {
    if (seen.has(statement)) return [];
    seen.add(statement);
    const others = this.#same.get(statement) ?? [];
    return [...(this.#standing.get(statement)?.at ?? []), ...others.flatMap((other) => this.#pathsOf(other, seen))];
  }

  /** Says why a statement has no part in the site, should it turn out to have none. */
  because(statement: Statement, why: Why, weight?: Weight): void {
    if (!this.#reasons.has(statement)) this.#reasons.set(statement, absence(why, weight));
  }

  /** Says that nothing of a scope has a part in the site. */
  leaveOut(scope: Scope, why: Why, weight?: Weight): void {
    if (!this.#leftOut.has(scope)) this.#leftOut.set(scope, absence(why, weight));
  }

  /** Why a statement has no part in the site, by what was said of it or of the scopes around it, innermost first. */
  reasonOf(statement: Statement, chain: readonly Scope[]): Absence | undefined {
    for (const scope of chain) {
      const found = this.#leftOut.get(scope);
      if (found !== undefined) return found;
    }
    return this.#reasons.get(statement);
  }

  /** Tells what became of a statement; the same thing of one statement once, however many scopes it counts in. */
  tell(kind: 'changed' | 'left', statement: Statement, why: Why, weight?: Weight): void {
    this.tellOf(kind, statement.place, show(statement), why, weight);
  }

  /** Whether a statement was reported as changed or left out. */
  hasTold(statement: Statement): boolean {
    return this.hasToldOf(statement.place, show(statement));
  }

  /** Whether something was left out, and with it all that stands in it. */
  hasLeft(place: Place, what: string): boolean {
    return this.#left.has(wordsAt(place, what));
  }

  hasToldOf(place: Place, what: string): boolean {
    return this.#toldOf.has(wordsAt(place, what));
  }

  tellOf(kind: 'changed' | 'left', place: Place, what: string, why: Why, weight?: Weight): void {
    const key = JSON.stringify([kind, place, what, why.toString()]);
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#toldOf.add(wordsAt(place, what));
    if (kind === 'left') this.#left.add(wordsAt(place, what));
    this.draft.remark(kind, place, what, why, weight === undefined ? {} : { weight });
  }
}

function absence(why: Why, weight: Weight | undefined): Absence {
  return weight === undefined ? { why } : { why, weight };
}

function wordsAt(place: Place, what: string): string {
  return `${formatPlace(place)} ${what}`;
}

function addressIn(word: string | undefined, resolved: Resolved): Ipv4 | undefined {
  return word === undefined ? undefined : (parseIpv4(word) ?? resolved.get(word));
}

/** The boot server that most hosts name, else most scopes. */
function mostNamedServer({ hosts, scopes }: Outline, resolved: Resolved): Ipv4 | undefined {
  const counts = new Map<Ipv4, number>();
  for (const scope of [...hosts.map(({ scope }) => scope), ...scopes]) {
    const setting = settingsIn(scope).get('next-server');
    const ip = setting === undefined ? undefined : addressIn(wordOf(setting), resolved);
    if (ip !== undefined) counts.set(ip, (counts.get(ip) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0];
}
