import { formatIpv4, formatSubnet, type Ipv4, inSubnet, netmaskOf, parseIpv4, type Subnet } from '../../net/ipv4.ts';
import { invalid } from '../invalid.ts';
import { writtenDuration } from '../isc/durations.ts';
import { Names } from '../isc/names.ts';
import type { Drafted, NetworkText, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { ipIn, isIpv6, leaseSeconds, tagged } from './values.ts';

type Range = {
  readonly setting: Setting;
  readonly needs: readonly Field[];
  readonly set?: string;
  readonly start: Ipv4;
  readonly end: Ipv4;
  readonly mode?: 'static' | 'proxy';
  readonly prefix?: number;
  readonly broadcast?: Ipv4;
  readonly lease?: number;
};

type PoolText = NonNullable<NetworkText['pools']>[number];

const USUAL_LEASE = 3600;

/** Writes the networks that `dhcp-range` lines are about, each with its interface, its pools and what dnsmasq gives by itself. */
export function draftNetworks(reading: Reading): void {
  const ranges: Range[] = [];
  reading.each(reading.of('dhcp-range'), (setting) => {
    const range = rangeOf(setting, reading);
    if (range !== undefined) ranges.push(range);
  });
  const names = new Names();
  for (const range of ranges) {
    const drafted = networkOf(range, ranges, names, reading);
    if (range.set !== undefined) drafted.tags.add(range.set);
    addPool(range, drafted, reading);
  }
  for (const network of reading.networks) addServer(network, reading);
  for (const setting of reading.of('listen-address', 'interface')) reading.tell('taken', setting);
}

function rangeOf(setting: Setting, reading: Reading): Range | undefined {
  const { needs, sets, rest } = tagged(setting.fields);
  // In front of the addresses a bare word is a tag that the range sets, as older configurations have it.
  const bare = rest[0] !== undefined && /^[A-Za-z_][\w-]*$/.test(rest[0].text) ? rest[0] : undefined;
  const fields = bare === undefined ? rest : rest.slice(1);
  const set = sets[0]?.text ?? bare?.text;
  if (fields.some(({ text }) => isIpv6(text) || text.startsWith('constructor:'))) {
    reading.tell('left', setting, 'Reveille serves IPv4: keep the IPv6 part with its own server');
    return undefined;
  }
  const [start, second, ...others] = fields;
  if (start === undefined) throw invalid(setting.place, 'this range has no address');
  const from = ipIn(start);
  const mode = second?.text === 'static' || second?.text === 'proxy' ? second.text : undefined;
  const end = second === undefined || mode !== undefined ? from : ipIn(second);
  if (end < from) throw invalid(second?.place ?? start.place, 'this range runs backwards');
  if (mode === 'proxy') {
    reading.tell('left', setting, 'Reveille gives out addresses itself; it does not stand beside another DHCP server');
    return undefined;
  }
  const last = others.at(-1);
  const lease = last === undefined ? undefined : leaseSeconds(last.text);
  const [mask, broadcast, ...more] = lease === undefined ? others : others.slice(0, -1);
  const unread = lease === undefined && others.length > 2 ? last : more[0];
  if (unread !== undefined) throw invalid(unread.place, `${JSON.stringify(unread.text)} is not understood here`);
  return {
    setting,
    needs,
    start: from,
    end,
    ...(set === undefined ? {} : { set }),
    ...(mode === undefined ? {} : { mode }),
    ...(mask === undefined ? {} : { prefix: prefixOf(mask) }),
    ...(broadcast === undefined ? {} : { broadcast: ipIn(broadcast) }),
    ...(lease === undefined ? {} : { lease }),
  };
}

function prefixOf(mask: Field): number {
  const ip = ipIn(mask);
  for (let prefix = 1; prefix <= 32; prefix++) if (netmaskOf(prefix) === ip) return prefix;
  throw invalid(mask.place, `${mask.text} is not a netmask`);
}

/** The network of a range: one that is drafted already, or a new one. */
function networkOf(range: Range, all: readonly Range[], names: Names, reading: Reading): Drafted {
  const known = reading.networks.find(({ subnet }) => inSubnet(subnet, range.start) && inSubnet(subnet, range.end));
  if (known !== undefined) return known;
  const found = subnetOf(range, all, reading);
  const requests = interfaceOf(found.subnet, range, reading);
  const { setting, set, broadcast, lease } = range;
  const name = names.take(set, all.length === 1 ? 'lan' : undefined, formatIpv4(found.subnet.base));
  const text: NetworkText = {
    ...(requests === undefined ? {} : { interface: requests }),
    subnet: formatSubnet(found.subnet),
    ...(broadcast === undefined ? {} : { broadcast: formatIpv4(broadcast) }),
    lease: writtenDuration(lease ?? USUAL_LEASE),
  };
  const drafted = { name, subnet: found.subnet, text, tags: new Set<string>(), forTags: 0, place: setting.place };
  if (requests !== undefined) drafted.tags.add(requests);
  if (found.why !== undefined) reading.tell('changed', setting, found.why);
  reading.networks.push(drafted);
  reading.draft.site.networks = { ...reading.draft.site.networks, [name]: text };
  reading.draft.comment(['networks', name], `${setting.place.file}:${setting.place.line} ${setting.whole}`);
  return drafted;
}

/** The subnet of a range: by its own mask, by that of another range of it, by an interface of this machine, else a guess. */
function subnetOf(
  { start, end, prefix }: Range,
  all: readonly Range[],
  reading: Reading,
): { subnet: Subnet; why?: string } {
  if (prefix !== undefined) return { subnet: subnetAt(start, prefix) };
  const interfaces = [...reading.around.addresses.values()].flat();
  const kin = all.flatMap((range) => (range.prefix === undefined ? [] : [subnetAt(range.start, range.prefix)]));
  const known = [...kin, ...interfaces.map((one) => subnetAt(one.ip, one.prefix))].find(
    (subnet) => inSubnet(subnet, start) && inSubnet(subnet, end),
  );
  if (known !== undefined) return { subnet: known };
  let guess = 24;
  while (guess > 1 && !inSubnet(subnetAt(start, guess), end)) guess--;
  const why = `no netmask is given, and dnsmasq takes that of its interface: /${guess} is a guess`;
  return { subnet: subnetAt(start, guess), why };
}

function subnetAt(ip: Ipv4, prefix: number): Subnet {
  return { base: ((ip & netmaskOf(prefix)) >>> 0) as Ipv4, prefix };
}

/** The interface on which a network's requests arrive, where that can be told. */
function interfaceOf(subnet: Subnet, { setting, needs, set }: Range, reading: Reading): string | undefined {
  if (reading.around.interface !== undefined) return reading.around.interface;
  const unserved = reading.of('except-interface', 'no-dhcp-interface', 'no-dhcpv4-interface');
  const left = new Set(['lo', ...unserved.flatMap(({ fields }) => fields.map(({ text }) => text))]);
  const listed = reading.of('interface').flatMap(({ fields }) => fields.map(({ text }) => text));
  const named = listed.filter((name) => !left.has(name) && !name.includes('*'));
  const tag = [...needs.map(({ text }) => text), set].find((one) => one !== undefined && named.includes(one));
  if (tag !== undefined) return tag;
  for (const [name, addresses] of reading.around.addresses) {
    if (!left.has(name) && addresses.some(({ ip }) => inSubnet(subnet, ip))) return name;
  }
  if (named.length === 1) return named[0];
  const why =
    'which interface its requests come through cannot be told: write `interface:`, unless only relays reach it';
  reading.tell('changed', setting, why);
  return undefined;
}

function addPool(range: Range, network: Drafted, reading: Reading): void {
  const { setting, start, end, mode, lease, needs } = range;
  const filters = needs.filter(({ text }) => !network.tags.has(text));
  if (mode === 'static') {
    reading.tell('taken', setting, `network ${network.name}, where only nodes get addresses`);
    return;
  }
  const members = membersOf(filters, reading);
  if (typeof members === 'string') {
    reading.tell('left', setting, members);
    return;
  }
  const written = writtenDuration(lease ?? USUAL_LEASE);
  const pool: PoolText = {
    range: `${formatIpv4(start)}-${formatIpv4(end)}`,
    ...members,
    ...(written === network.text.lease ? {} : { lease: written }),
  };
  // dnsmasq looks at ranges for tags before it looks at those for everybody.
  network.forTags += filters.length > 0 ? 1 : 0;
  network.text.pools = (network.text.pools ?? []).toSpliced(
    filters.length > 0 ? network.forTags - 1 : Infinity,
    0,
    pool,
  );
  reading.tell('taken', setting, `a pool of network ${network.name}`);
}

/** Who draws from a pool whose range needs these tags; a text says why no pool can stand for that. */
function membersOf(needs: readonly Field[], reading: Reading): Pick<PoolText, 'allow' | 'deny'> | string {
  const knownOnly = reading
    .of('dhcp-ignore')
    .some(({ fields }) => tagged(fields).needs.every(({ text }) => isUnknown(text)));
  const anyone = { allow: knownOnly ? 'known' : 'any' };
  if (needs.length === 0) return anyone;
  const [{ text, place } = { text: '', place: { file: '', line: 1, col: 1 } }, ...more] = needs;
  if (more.length > 0) {
    return 'it counts only where several tags are set, which a pool cannot ask for: write a class for them';
  }
  if (text === 'known') return { allow: 'known' };
  if (isUnknown(text)) return knownOnly ? 'dhcp-ignore refuses all that it is for' : { allow: 'unknown' };
  const isNegated = /^[!#]/.test(text);
  const { name } = reading.classOf(text.replace(/^[!#]/, ''), place);
  return isNegated ? { ...anyone, deny: name } : { allow: name };
}

export function isUnknown(tag: string): boolean {
  return tag === '!known' || tag === '#known';
}

/** The server's own address in a network, which dnsmasq names as router and name server where nothing else is said. */
function addServer(network: Drafted, reading: Reading): void {
  const listed = reading.of('listen-address').flatMap(({ fields }) => fields.map(({ text }) => parseIpv4(text)));
  const own = [...listed, ...reading.ownAddresses()].find((ip) => ip !== undefined && inSubnet(network.subnet, ip));
  if (own !== undefined) network.text.server = formatIpv4(own);
}
