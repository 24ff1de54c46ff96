import { type Asks, Unnameable } from './conditions.ts';
import type { Drafted, Host, PoolText, Reading, Zone } from './reading.ts';
import type { TagBook } from './tagBook.ts';

/** A request as dnsmasq sees it: where it comes from, and the tags that are set for it. */
export type Request = {
  readonly network: Drafted;
  /** All tags, those of its network and of `tag-if` among them. */
  readonly tags: ReadonlySet<string>;
  /** The tags without those of its network, and what follows from these alone. */
  readonly own: ReadonlySet<string>;
};

/**
 * What a request is given, and the line that says so, by its number. No value: the line says that nothing is given. `free`: it
 * makes no difference what is given.
 */
export type Given<V> = { readonly line: number; readonly value: V | undefined; readonly free?: true };

/** Where something is written that is given to some of the requests. */
export type Target =
  | { readonly kind: 'network'; readonly network: Drafted }
  | { readonly kind: 'pool'; readonly network: Drafted; readonly pool: PoolText }
  | {
      readonly kind: 'class';
      readonly tags: readonly string[];
      readonly asks: readonly Asks[];
      readonly group: Group | undefined;
    }
  | { readonly kind: 'profile'; readonly tag: string };

export type Placement<V> = { readonly target: Target; readonly value: V; readonly line: number };

/** Why a line has no place for some of the requests that it is for. `rest`: the line is for all but some. */
export type Trouble = {
  readonly line: number;
  readonly kind: 'rest' | 'nothing' | 'networks' | 'unnameable';
  readonly tags: readonly string[];
};

export type Distribution<V> = {
  readonly placements: readonly Placement<V>[];
  readonly troubles: readonly Trouble[];
  /** The networks that are given nothing because a line says so. */
  readonly bare: readonly { readonly line: number; readonly network: Drafted }[];
  /** Lines that give somebody what another line has given already. */
  readonly covered: readonly { readonly line: number; readonly by: number }[];
};

/**
 * Says what to write where, so that each request is given what `decide` says: the networks have what is given without tags
 * of machines, classes over them what members of one tag or of several are given, profiles what hosts with a tag are given. A
 * later and larger class overrules an earlier one, so that "all but these" needs no words. Where hosts are given something
 * else by what they say as well, classes of their MAC addresses stand in for profiles. `eager` has the keys of classes that say
 * what they are given even if the layers below give them the same.
 */
export function distribute<V>(
  reading: Reading,
  mentioned: readonly string[],
  decide: (request: Request) => Given<V> | undefined,
  eager: ReadonlySet<string> = new Set(),
): Distribution<V> {
  const relevant = reading.tags.reasons(mentioned);
  const byHosts = new Distributor(reading, relevant, decide, eager, 'profiles');
  if (byHosts.run()) return byHosts.result;
  const byClasses = new Distributor(reading, relevant, decide, eager, 'classes');
  byClasses.run();
  return byClasses.result;
}

type Emitted<V> = { readonly tags: readonly string[]; readonly group: Group | undefined; readonly given: Given<V> };

/** Hosts of one place with the same tags. */
export type Group = {
  readonly key: string;
  readonly sets: readonly string[];
  readonly hosts: readonly Host[];
  readonly zones: readonly Zone[];
};

class Distributor<V> {
  readonly #reading: Reading;
  readonly #tags: TagBook;
  readonly #relevant: ReadonlySet<string>;
  readonly #decide: (request: Request) => Given<V> | undefined;
  readonly #eager: ReadonlySet<string>;
  readonly #hostsBy: 'profiles' | 'classes';
  readonly #placements: Placement<V>[] = [];
  readonly #troubles: Trouble[] = [];
  readonly #bare: { line: number; network: Drafted }[] = [];
  readonly #covered: { line: number; by: number }[] = [];
  readonly #base = new Map<Zone, Given<V> | undefined>();
  readonly #emitted: Emitted<V>[] = [];
  readonly #profiles = new Map<string, Given<V>>();

  constructor(
    reading: Reading,
    relevant: ReadonlySet<string>,
    decide: (request: Request) => Given<V> | undefined,
    eager: ReadonlySet<string>,
    hostsBy: 'profiles' | 'classes',
  ) {
    this.#reading = reading;
    this.#tags = reading.tags;
    this.#relevant = relevant;
    this.#decide = decide;
    this.#eager = eager;
    this.#hostsBy = hostsBy;
  }

