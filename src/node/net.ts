import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes, parseMac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { Facts } from './inventory.ts';
import { type Addressing, type NetVars, netVars } from './netVars.ts';

/** One network link of a node as its configuration files need it. Links refer to each other by `id`. */
export type Link = {
  readonly id: string;
  readonly kind: 'nic' | 'bond' | 'bridge' | 'vlan';
  /** The kernel's name; absent for a card that the machine has not reported yet. */
  readonly name?: string;
  /** Of a card. */
  readonly mac?: Mac;
  readonly dhcp: boolean;
  /** `10.0.0.51/24`. */
  readonly addresses: readonly string[];
  /** Its first address, without the prefix; that of the node where DHCP gives it. */
  readonly ip?: string;
  readonly gateway?: string;
  readonly dns: readonly string[];
  readonly search: readonly string[];
  readonly mtu?: number;
  readonly routes: readonly { readonly to: string; readonly via: string }[];
  /** The bond or bridge that it is a part of. */
  readonly master?: string;
  /** The parts of a bond or bridge. */
  readonly members: readonly string[];
  /** Of a bond. */
  readonly mode?: string;
  /** Of a VLAN: its number, and the link below it. */
  readonly vlan?: number;
  readonly on?: string;
};

/** A node's links, cards first, each after those below it. */
export type Net = {
  readonly links: readonly Link[];
  readonly nics: readonly Link[];
  readonly bonds: readonly Link[];
  readonly bridges: readonly Link[];
  readonly vlans: readonly Link[];
  /** By id. */
  readonly link: Readonly<Record<string, Link>>;
  /** The link with the node's own address: the card that it boots from, or the link above that. */
  readonly main: Link;
  /** The card for provider networks: the second (see `#second`); absent where there is but one. */
  readonly second?: Link;
};

export const NET_KEYS = [
  'links',
  'nics',
  'bonds',
  'bridges',
  'vlans',
  'link',
  'main',
  'second',
] as const satisfies (keyof Net)[];

/**
 * The links of `node`: those of its variable `net` on the cards that the machine has reported or, until it has, on those that the
 * site lists. Throws an Error that names the variable for impossible values.
 */
export function resolveNet(node: SiteNode, network: Network | undefined, facts: Facts | undefined): Net {
  const parsed = netVars.safeParse(node.vars.net ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`vars.${['net', ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'has a wrong form'}`);
  }
  return new Links(node, network, facts, parsed.data).net();
}

type Card = { readonly mac: Mac; readonly name?: string; readonly up: boolean; readonly ip?: string };

class Links {
  readonly #node: SiteNode;
  readonly #network: Network | undefined;
  readonly #vars: NetVars;
  readonly #cards: readonly Card[];
  readonly #links = new Map<string, Link>();
  /** Links with an address of their own in the site. */
  readonly #ownAddressed = new Set<string>();

  constructor(node: SiteNode, network: Network | undefined, facts: Facts | undefined, vars: NetVars) {
    this.#node = node;
    this.#network = network;
    this.#vars = vars;
    this.#cards = cardsOf(node, facts);
  }

