import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Place, ReveilleError } from '../../errors.ts';
import { broadcastOf, type Ipv4, type Ipv4Range, inRange, inSubnet, parseIpv4, type Subnet } from '../../model/ipv4.ts';
import type { Path } from '../../site/yaml.ts';
import type { ImportContext } from '../context.ts';
import type { Remark, RemarkMore, SiteDraft, SiteText, Weight } from '../draft.ts';
import { Problems } from '../invalid.ts';
import { Names } from '../isc/meaning/names.ts';
import type { Why } from '../reason.ts';
import { type Asks, asksText } from './conditions.ts';
import { OPTIONS } from './options.ts';
import type { Setting } from './settings.ts';
import { TagBook } from './tagBook.ts';

export type NetworkText = NonNullable<SiteText['networks']>[string];
export type ProfileText = NonNullable<SiteText['profiles']>[string];

export type PoolText = NonNullable<NetworkText['pools']>[number];

/** A network, or a pool of it whose requests have tags of their own. */
export type Zone = {
  readonly network: Drafted;
  readonly pool?: PoolText;
  readonly range?: Ipv4Range;
  readonly tags: ReadonlySet<string>;
};

/** A network in the making. */
export type Drafted = {
  readonly name: string;
  readonly subnet: Subnet;
  readonly text: NetworkText;
  /** Its parts by the tags that a request has by its address; the first is what is outside of the others. Known with the pools. */
  readonly zones: Zone[];
  /** The addresses that its pools have. */
  readonly lent: Ipv4Range[];
  /** Options that dnsmasq would send by itself, and a line says that it does not. */
  readonly without: Set<number>;
  /** How many of its pools are for requests with certain tags; they stand first. */
  forTags: number;
  readonly place: Place;
};

/** Classes of hosts come after all others, whatever the number of their tags. */
const GROUPS = 1000;

/** A machine that a line of its own names by its MAC address: a node in the making. */
export type Host = {
  readonly node: string;
  readonly macs: readonly string[];
  /** The tags that its lines set. */
  readonly sets: readonly string[];
  /** The network that its address lies in; without an address it can be in any. */
  readonly network: Drafted | undefined;
  readonly ip?: Ipv4;
  readonly place: Place;
};

/** What all parts of the translation share: the settings, the draft, and what tags stand for. */
export class Reading {
  readonly settings: readonly Setting[];
  readonly context: ImportContext;
  readonly draft: SiteDraft;
  readonly problems = new Problems();
  readonly networks: Drafted[] = [];
  readonly tags = new TagBook();
  readonly hosts: Host[] = [];
  /** Lines of hosts that get no address. */
  readonly ignored: Setting[] = [];
  readonly #classNames = new Names();
  readonly #profileNames = new Names();
  /** Names of classes by the tags, and the hosts, that they stand for; what they stand for, by which they are put in order. */
  readonly #classes = new Map<string, readonly string[]>();
  readonly #kinds = new Map<string, { readonly tags: readonly string[]; readonly isOfHosts: boolean }>();
  readonly #profiles = new Map<string, string>();
  #order: readonly string[] = [];

  constructor(settings: readonly Setting[], context: ImportContext, draft: SiteDraft) {
    this.settings = settings.filter((setting) => !isEmpty(setting));
    this.context = context;
    this.draft = draft;
    for (const setting of settings.filter(isEmpty))
      this.left(setting, 'it has no value, so that it does nothing', 'server');
  }

  of(...keywords: readonly string[]): readonly Setting[] {
    return this.settings.filter(({ keyword }) => keywords.includes(keyword));
  }

  /** Does `what` for each; a problem is noted, and the others are still looked at. A line that dnsmasq ignores is reported. */
  each<T extends Setting | { readonly setting: Setting }>(items: readonly T[], what: (item: T) => void): void {
    for (const item of items) {
      try {
        what(item);
      } catch (problem) {
        if (!(problem instanceof ReveilleError)) throw problem;
        const setting = settingOf(item);
        if (setting.lenient) this.left(setting, `${problem.message}: dnsmasq passes it over too`);
        else this.problems.add(problem);
      }
    }
  }

  tell(kind: Remark['kind'], { place, whole }: Setting, why?: Why, more: RemarkMore = {}): void {
    this.draft.remark(kind, place, whole, why, more);
  }

  /** Says that a line was taken over, and where it stands now. */
  taken(setting: Setting, at: readonly Path[], why?: string): void {
    this.tell('taken', setting, why, { at });
  }

  left(setting: Setting, why: Why, weight?: Weight): void {
    this.tell('left', setting, why, weight === undefined ? {} : { weight });
  }

  /** Tags in the order in which classes of them overrule each other: later ones the earlier. */
  orderTags(tags: readonly string[]): void {
    this.#order = tags;
  }

