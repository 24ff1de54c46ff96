import type { Place } from '../../errors.ts';
import {
  broadcastOf,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  inSubnet,
  netmaskOf,
  parseIpv4,
  type Subnet,
} from '../../model/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import { hostlessWords, isHost } from '../../site/networks.ts';
import type { ImportContext } from '../context.ts';
import type { SiteDraft, SiteText } from '../draft.ts';
import { invalid, type Problems } from '../invalid.ts';
import { Names } from '../isc/meaning/names.ts';
import { reason, type Why } from '../reason.ts';
import { type NetworkWords, networkWords } from './devices.ts';
import type { Device } from './layers.ts';

type NetworkText = NonNullable<SiteText['networks']>[string];
type Options = { [name: string]: unknown };

/** Where a node stands: its address, what DHCP gives it besides what its network gives, and what is to be said of that. */
export type Placed = {
  readonly ip?: Ipv4;
  readonly options: Options;
  readonly notes: readonly Why[];
  /** Whether all that DHCP gives is written: with the network, or with the node. */
  readonly isWhole: boolean;
};

/** The netmask of a device without one, in the versions that have one for it (4.3 to 4.5). */
const USUAL_PREFIX = 24;

/** The networks that nodes boot in: one for each subnet of their first devices. */
export class Networks {
  readonly #draft: SiteDraft;
  readonly #context: Omit<ImportContext, 'tree'>;
  readonly #version: number;
  readonly #names = new Names();
  readonly #lent = new Set<Ipv4>();
  readonly #known: { readonly subnet: Subnet; readonly text: NetworkText; readonly words: NetworkWords }[] = [];

  constructor(draft: SiteDraft, context: Omit<ImportContext, 'tree'>, version: number) {
    this.#draft = draft;
    this.#context = context;
    this.#version = version;
  }

  /** Makes the network of a device whose netmask is known. */
  learn(name: string, device: Device | undefined, place: Place): void {
    const { ip, prefix } = addressOf(device);
    if (device !== undefined && ip !== undefined && prefix !== undefined && this.#at(ip) === undefined) {
      this.#add(name, subnetAt(ip, prefix), device, place);
    }
  }

  /** Whether a device's address lies in a network, or in one that can be guessed. */
  has(device: Device | undefined): boolean {
    const { ip } = addressOf(device);
    return ip !== undefined && (this.#at(ip) !== undefined || this.#guess(ip) !== undefined);
  }

  /** The address of a node's first device, in its network, which is guessed where the device has no netmask. */
  place(name: string, device: Device | undefined, place: Place, problems: Problems): Placed {
    const nowhere = { options: {}, notes: [], isWhole: false };
    const { text, ip } = addressOf(device);
    if (device === undefined || text === '') return nowhere;
    if (ip === undefined) {
      problems.add(invalid(place, `${quoted(text)} is not an IPv4 address`));
      return nowhere;
    }
    const guess = this.#at(ip) === undefined ? this.#guess(ip) : undefined;
    if (guess !== undefined) {
      this.#add(name, guess.subnet, device, place);
      this.#draft.remark('changed', place, `device ${name} without a netmask`, guess.why);
    }
    const known = this.#at(ip);
    if (known === undefined) {
      this.#draft.remark('left', place, `address ${text}`, 'its netmask is not given: write the network, then `ip:`');
      return nowhere;
    }
    const refusal = this.#refusal(ip, known);
    if (refusal !== undefined) {
      this.#draft.remark('left', place, `address ${text}`, refusal);
      return nowhere;
    }
    this.#lent.add(ip);
    return { ip, isWhole: true, ...differences(networkWords(device), known.words) };
  }

  /** Why no node can have an address, if none can. */
  #refusal(ip: Ipv4, { subnet, text }: { readonly subnet: Subnet; readonly text: NetworkText }): Why | undefined {
    const network = { subnet, broadcast: broadcastOf(subnet) };
    if (!isHost(network, ip)) return reason`${formatIpv4(ip)} is ${hostlessWords(network, ip)} of its network`;
    if (formatIpv4(ip) === text.gateway)
      return reason`${formatIpv4(ip)} is the gateway of its network, which a node cannot be`;
    return this.#lent.has(ip) ? reason`another node has ${formatIpv4(ip)} already` : undefined;
  }

