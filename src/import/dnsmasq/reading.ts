import { existsSync, statSync } from 'node:fs';
import { type Place, ReveilleError } from '../../errors.ts';
import type { InterfaceAddress } from '../../net/interfaces.ts';
import type { Ipv4, Subnet } from '../../net/ipv4.ts';
import type { Remark, SiteDraft, SiteText } from '../draft.ts';
import { Problems } from '../invalid.ts';
import { Names } from '../isc/names.ts';
import type { Setting } from './settings.ts';

/** What the configuration does not say of itself. */
export type Surroundings = {
  /** The interface on which requests arrive, if the operator names it. */
  readonly interface?: string;
  /** The addresses of this machine's interfaces. */
  readonly addresses: ReadonlyMap<string, readonly Pick<InterfaceAddress, 'ip' | 'prefix'>[]>;
  /** Whether the boot server's files move here too. */
  readonly tree: boolean;
};

export type NetworkText = NonNullable<SiteText['networks']>[string];
export type ClassText = NonNullable<SiteText['classes']>[string];
export type ProfileText = NonNullable<SiteText['profiles']>[string];

/** A network in the making. */
export type Drafted = {
  readonly name: string;
  readonly subnet: Subnet;
  readonly text: NetworkText;
  /** The tags that a request from it has. */
  readonly tags: Set<string>;
  /** How many of its pools are for requests with certain tags; they stand first. */
  forTags: number;
  readonly place: Place;
};

/** What all parts of the translation share: the settings, the draft, and what tags stand for. */
export class Reading {
  readonly settings: readonly Setting[];
  readonly around: Surroundings;
  readonly draft: SiteDraft;
  readonly problems = new Problems();
  readonly networks: Drafted[] = [];
  /** Classes by the tag that they stand for, profiles by the tag that hosts set. */
  readonly classes = new Map<string, { readonly name: string; readonly text: ClassText }>();
  readonly profiles = new Map<string, { readonly name: string; readonly text: ProfileText }>();
  readonly classNames = new Names();
  readonly profileNames = new Names();

  constructor(settings: readonly Setting[], around: Surroundings, draft: SiteDraft) {
    this.settings = settings;
    this.around = around;
    this.draft = draft;
  }

  of(...keywords: readonly string[]): readonly Setting[] {
    return this.settings.filter(({ keyword }) => keywords.includes(keyword));
  }

  /** Does `what` for each; a problem is noted, and the others are still looked at. */
  each<T>(items: readonly T[], what: (item: T) => void): void {
    for (const item of items) {
      try {
        what(item);
      } catch (problem) {
        if (!(problem instanceof ReveilleError)) throw problem;
        this.problems.add(problem);
      }
    }
  }

  tell(kind: Remark['kind'], { place, whole }: Setting, why?: string): void {
    this.draft.remark(kind, place, whole, why);
  }

  /** The class that a tag stands for, which is made if there is none. */
  classOf(tag: string, place: Place): { readonly name: string; readonly text: ClassText } {
    const known = this.classes.get(tag);
    if (known !== undefined) return known;
    const made = { name: this.classNames.take(tag), text: {} as ClassText };
    this.classes.set(tag, made);
    this.draft.site.classes = { ...this.draft.site.classes, [made.name]: made.text };
    this.draft.comment(['classes', made.name], `${place.file}:${place.line} tag ${tag}`);
    return made;
  }

  /** The folder that dnsmasq's own TFTP server gives out, if it has one and it is here. */
  tftpRoot(): string | undefined {
    if (this.of('enable-tftp').length === 0) return undefined;
    const root = this.of('tftp-root').find(({ fields }) => fields.length === 1)?.fields[0]?.text;
    return root?.startsWith('/') && existsSync(root) && statSync(root).isDirectory() ? root : undefined;
  }

  /** Whether an address is that of the server being moved. */
  isOurs(ip: Ipv4): boolean {
    return ip === 0 || this.ownAddresses().includes(ip);
  }

  ownAddresses(): readonly Ipv4[] {
    return [...this.around.addresses.values()].flat().map((one) => one.ip);
  }
}