  net(): Net {
    const { main, nics, bonds, bridge, vlans } = this.#vars;
    const [boot] = this.#cards;
    if (boot === undefined) throw new Error(`${this.#node.name} has no network card`);
    this.#add(nicOf('main', boot), main, 'net.main');
    for (const [id, { on, ...addressing }] of Object.entries(nics)) {
      const at = `net.nics.${id}`;
      this.#add(nicOf(id, this.#card(on, at)), addressing, at);
    }
    for (const [id, { on, mode, ...addressing }] of Object.entries(bonds)) {
      const at = `net.bonds.${id}`;
      const members = on.map((part) => this.#join(part, id, at));
      this.#add({ id, kind: 'bond', name: id, members, mode }, addressing, at);
    }
    if (bridge !== undefined) {
      const { name, on, ...addressing } = bridge;
      const port = on ?? this.#second()?.mac;
      if (port === undefined) throw new Error(`vars.net.bridge: ${this.#node.name} has no second network card`);
      const members = [this.#join(port, name, 'net.bridge')];
      this.#add({ id: name, kind: 'bridge', name, members }, addressing, 'net.bridge');
    }
    for (const [id, { id: number, on, ...addressing }] of Object.entries(vlans)) {
      const at = `net.vlans.${id}`;
      this.#add({ id, kind: 'vlan', name: id, vlan: number, on: this.#linkOn(on, at).id }, addressing, at);
    }
    const links = [...this.#links.values()];
    const second = this.#second();
    const kind = (wanted: Link['kind']) => links.filter((link) => link.kind === wanted);
    return {
      links,
      nics: kind('nic'),
      bonds: kind('bond'),
      bridges: kind('bridge'),
      vlans: kind('vlan'),
      link: Object.fromEntries(this.#links),
      main: this.#outermost('main'),
      ...(second === undefined ? {} : { second: this.#linkOf(second) ?? bare(nicOf('second', second)) }),
    };
  }

  #add(own: Pick<Link, 'id' | 'kind'> & Partial<Link>, addressing: Addressing, at: string): void {
    if (this.#links.has(own.id)) throw new Error(`vars.${at}: the name ${own.id} is taken by another link`);
    if (addressing.subnet !== undefined || (addressing.address ?? 'none') !== 'none') this.#ownAddressed.add(own.id);
    this.#links.set(own.id, {
      members: [],
      ...own,
      ...this.#addressed(own.id, addressing, at),
    });
  }

  #addressed(id: string, addressing: Addressing, at: string) {
    const isMain = this.#carriesMain(id);
    const { subnet, gateway, dns, search, mtu = isMain ? this.#network?.mtu : undefined, routes = [] } = addressing;
    const address = addressing.address ?? (subnet !== undefined ? undefined : isMain ? 'dhcp' : 'none');
    const isStatic = address === 'static';
    const addresses = isStatic
      ? [ownAddress(this.#node, this.#network, at)]
      : address === undefined
        ? [sameHostIn(subnet ?? '', this.#node, this.#network, at)]
        : typeof address === 'string'
          ? []
          : address;
    const network = isStatic ? this.#network : undefined;
    const router = gateway ?? (network?.gateway === undefined ? undefined : formatIpv4(network.gateway));
    const leased = this.#node.ip === undefined ? this.#cards[0]?.ip : formatIpv4(this.#node.ip);
    const first = addresses[0]?.split('/')[0] ?? (address === 'dhcp' && isMain ? leased : undefined);
    return {
      dhcp: address === 'dhcp',
      addresses,
      ...(first === undefined ? {} : { ip: first }),
      ...(router === undefined ? {} : { gateway: router }),
      dns: dns ?? (network?.dns ?? []).map(formatIpv4),
      search: search ?? searchOf(network),
      ...(mtu === undefined ? {} : { mtu }),
      routes,
    };
  }

  /** The card that is numbered or named so. */
  #card(on: number | string, at: string): Card {
    const card =
      typeof on === 'number'
        ? this.#cards[on - 1]
        : this.#cards.find(({ mac, name }) => name === on || mac === parseMac(on));
    if (card !== undefined) return card;
    const has = this.#cards.map(({ name, mac }, i) => `${i + 1} ${name ?? mac}`).join(', ');
    throw new Error(`vars.${at}.on: ${this.#node.name} has no card ${on}; it has ${has}`);
  }

  /** The link of that name, or that of a card, which becomes a link of its own if it was none. */
  #linkOn(on: number | string, at: string): Link {
    const named = typeof on === 'string' ? this.#links.get(on) : undefined;
    if (named) return named;
    const card = this.#card(on, at);
    const known = this.#linkOf(card);
    if (known) return known;
    const id = `nic${this.#cards.indexOf(card) + 1}`;
    this.#add(nicOf(id, card), {}, at);
    return this.#links.get(id) as Link;
  }

  /** Makes a link a member of `master`; one that is a member already, or has an address of its own, cannot be. */
  #join(on: number | string, master: string, at: string): string {
    const link = this.#linkOn(on, at);
    if (link.master !== undefined) throw new Error(`vars.${at}.on: ${link.id} is a part of ${link.master} already`);
    if (this.#ownAddressed.has(link.id))
      throw new Error(`vars.${at}.on: ${link.id} has an address of its own; give it to ${master}`);
    const { ip: _, gateway: __, ...bare } = link;
    this.#links.set(link.id, { ...bare, dhcp: false, addresses: [], dns: [], search: [], master });
    return link.id;
  }

  /** The second card that the site lists, else the first other one with a cable, else the first other one. */
  #second(): Card | undefined {
    const others = this.#cards.slice(1);
    return others.find(({ mac }) => mac === this.#node.macs[1]) ?? others.find(({ up }) => up) ?? others[0];
  }

  /** The link that a card is. */
  #linkOf(card: Card): Link | undefined {
    return [...this.#links.values()].find((link) => link.kind === 'nic' && link.mac === card.mac);
  }

  /** Whether the link is the boot card, or the link above it: without it the node would have no address. */
  #carriesMain(id: string): boolean {
    let at: string | undefined = 'main';
    while (at !== undefined && at !== id) at = this.#links.get(at)?.master;
    return at === id;
  }

  #outermost(id: string): Link {
    const link = this.#links.get(id) as Link;
    return link.master === undefined ? link : this.#outermost(link.master);
  }
}

/** The node's own address with the prefix of its network. */
function ownAddress({ ip, name }: SiteNode, network: Network | undefined, at: string): string {
  if (ip === undefined || network === undefined) {
    throw new Error(`vars.${at}.address: ${name} has no ip of its own; give it one in the site, or write dhcp`);
  }
  return `${formatIpv4(ip)}/${network.subnet.prefix}`;
}

/** The address in the subnet `text` whose host part is that of the node's own address. */
function sameHostIn(text: string, { ip: own, name }: SiteNode, network: Network | undefined, at: string): string {
  const [base = '', prefix = ''] = text.split('/');
  if (own === undefined || network === undefined) {
    throw new Error(`vars.${at}.subnet: ${name} has no ip of its own whose host part could be taken`);
  }
  const host = own - network.subnet.base;
  if (host >= 2 ** (32 - Number(prefix)) - 1) {
    throw new Error(`vars.${at}.subnet: ${text} has no host ${host}, as which ${formatIpv4(own)} counts`);
  }
  const first = parseIpv4(base) ?? 0;
  return `${formatIpv4((first + host) as Ipv4)}/${prefix}`;
}

/**
 * The addresses that the site gives a node: its own, then those of its variable `net`, each once, on whichever cards. Invalid
 * values are skipped here: `resolveNet` reports them.
 */
export function addressesOf(node: SiteNode, network: Network | undefined): readonly string[] {
  const own = node.ip === undefined ? [] : [formatIpv4(node.ip)];
  const parsed = netVars.safeParse(node.vars.net ?? {});
  if (!parsed.success) return own;
  const { main, nics, bonds, bridge, vlans } = parsed.data;
  const links = [main, bridge ?? {}, ...[nics, bonds, vlans].flatMap((some): Addressing[] => Object.values(some))];
  const theirs = links.flatMap(({ address, subnet }) => {
    if (Array.isArray(address)) return address;
    if (address !== undefined || subnet === undefined) return [];
    try {
      return [sameHostIn(subnet, node, network, 'net')];
    } catch {
      return [];
    }
  });
  return [...new Set([...own, ...theirs.map((one) => one.split('/')[0] ?? one)])];
}

/** Cards of a machine that has not reported yet: those that the site lists, and more up to six. */
export function sampleFacts({ macs }: SiteNode): Facts {
  const more = Array.from({ length: Math.max(0, 6 - macs.length) }, (_, i) =>
    macFromBytes(Uint8Array.of(2, 0, 0, 0, 0, i)),
  );
  const nics = [...macs, ...more].map((mac, i) => ({ name: `eth${i}`, mac, boot: i === 0, up: true }));
  return { system: {}, cpu: {}, nics, disks: [] };
}

/** The boot card first, the others in natural order. */
function cardsOf(node: SiteNode, facts: Facts | undefined): readonly Card[] {
  if (facts === undefined || facts.nics.length === 0) return node.macs.map((mac) => ({ mac, up: true }));
  const boot = facts.nics.find((nic) => nic.boot) ?? facts.nics.find(({ mac }) => node.macs.includes(mac));
  const [first] = facts.nics;
  const main = boot ?? first;
  return [...(main ? [main] : []), ...facts.nics.filter((nic) => nic !== main)].map(({ mac, name, up, ip }) => ({
    mac,
    name,
    up,
    ...(ip === undefined ? {} : { ip }),
  }));
}

/** A link without any address. */
function bare(link: Pick<Link, 'id' | 'kind'> & Partial<Link>): Link {
  return { dhcp: false, addresses: [], dns: [], search: [], routes: [], members: [], ...link };
}

function nicOf(id: string, { mac, name }: Card): Pick<Link, 'id' | 'kind' | 'mac' | 'name'> {
  return { id, kind: 'nic', mac, ...(name === undefined ? {} : { name }) };
}

/** The search domains of `network`. */
export function searchOf(network: Network | undefined): readonly string[] {
  if (network === undefined) return [];
  return network.search.length > 0 || network.domain === undefined ? network.search : [network.domain];
}