  #at(ip: Ipv4) {
    return this.#known.find(({ subnet }) => inSubnet(subnet, ip));
  }

  #guess(ip: Ipv4): { readonly subnet: Subnet; readonly why: Why } | undefined {
    if (this.#version >= 43 && this.#version <= 45) {
      const why = 'Warewulf 4.3 to 4.5 take 255.255.255.0 then, and so does the network: a guess, look at `subnet:`';
      return { subnet: subnetAt(ip, USUAL_PREFIX), why };
    }
    for (const [name, addresses] of this.#context.addresses) {
      const own = addresses.map((one) => subnetAt(one.ip, one.prefix)).find((subnet) => inSubnet(subnet, ip));
      if (own !== undefined) {
        return {
          subnet: own,
          why: reason`${formatSubnet(own)} of this machine's interface ${name} is a guess: look at \`subnet:\``,
        };
      }
    }
    return undefined;
  }

  #add(device: string, subnet: Subnet, said: Device, place: Place): void {
    const { addresses, interface: named } = this.#context;
    const found = [...addresses].find(([, list]) => list.some(({ ip }) => inSubnet(subnet, ip)));
    const requests = named ?? found?.[0];
    const { gateway, dns, search, mtu } = networkWords(said);
    const isInside = gateway !== undefined && inSubnet(subnet, parseIpv4(gateway) ?? (0 as Ipv4));
    const text: NetworkText = {
      ...(requests === undefined ? {} : { interface: requests }),
      subnet: formatSubnet(subnet),
      ...(isInside ? { gateway } : {}),
      ...(dns === undefined ? {} : { dns: [...dns] }),
      ...(search === undefined ? {} : { search: [...search] }),
      ...(mtu === undefined ? {} : { mtu }),
    };
    const words = networkWords(said);
    if (gateway !== undefined && !isInside) text.options = { routers: [gateway] };
    const name = this.#names.take(device === 'default' ? 'cluster' : device);
    this.#known.push({ subnet, text, words });
    this.#draft.site.networks ??= {};
    this.#draft.site.networks[name] = text;
    this.#draft.comment(['networks', name], `${place.file}:${place.line} device ${device}`);
    if (requests !== undefined) return;
    const why =
      'which interface its requests come through is not said: write `interface:`, unless only relays reach it';
    this.#draft.remark('changed', place, `network ${name}`, why);
  }
}

/** What a node is given otherwise than its network gives, as options; what the network gives and it had not is said. */
function differences(
  own: NetworkWords,
  network: NetworkWords,
): { readonly options: Options; readonly notes: readonly Why[] } {
  const names = {
    gateway: 'routers',
    dns: 'domain-name-servers',
    search: 'domain-search',
    mtu: 'interface-mtu',
  } as const;
  const words = {
    gateway: 'the router',
    dns: 'the name servers',
    search: 'the domains to search',
    mtu: 'the MTU',
  } as const;
  const options: Options = {};
  const notes: Why[] = [];
  for (const key of ['gateway', 'dns', 'search', 'mtu'] as const) {
    if (JSON.stringify(own[key]) === JSON.stringify(network[key])) continue;
    if (own[key] === undefined) notes.push(reason`it is given ${words[key]} of its network, and had none`);
    else options[names[key]] = key === 'gateway' ? [own[key]] : own[key];
  }
  return { options, notes };
}

function addressOf(device: Device | undefined): {
  readonly text: string;
  readonly ip?: Ipv4;
  readonly prefix?: number;
} {
  const [text = '', bits] = (device?.fields.ipaddr ?? device?.fields.ipcidr ?? '').split('/');
  const [, cidr] = (device?.fields.ipcidr ?? '').split('/');
  const ip = parseIpv4(text);
  const prefix = bits === undefined ? (prefixOf(device?.fields.netmask) ?? numberOf(cidr)) : numberOf(bits);
  return { text, ...(ip === undefined ? {} : { ip }), ...(prefix === undefined ? {} : { prefix }) };
}

function numberOf(bits: string | undefined): number | undefined {
  const prefix = bits !== undefined && /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  return prefix >= 1 && prefix <= 32 ? prefix : undefined;
}

function prefixOf(mask: string | undefined): number | undefined {
  const ip = mask === undefined ? undefined : parseIpv4(mask);
  for (let prefix = 1; prefix <= 32; prefix++) if (netmaskOf(prefix) === ip) return prefix;
  return undefined;
}

function subnetAt(ip: Ipv4, prefix: number): Subnet {
  return { base: ((ip & netmaskOf(prefix)) >>> 0) as Ipv4, prefix };
}