  get result(): Distribution<V> {
    return { placements: this.#placements, troubles: this.#troubles, bare: this.#bare, covered: this.#covered };
  }

  /** `false` if profiles cannot say what hosts are given. */
  run(): boolean {
    for (const { zones } of this.#reading.networks) {
      const [outside, ...pools] = zones;
      if (outside === undefined) continue;
      this.#give(outside, undefined);
      for (const zone of pools) this.#give(zone, this.#base.get(outside));
    }
    const tags = this.#reading.inOrder(this.#tags.machineTags.filter((tag) => this.#relevant.has(tag)));
    this.#machines(tags);
    const groups = this.#groups();
    if (groups.length === 0) return true;
    if (this.#hostsBy === 'classes') {
      for (const group of groups) this.#groupClasses(group, tags);
      return true;
    }
    return this.#hostProfiles(groups, tags);
  }

  /** What all of a zone are given, pools over their network. */
  #give(zone: Zone, below: Given<V> | undefined): void {
    const { network, pool } = zone;
    const given = this.#decide(this.#request(zone, []));
    if (same(given, below)) {
      if (given && below && given.line !== below.line) this.#covered.push({ line: given.line, by: below.line });
      this.#base.set(zone, below);
      // A line may say that nothing is given, where nothing is given anyway.
      if (given !== undefined && given.value === undefined) this.#bare.push({ line: given.line, network });
      return;
    }
    if (given?.value === undefined) {
      // Without a pool nothing is below.
      this.#base.set(zone, below);
      if (below !== undefined)
        this.#troubles.push({
          line: given?.line ?? below.line,
          kind: given ? 'nothing' : 'rest',
          tags: [...zone.tags],
        });
      return;
    }
    this.#base.set(zone, given);
    this.#place(pool === undefined ? { kind: 'network', network } : { kind: 'pool', network, pool }, given);
  }

  #request({ network, tags: own }: Zone, tags: readonly string[]): Request {
    return { network, tags: this.#tags.closure([...own, ...tags]), own: this.#tags.closure(tags) };
  }

  #place(target: Target, { value, line }: Given<V>): void {
    if (value !== undefined) this.#placements.push({ target, value, line });
  }

  #sets(tags: readonly string[], start?: readonly Asks[]) {
    try {
      return this.#tags.setsOf(tags, start);
    } catch (error) {
      if (!(error instanceof Unnameable)) throw error;
      return undefined;
    }
  }

  #machines(tags: readonly string[]): void {
    const sets = this.#sets(tags);
    if (sets === undefined) {
      this.#unnameable(tags);
      return;
    }
    for (const { tags: some, asks } of sets) {
      if (some.length > 0) this.#emit(some, asks, undefined, this.#reading.zones);
    }
  }

  /** No class can be written for some of these tags together: each by itself then, as far as that goes. */
  #unnameable(tags: readonly string[]): void {
    for (const tag of tags) this.#emit([tag], this.#tags.asksOf(tag), undefined, this.#reading.zones);
    for (const zone of this.#reading.zones) {
      const given = this.#decide(this.#request(zone, tags));
      if (given !== undefined) this.#troubles.push({ line: given.line, kind: 'unnameable', tags });
    }
  }

  /** A class for machines with all of these tags, unless the classes and networks before give them the same. */
  #emit(tags: readonly string[], asks: readonly Asks[], group: Group | undefined, zones: readonly Zone[]): void {
    const own = [...(group?.sets ?? []), ...tags];
    const cases = zones.map((zone) => ({
      wanted: this.#decide(this.#request(zone, own)),
      got: this.#effective(zone, tags, group),
    }));
    const [first] = cases;
    const isEager = this.#eager.has(classKey(tags, group)) && first?.wanted?.free !== true;
    if (!isEager && cases.every(({ wanted, got }) => same(wanted, got))) {
      for (const { wanted, got } of cases) {
        if (wanted && got && wanted.line !== got.line) this.#covered.push({ line: wanted.line, by: got.line });
      }
      return;
    }
    if (first?.wanted?.value !== undefined && cases.every(({ wanted }) => same(wanted, first.wanted))) {
      this.#emitted.push({ tags, group, given: first.wanted });
      this.#place({ kind: 'class', tags, asks, group }, first.wanted);
      return;
    }
    for (const { wanted, got } of cases) {
      if (same(wanted, got)) continue;
      if (wanted?.value !== undefined) this.#troubles.push({ line: wanted.line, kind: 'networks', tags: own });
      else if (wanted !== undefined) this.#troubles.push({ line: wanted.line, kind: 'nothing', tags: own });
      else if (got !== undefined) this.#troubles.push({ line: got.line, kind: 'rest', tags: own });
    }
  }

  /** What the layers that are written so far give. */
  #effective(zone: Zone, tags: readonly string[], group: Group | undefined): Given<V> | undefined {
    const last = this.#emitted.findLast(
      (one) => (one.group === undefined || one.group === group) && one.tags.every((tag) => tags.includes(tag)),
    );
    // A node is given its own address, and what pools give is not for it.
    return last?.given ?? this.#base.get(group === undefined ? zone : (zone.network.zones[0] ?? zone));
  }

  #groups(): readonly Group[] {
    const groups = new Map<string, Group>();
    for (const host of this.#reading.hosts) {
      const sets = ['known', ...host.sets].filter((tag) => this.#relevant.has(tag));
      const zones = this.#reading.zonesOf(host);
      if (sets.length === 0 && zones.every(({ pool }) => pool === undefined)) continue;
      const key = JSON.stringify([sets, zones.map((zone) => this.#reading.zones.indexOf(zone))]);
      const known = groups.get(key);
      groups.set(key, { key, sets, zones, hosts: [...(known?.hosts ?? []), host] });
    }
    return [...groups.values()];
  }

  #macsOf({ hosts }: Group): Asks {
    return { macs: hosts.flatMap(({ macs }) => macs) };
  }

  #groupClasses(group: Group, tags: readonly string[]): void {
    const sets = this.#sets(tags, [this.#macsOf(group)]);
    for (const { tags: some, asks } of sets ?? []) this.#emit(some, asks, group, group.zones);
    if (sets === undefined) this.#unnameable(tags);
  }

  #hostProfiles(groups: readonly Group[], tags: readonly string[]): boolean {
    const names = [...new Set(groups.flatMap(({ sets }) => sets))];
    for (const tag of names) {
      const alone = groups.filter(({ sets }) => sets.includes(tag));
      const own = this.#relevant.has('known') ? [...new Set(['known', tag])] : [tag];
      const cases = alone.flatMap((group) =>
        group.zones.map((zone) => ({
          wanted: this.#decide(this.#request(zone, own)),
          got: this.#effective(zone, [], group),
        })),
      );
      const [first] = cases;
      for (const { wanted, got } of cases) {
        if (wanted && got && wanted.line !== got.line && same(wanted, got)) {
          this.#covered.push({ line: wanted.line, by: got.line });
        }
      }
      const isOne = cases.every(({ wanted }) => same(wanted, first?.wanted));
      if (!isOne || first?.wanted?.value === undefined || cases.every(({ wanted, got }) => same(wanted, got))) continue;
      this.#profiles.set(tag, first.wanted);
    }
    if (!groups.every((group) => this.#isRight(group, tags))) return false;
    for (const [tag, given] of this.#profiles) this.#place({ kind: 'profile', tag }, given);
    return true;
  }

  /** Whether networks, classes and profiles give these hosts what they are to be given, whatever they say. */
  #isRight(group: Group, tags: readonly string[]): boolean {
    const profile = group.sets.findLast((tag) => this.#profiles.has(tag));
    const sets = this.#sets(tags, [this.#macsOf(group)]);
    return (
      sets?.every(({ tags: some }) =>
        group.zones.every((zone) => {
          const wanted = this.#decide(this.#request(zone, [...group.sets, ...some]));
          const got = profile === undefined ? this.#effective(zone, some, group) : this.#profiles.get(profile);
          return same(wanted, got);
        }),
      ) ?? false
    );
  }
}

/** By which a class is known among others. */
export function classKey(tags: readonly string[], group: Group | undefined): string {
  return JSON.stringify([tags, group?.key]);
}

function same<V>(one: Given<V> | undefined, other: Given<V> | undefined): boolean {
  if (one?.free === true || other?.free === true) return true;
  return JSON.stringify(one?.value) === JSON.stringify(other?.value);
}
