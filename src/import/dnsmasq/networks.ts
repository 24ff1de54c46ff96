import {
  broadcastOf,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  type Ipv4Range,
  inRange,
  inSubnet,
  netmaskOf,
  parseIpv4,
  type Subnet,
} from '../../model/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import { rangeWords } from '../../site/pools.ts';
import type { Path } from '../../site/yaml.ts';
import { invalid } from '../invalid.ts';
import { writtenDuration } from '../isc/meaning/durations.ts';
import { Names } from '../isc/meaning/names.ts';
import { isWhy, reason, type Why } from '../reason.ts';
import { allowOf } from './members.ts';
import { optionLines } from './optionLines.ts';
import type { Drafted, NetworkText, PoolText, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { ipIn, isIpv6, leaseSeconds, tagged } from './values.ts';

/** A line of `dhcp-range`. */
export type Range = {
  readonly setting: Setting;
  readonly needs: readonly Field[];
  readonly sets: readonly string[];
  readonly start: Ipv4;
  readonly end: Ipv4;
  readonly mode?: 'static' | 'proxy';
  readonly prefix?: number;
  readonly broadcast?: Ipv4;
  readonly lease?: number;
};

const USUAL_LEASE = 3600;

/** A range and the network that it is of. */
export type Placed = { readonly range: Range; readonly network: Drafted };

/** Writes the networks that `dhcp-range` lines are about, each with its interface and the address of this server in it. */
export function draftNetworks(reading: Reading): readonly Placed[] {
  const ranges: Range[] = [];
  reading.each(reading.of('dhcp-range'), (setting) => {
    const range = rangeOf(setting, reading);
    if (range !== undefined) ranges.push(range);
  });
  const names = new Names();
  const placed = ranges.map((range) => ({ range, network: networkOf(range, ranges, names, reading) }));
  for (const network of reading.networks) addServer(network, reading);
  if (reading.networks.length === 0) tellNoNetwork(reading);
  return placed;
}

function tellNoNetwork({ draft, settings }: Reading): void {
  const place = { file: settings[0]?.place.file ?? 'dnsmasq.conf', line: 1, col: 1 };
  const why =
    'no dhcp-range gives addresses here, and a site without networks answers no machine: write `networks:`, or import the file that has the ranges';
  draft.remark('left', place, 'networks', why);
}

/**
 * Writes the pools of the ranges, without the addresses that no machine may be given, and learns which tags a request has by the
 * range that its address is of.
 */
export function draftPools(placed: readonly Placed[], reading: Reading): void {
  // Ranges for some machines come before those for all, and have the addresses that both have.
  const isForSome = ({ range }: Placed) => (range.needs.length > 0 ? 0 : 1);
  for (const { range, network } of placed.toSorted((one, other) => isForSome(one) - isForSome(other))) {
    reading.each([range], () => addPool(range, network, reading));
  }
  for (const network of reading.networks)
    addZones(
      network,
      placed.filter((one) => one.network === network),
      reading,
    );
}

/** Where the interfaces and addresses that the lines name stand now. */
export function tellInterfaces(reading: Reading): void {
  const tell = (setting: Setting, key: 'interface' | 'server') => {
    const words = setting.fields.map(({ text }) => text);
    const owners = reading.networks.filter(({ text }) => text[key] !== undefined && words.includes(text[key]));
    const at = owners.map(({ name }): Path => ['networks', name, key]);
    if (at.length > 0) reading.taken(setting, at);
    else
      reading.left(setting, `no network is there: Reveille listens where the networks are, and nowhere else`, 'server');
  };
  for (const setting of reading.of('interface')) tell(setting, 'interface');
  for (const setting of reading.of('listen-address')) tell(setting, 'server');
}

function rangeOf(setting: Setting, reading: Reading): Range | undefined {
  const { needs, sets, rest } = tagged(setting.fields);
  // In front of the addresses a bare word is a tag that the range sets, as older configurations have it.
  const bare = rest[0] !== undefined && /^[A-Za-z_][\w-]*$/.test(rest[0].text) ? rest[0] : undefined;
  const fields = bare === undefined ? rest : rest.slice(1);
  if (fields.some(({ text }) => isIpv6(text) || text.startsWith('constructor:'))) {
    reading.left(setting, 'Reveille serves IPv4: keep the IPv6 part with its own server', 'other');
    return undefined;
  }
  const [start, second, ...others] = fields;
  if (start === undefined) throw invalid(setting.place, 'this range has no address');
  const from = ipIn(start);
  const mode = second?.text === 'static' || second?.text === 'proxy' ? second.text : undefined;
  const to = second === undefined || mode !== undefined ? from : ipIn(second);
  if (mode === 'proxy') {
    reading.left(setting, 'Reveille gives out addresses itself; it does not stand beside another DHCP server');
    return undefined;
  }
  const last = others.at(-1);
  const lease = last === undefined ? undefined : leaseSeconds(last.text);
  const [mask, broadcast, ...more] = lease === undefined ? others : others.slice(0, -1);
  const unread = lease === undefined && others.length > 2 ? last : more[0];
  if (unread !== undefined) throw invalid(unread.place, `${quoted(unread.text)} is not understood here`);
  const prefix = mask === undefined ? undefined : prefixOf(mask);
  if (prefix !== undefined && !inSubnet(subnetAt(from, prefix), to)) {
    const words = `${formatIpv4(from)} and ${formatIpv4(to)} are not of one network with the netmask ${mask?.text}`;
    throw invalid(
      mask?.place ?? setting.place,
      words,
      'write a range for each network, or the netmask that holds both',
    );
  }
  return {
    setting,
    needs,
    // dnsmasq takes the ends in either order.
    start: Math.min(from, to) as Ipv4,
    end: Math.max(from, to) as Ipv4,
    sets: [...sets.map(({ text }) => text), ...(bare === undefined ? [] : [bare.text])],
    ...(mode === undefined ? {} : { mode }),
    ...(prefix === undefined ? {} : { prefix }),
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
  const { setting, sets, broadcast, lease } = range;
  const isOnly = all.every(({ start }) => inSubnet(found.subnet, start));
  const name = names.take(sets[0], isOnly ? 'lan' : undefined, formatIpv4(found.subnet.base));
  const text: NetworkText = {
    ...(requests === undefined ? {} : { interface: requests }),
    subnet: formatSubnet(found.subnet),
    ...(broadcast === undefined ? {} : { broadcast: formatIpv4(broadcast) }),
    lease: writtenDuration(lease ?? USUAL_LEASE),
  };
  const drafted: Drafted = {
    name,
    subnet: found.subnet,
    text,
    zones: [],
    lent: [],
    without: new Set(),
    forTags: 0,
    place: setting.place,
  };
  if (found.why !== undefined) reading.tell('changed', setting, found.why);
  reading.networks.push(drafted);
  reading.draft.site.networks ??= {};
  reading.draft.site.networks[name] = text;
  reading.draft.comment(['networks', name], `${setting.place.file}:${setting.place.line} ${setting.whole}`);
  return drafted;
}

/** The subnet of a range: by its own mask, by that of another range of it, by an interface of this machine, else a guess. */
function subnetOf(
  { start, end, prefix }: Range,
  all: readonly Range[],
  reading: Reading,
): { subnet: Subnet; why?: Why } {
  if (prefix !== undefined) return { subnet: subnetAt(start, prefix) };
  const interfaces = [...reading.context.addresses.values()].flat();
  const kin = all.flatMap((range) => (range.prefix === undefined ? [] : [subnetAt(range.start, range.prefix)]));
  const known = [...kin, ...interfaces.map((one) => subnetAt(one.ip, one.prefix))].find(
    (subnet) => inSubnet(subnet, start) && inSubnet(subnet, end),
  );
  if (known !== undefined) return { subnet: known };
  let guess = 24;
  while (guess > 1 && !inSubnet(subnetAt(start, guess), end)) guess--;
  const why = reason`no netmask is given, and dnsmasq takes that of its interface: /${guess} is a guess`;
  return { subnet: subnetAt(start, guess), why };
}

function subnetAt(ip: Ipv4, prefix: number): Subnet {
  return { base: ((ip & netmaskOf(prefix)) >>> 0) as Ipv4, prefix };
}

/** The interface on which a network's requests arrive, where that can be seen. */
function interfaceOf(subnet: Subnet, { setting, needs, sets }: Range, reading: Reading): string | undefined {
  if (reading.context.interface !== undefined) return reading.context.interface;
  const unserved = reading.of('except-interface', 'no-dhcp-interface', 'no-dhcpv4-interface');
  const left = new Set(['lo', ...unserved.flatMap(({ fields }) => fields.map(({ text }) => text))]);
  const listed = reading.of('interface').flatMap(({ fields }) => fields.map(({ text }) => text));
  const named = listed.filter((name) => !left.has(name) && !name.includes('*'));
  const tag = [...needs.map(({ text }) => text), ...sets].find((one) => named.includes(one));
  if (tag !== undefined) return tag;
  for (const [name, addresses] of reading.context.addresses) {
    if (!left.has(name) && addresses.some(({ ip }) => inSubnet(subnet, ip))) return name;
  }
  if (named.length === 1) return named[0];
  const why =
    'which interface its requests come through cannot be seen: write `interface:`, unless only relays reach it';
  reading.tell('changed', setting, why);
  return undefined;
}

function addPool(range: Range, network: Drafted, reading: Reading): void {
  const { setting, start, end, mode, lease, needs } = range;
  const filters = needs.filter(({ text }) => text !== network.text.interface);
  if (mode === 'static') {
    reading.taken(setting, [['networks', network.name]], `network ${network.name}, where only nodes get addresses`);
    return;
  }
  const members = allowOf(filters, reading);
  if (isWhy(members)) {
    reading.left(setting, members);
    return;
  }
  const kept = withoutTaken({ first: start, last: end }, network, setting, reading);
  if (kept.length === 0) {
    reading.left(setting, 'it holds no address that a machine may be given');
    return;
  }
  const own = withoutOthers(kept, network, setting, reading);
  if (own.length === 0) return;
  network.lent.push(...own);
  const words = own.map(rangeWords);
  const written = writtenDuration(lease ?? USUAL_LEASE);
  const pool: PoolText = {
    range: words.length === 1 ? (words[0] ?? '') : words,
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
  POOLS.set(range, pool);
}

/** The pools that ranges became. */
const POOLS = new WeakMap<Range, PoolText>();

/** Tells of each range that became a pool, once no pool comes or goes any more. */
export function tellPools(placed: readonly Placed[], reading: Reading): void {
  for (const { range, network } of placed) {
    const pool = POOLS.get(range);
    if (pool === undefined) continue;
    const at = network.text.pools?.indexOf(pool) ?? -1;
    if (at < 0) reading.left(range.setting, 'dhcp-ignore refuses all that it is for');
    else reading.taken(range.setting, [['networks', network.name, 'pools', at]], `a pool of network ${network.name}`);
  }
}

/** The parts of a range around the addresses that no client may have, dnsmasq's own among them, which it never lends. */
function withoutTaken(
  range: Ipv4Range,
  { subnet, text, name }: Drafted,
  setting: Setting,
  reading: Reading,
): readonly Ipv4Range[] {
  const routers = optionLines(reading)
    .filter(({ code }) => code === 3)
    .flatMap(({ values }) => values.map((value): [Ipv4 | undefined, string] => [parseIpv4(value.text), "a router's"]));
  const taken: [Ipv4 | undefined, string][] = [
    ...reading.ownIn(subnet).map((ip): [Ipv4, string] => [ip, "this server's"]),
    ...routers,
    [text.broadcast === undefined ? undefined : parseIpv4(text.broadcast), 'for broadcasts'],
  ];
  if (subnet.prefix <= 30) taken.push([subnet.base, "the network's own"], [broadcastOf(subnet), 'for broadcasts']);
  let parts: readonly Ipv4Range[] = [range];
  for (const [ip, whose] of taken) {
    if (ip === undefined || !parts.some((part) => inRange(part, ip))) continue;
    parts = parts.flatMap((part) => outside(part, { first: ip, last: ip }));
    reading.tell(
      'changed',
      setting,
      reason`${formatIpv4(ip)} is ${whose} and is left out of the pool of network ${name}`,
    );
  }
  return parts;
}

/** The parts that no range before has: dnsmasq has nothing against ranges that overlap, but an address is of one pool. */
function withoutOthers(
  parts: readonly Ipv4Range[],
  { lent, name }: Drafted,
  setting: Setting,
  reading: Reading,
): readonly Ipv4Range[] {
  const own = lent.reduce<readonly Ipv4Range[]>((left, other) => left.flatMap((part) => outside(part, other)), parts);
  const where = `of another range of network ${name}`;
  if (own.length === 0) reading.left(setting, reason`all its addresses are ${where}`);
  else if (JSON.stringify(own) !== JSON.stringify(parts)) {
    reading.tell(
      'changed',
      setting,
      reason`it is without the addresses that are ${where}: ${own.map(rangeWords).join(', ')}`,
    );
  }
  return own;
}

function outside(part: Ipv4Range, { first, last }: Ipv4Range): readonly Ipv4Range[] {
  const parts = [
    { first: part.first, last: Math.min(part.last, first - 1) as Ipv4 },
    { first: Math.max(part.first, last + 1) as Ipv4, last: part.last },
  ];
  return parts.filter((one) => one.first <= one.last);
}

/**
 * What tags a request has by its address: those of the range that it is of, outside of all ranges those of the first. Ranges
 * that set the same tags as the network are no zones of their own.
 */
function addZones(network: Drafted, placed: readonly Placed[], reading: Reading): void {
  const [first, ...others] = placed.map(({ range }) => range);
  if (first === undefined) return;
  const own = network.text.interface === undefined ? [] : [network.text.interface];
  const shared = first.sets.filter((tag) => others.every(({ sets }) => sets.includes(tag)));
  const isOutside =
    first.mode === 'static' || others.some(({ mode }) => mode === 'static') || hasHosts(network, placed, reading);
  const base = new Set([...own, ...(isOutside ? first.sets : shared)]);
  network.zones.push({ network, tags: base });
  for (const range of [first, ...others]) {
    const pool = POOLS.get(range);
    if (
      pool === undefined ||
      (range.sets.length === base.size - own.length && range.sets.every((tag) => base.has(tag)))
    )
      continue;
    network.zones.push({
      network,
      pool,
      range: { first: range.start, last: range.end },
      tags: new Set([...own, ...range.sets]),
    });
  }
}

/** Whether hosts have addresses outside of all ranges. */
function hasHosts(network: Drafted, placed: readonly Placed[], { hosts }: Reading): boolean {
  const ranges = placed.map(({ range: { start, end } }) => ({ first: start, last: end }));
  return hosts.some(
    ({ ip, network: its }) => its === network && ip !== undefined && !ranges.some((range) => inRange(range, ip)),
  );
}

/** The server's own address in a network, which dnsmasq names as router and name server where nothing else is said. */
function addServer(network: Drafted, reading: Reading): void {
  const [own] = reading.ownIn(network.subnet);
  if (own !== undefined) network.text.server = formatIpv4(own);
}