  inOrder(tags: readonly string[]): readonly string[] {
    return tags.toSorted((one, other) => this.#order.indexOf(one) - this.#order.indexOf(other));
  }

  /** The classes that stand for machines with all of these tags, hosts of a group among them or not; made if there are none. */
  classesFor(
    tags: readonly string[],
    asks: readonly Asks[],
    group?: { readonly key: string; readonly sets: readonly string[] },
  ): readonly string[] {
    const key = JSON.stringify([tags.toSorted(), group?.key]);
    const known = this.#classes.get(key);
    if (known !== undefined) return known;
    const words = [...(group?.sets ?? []), ...tags];
    const made = asks.map((one) => {
      const name = this.#classNames.take(words.join('-') === 'known' ? 'known-machines' : words.join('-'));
      this.draft.site.classes ??= {};
      this.draft.site.classes[name] = asksText(one);
      const place = words.length === 1 ? this.tags.placeOf(words[0] ?? '') : undefined;
      const from = place === undefined ? '' : `${place.file}:${place.line} `;
      this.draft.comment(['classes', name], `${from}${words.length === 1 ? 'tag' : 'tags'} ${words.join(', ').trim()}`);
      this.#kinds.set(name, { tags, isOfHosts: group !== undefined });
      return name;
    });
    this.#classes.set(key, made);
    return made;
  }

  /** The classes of one tag; none if no machine has it by what it says. */
  classesOfTag(tag: string): readonly string[] {
    const asks = this.tags.asksOf(tag);
    return asks.length === 0 ? [] : this.classesFor([tag], asks);
  }

  /** Classes of fewer tags first, then by the order of their tags; those of hosts last. */
  sortClasses(): void {
    const { classes } = this.draft.site;
    if (classes === undefined) return;
    const ranks = (name: string): readonly number[] => {
      const { tags = [], isOfHosts = false } = this.#kinds.get(name) ?? {};
      const own = tags.map((tag) => this.#order.indexOf(tag)).toSorted((a, b) => a - b);
      return [isOfHosts ? GROUPS + tags.length : tags.length, ...own];
    };
    const names = Object.keys(classes).toSorted((one, other) => {
      const [a, b] = [ranks(one), ranks(other)];
      const at = a.findIndex((rank, i) => rank !== b[i]);
      return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
    });
    this.draft.site.classes = Object.fromEntries(names.map((name) => [name, classes[name] ?? {}]));
  }

  /** The name of the profile that stands for a tag which hosts set, or for all hosts (`known`); made if there is none. */
  profileOf(tag: string): string {
    const known = this.#profiles.get(tag);
    if (known !== undefined) return known;
    const name = this.profileName(tag);
    this.#profiles.set(tag, name);
    this.draft.site.profiles ??= {};
    this.draft.site.profiles[name] = {};
    const setter = this.hosts.find(({ sets }) => sets.includes(tag))?.place;
    if (setter !== undefined) this.draft.comment(['profiles', name], `${setter.file}:${setter.line} set:${tag}`);
    return name;
  }

  /** Takes a free name for a profile. */
  profileName(...wanted: readonly string[]): string {
    return this.#profileNames.take(...wanted);
  }

  /** The folder that dnsmasq's own TFTP server gives out, if it has one and it is here. */
  tftpRoot(): string | undefined {
    if (this.of('enable-tftp').length === 0) return undefined;
    const root = this.of('tftp-root').find(({ fields }) => fields.length === 1)?.fields[0]?.text;
    return root?.startsWith('/') && resolve(root) !== '/' && existsSync(root) && statSync(root).isDirectory()
      ? root
      : undefined;
  }

  /** The addresses of this server in a subnet, those that the configuration names first. */
  ownIn(subnet: Subnet): readonly Ipv4[] {
    const listed = this.of('listen-address').flatMap(({ fields }) => fields.map(({ text }) => parseIpv4(text)));
    const all = [...listed, ...[...this.context.addresses.values()].flat().map(({ ip }) => ip)];
    return [...new Set(all.filter((ip) => ip !== undefined && isHostIn(subnet, ip)))] as Ipv4[];
  }

  /** Every part of every network. */
  get zones(): readonly Zone[] {
    return this.networks.flatMap(({ zones }) => zones);
  }

  /** Where a host's address is. */
  zonesOf({ network, ip }: Host): readonly Zone[] {
    if (network === undefined) return this.zones;
    const inside = network.zones.find(({ range }) => range !== undefined && ip !== undefined && inRange(range, ip));
    return [inside ?? network.zones[0]].filter((zone) => zone !== undefined);
  }

  /** Whether a tag has a profile. */
  hasProfile(tag: string): boolean {
    return this.#profiles.has(tag);
  }
}

function settingOf(item: Setting | { readonly setting: Setting }): Setting {
  return 'setting' in item ? item.setting : item;
}

/** Whether an option that needs a value has none, which dnsmasq passes over. */
function isEmpty({ keyword, fields }: Setting): boolean {
  return fields.length === 0 && OPTIONS.get(keyword)?.value === 'required';
}

/** Whether a machine can have the address in the subnet: its first names the subnet, its last is broadcast. */
function isHostIn(subnet: Subnet, ip: Ipv4): boolean {
  return inSubnet(subnet, ip) && (subnet.prefix > 30 || (ip !== subnet.base && ip !== broadcastOf(subnet)));
}
