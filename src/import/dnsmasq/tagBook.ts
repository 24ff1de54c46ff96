import type { Place } from '../../errors.ts';
import { type Asks, both, joinAlternatives, Unnameable } from './conditions.ts';
import type { Field, Setting } from './settings.ts';

/** `tag-if`: where all of `needs` are set (`!` in front: not set), `sets` are set too. */
export type TagIf = { readonly setting: Setting; readonly needs: readonly Field[]; readonly sets: readonly string[] };

/** Several tags that one machine has by what it says of itself, and what its class asks for: any of `asks`. */
export type MachineSet = { readonly tags: readonly string[]; readonly asks: readonly Asks[] };

/** More sets of tags than anyone has written by hand. */
const MOST_SETS = 2000;

/** Which tags there are, and what sets them: what machines say, the lines of hosts, the networks, other tags. */
export class TagBook {
  readonly tagIfs: TagIf[] = [];
  readonly #machines = new Map<string, Asks[]>();
  readonly #joined = new Map<string, readonly Asks[]>();
  readonly #places = new Map<string, Place>();
  readonly #lost = new Map<string, Setting>();
  readonly #bySet = new Map<string, TagIf[]>();
  /** How many of the rules stand there. */
  #indexed = 0;

  /** A machine that says so has the tag, which the line at `place` says. */
  add(tag: string, asks: Asks, place: Place): void {
    const known = this.#machines.get(tag);
    if (known === undefined) this.#machines.set(tag, [asks]);
    else known.push(asks);
    this.#joined.delete(tag);
    if (!this.#places.has(tag)) this.#places.set(tag, place);
  }

  /** The first line that makes machines have the tag. */
  placeOf(tag: string): Place | undefined {
    return this.#places.get(tag);
  }

  /** A line that sets the tag has no part in the new site. */
  lose(tag: string, setting: Setting): void {
    if (!this.#lost.has(tag)) this.#lost.set(tag, setting);
  }

  /** The line that sets the tag and was left out. */
  lostBy(tag: string): Setting | undefined {
    return this.#lost.get(tag);
  }

  /** Any of these makes a machine have the tag; nothing if no machine has it by what it says. */
  asksOf(tag: string): readonly Asks[] {
    const joined = this.#joined.get(tag) ?? joinAlternatives(this.#machines.get(tag) ?? []);
    this.#joined.set(tag, joined);
    return joined;
  }

  isOfMachines(tag: string): boolean {
    return this.#machines.has(tag);
  }

  /** The tags by which machines are known. */
  get machineTags(): readonly string[] {
    return [...this.#machines.keys()];
  }

  /** `tags` and those that follow from them by `tag-if`, which are looked at once, in their order. */
  closure(tags: Iterable<string>): ReadonlySet<string> {
    const all = new Set(tags);
    for (const { needs, sets } of this.tagIfs) if (holds(needs, all)) for (const tag of sets) all.add(tag);
    return all;
  }

  /** The tags that these depend on, by any number of `tag-if`: themselves among them. */
  reasons(tags: Iterable<string>): ReadonlySet<string> {
    const rules = this.#rulesBySet();
    const all = new Set(tags);
    // A set gives what is added to it while it is gone through.
    for (const tag of all)
      for (const { needs } of rules.get(tag) ?? []) for (const { text } of needs) all.add(tagOf(text));
    return all;
  }

  /**
   * The same condition without tags of `tag-if`: those that it stands for. `undefined` if it cannot be written as one list of
   * tags that are set and tags that are not.
   */
  writtenOut(needs: readonly string[], depth = 0): readonly string[] | undefined {
    const written: string[] = [];
    for (const need of needs) {
      const rules = this.#rulesBySet().get(tagOf(need)) ?? [];
      if (rules.length === 0) {
        written.push(need);
        continue;
      }
      const [rule, ...more] = rules;
      if (rule === undefined || more.length > 0 || this.isOfMachines(tagOf(need)) || depth > 20) return undefined;
      const inner = rule.needs.map(({ text }) => text);
      if (isNot(need) && inner.length !== 1) return undefined;
      const meant = isNot(need) ? inner.map(opposite) : inner;
      const whole = this.writtenOut(meant, depth + 1);
      if (whole === undefined) return undefined;
      written.push(...whole);
    }
    return [...new Set(written)];
  }

  /** What members of all these tags ask for; none if no machine has them all. Throws Unnameable. */
  asksOfAll(tags: readonly string[], start: readonly Asks[] = [{}]): readonly Asks[] {
    return tags.reduce<readonly Asks[]>(
      (sofar, tag) => sofar.flatMap((one) => this.asksOf(tag).flatMap((other) => both(one, other) ?? [])),
      start,
    );
  }

  /**
   * Every set of these tags that a machine can have by what it says of itself, the empty one first, larger ones later; of the
   * same size in the order of `tags`. Throws Unnameable, and if there are more than can be looked at.
   */
  setsOf(tags: readonly string[], start: readonly Asks[] = [{}]): readonly MachineSet[] {
    let layer: readonly (MachineSet & { readonly next: number })[] = [{ tags: [], asks: start, next: 0 }];
    const all: MachineSet[] = [];
    while (layer.length > 0) {
      all.push(...layer);
      const larger: (MachineSet & { readonly next: number })[] = [];
      for (const { tags: sofar, asks, next } of layer) {
        for (let i = next; i < tags.length; i++) {
          const tag = tags[i] ?? '';
          const more = this.asksOfAll([tag], asks);
          if (more.length > 0) larger.push({ tags: [...sofar, tag], asks: more, next: i + 1 });
          if (all.length + larger.length > MOST_SETS) throw new Unnameable();
        }
      }
      layer = larger;
    }
    return all;
  }

  /** The rules by each tag that they set, as far as they are read. */
  #rulesBySet(): ReadonlyMap<string, readonly TagIf[]> {
    for (; this.#indexed < this.tagIfs.length; this.#indexed++) {
      const rule = this.tagIfs[this.#indexed];
      for (const tag of new Set(rule?.sets)) {
        const known = this.#bySet.get(tag);
        if (rule !== undefined && known === undefined) this.#bySet.set(tag, [rule]);
        else if (rule !== undefined) known?.push(rule);
      }
    }
    return this.#bySet;
  }
}

export function isNot(need: string): boolean {
  return /^[!#]/.test(need);
}

/** The tag that a condition is about. */
export function tagOf(need: string): string {
  return need.replace(/^[!#]/, '');
}

export function opposite(need: string): string {
  return isNot(need) ? tagOf(need) : `!${need}`;
}

/** Whether all that is asked for is set, and all that is asked not to be is not. */
export function holds(needs: readonly Field[], tags: ReadonlySet<string>): boolean {
  return needs.every(({ text }) => tags.has(tagOf(text)) !== isNot(text));
}
