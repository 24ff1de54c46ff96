import { OPTION } from '../../dhcp/options.ts';
import {
  type Subnet as Block,
  broadcastOf,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  inSubnet,
  netmaskOf,
  parseIpv4,
  UNSPECIFIED,
} from '../../net/ipv4.ts';
import { isHost } from '../../site/networks.ts';
import type { SiteText } from '../draft.ts';
import { invalid } from '../invalid.ts';
import { writtenDuration } from './durations.ts';
import { addressesOf, type Given, type GivenOption, givenBy } from './given.ts';
import { Names } from './names.ts';
import { optionEntry } from './optionValues.ts';
import type { Reading } from './reading.ts';
import { type Setting, type Subnet, settingsIn, type Wire } from './scopes.ts';
import { show } from './show.ts';
import { numberOf, wordOf } from './words.ts';

export type NetworkText = NonNullable<SiteText['networks']>[string];
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A subnet as a network of the site: its name, its addresses, what it gives, and what is written of it. */
export type Drafted = {
  readonly name: string;
  readonly subnet: Subnet;
  readonly block: Block;
  readonly settings: ReadonlyMap<string, Setting>;
  readonly given: Given;
  readonly text: Writable<NetworkText>;
};

/** Writes every subnet as a network. */
export function draftNetworks(reading: Reading): readonly Drafted[] {
  const names = new Names();
  const networks: Drafted[] = [];
  const interfaces = interfacesOf(reading);
  for (const wire of reading.outline.wires) {
    for (const subnet of wire.subnets) {
      const block = reading.attempt(() => blockOf(subnet, reading));
      if (block === undefined) continue;
      const settings = settingsIn(subnet.scope);
      const given = givenBy(settings, reading);
      const name = names.take(...namesFor(subnet, block, given, reading));
      const text: Writable<NetworkText> = { subnet: formatSubnet(block) };
      const network: Drafted = { name, subnet, block, settings, given, text };
      const found = interfaces.get(wire);
      if (found !== undefined) text.interface = found;
      else if (interfaces.size === 0) reading.draft.comment(['networks', name, 'subnet'], FILL_IN);
      fill(network, reading);
      networks.push(network);
      reading.draft.site.networks ??= {};
      reading.draft.site.networks[name] = text;
      reading.from('networks', name, subnet.statement.place, inWords(subnet));
      reading.tell('taken', subnet.statement, `network ${name}`);
    }
  }
  return networks;
}

function inWords({ statement, wire }: Subnet): string {
  return wire.name === undefined ? show(statement) : `${show(statement)} of shared-network ${wire.name}`;
}

function blockOf({ statement }: Subnet, { around }: Reading): Block {
  const base = parseIpv4(statement.base.text) ?? around.resolved.get(statement.base.text);
  const mask = parseIpv4(statement.netmask.text);
  const prefix = mask === undefined ? -1 : prefixOf(mask);
  if (prefix < 0) throw invalid(statement.netmask.place, `"${statement.netmask.text}" is not a netmask`);
  if (base === undefined) throw invalid(statement.base.place, 'this name has no address here', 'write the address');
  if ((base & netmaskOf(prefix)) >>> 0 !== base) {
    throw invalid(statement.base.place, `${formatIpv4(base)} has bits set beyond netmask ${statement.netmask.text}`);
  }
  return { base, prefix };
}

/** The prefix length of a netmask; -1 if its ones do not come first. */
function prefixOf(mask: Ipv4): number {
  for (let prefix = 0; prefix <= 32; prefix++) if (netmaskOf(prefix) === mask) return prefix;
  return -1;
}

/** Names for a network, best first: of the class that alone draws from it, of its wire, of its domain, of its address. */
function namesFor(subnet: Subnet, block: Block, given: Given, reading: Reading): readonly (string | undefined)[] {
  const { wire } = subnet;
  const address = `net-${formatIpv4(block.base)}`;
  if (wire.subnets.length === 1) {
    const domain = subnet.scope.set.has('option dhcp.domain-name') ? given.options.get(OPTION.domain.code) : undefined;
    const label = typeof domain?.value.written === 'string' ? domain.value.written.split('.')[0] : undefined;
    return [wire.name?.toLowerCase(), label, address];
  }
  const members = reading.outline.pools
    .filter((pool) => pool.wire === wire && pool.ranges.some(({ first }) => isIn(block, first.text)))
    .map(({ permits }) =>
      permits.flatMap(({ verb, what }) => (verb === 'allow' && what.kind === 'members' ? [what.of] : [])),
    );
  const [only] = new Set(members.flat());
  const ofClass =
    members.length > 0 && members.every((list) => list.length === 1 && list[0] === only) ? only : undefined;
  return [ofClass?.toLowerCase(), wire.name?.toLowerCase(), address];
}

/** Whether a machine may have this address in the subnet. */
function isHostOf(block: Block, broadcast: string | undefined, text: string): boolean {
  const ip = parseIpv4(text);
  const last = broadcast === undefined ? undefined : parseIpv4(broadcast);
  return (
    ip !== undefined && inSubnet(block, ip) && isHost({ subnet: block, broadcast: last ?? broadcastOf(block) }, ip)
  );
}

function isIn(block: Block, text: string): boolean {
  const ip = parseIpv4(text);
  return ip !== undefined && inSubnet(block, ip);
}

const FILL_IN = 'interface: ...  where its requests arrive, if not by relays';

/**
 * The interface of each wire: the one that its configuration names, the one of this machine that has an address there, or
 * the operator's for the only wire, or for the only one that gives nothing out: dhcpd wants a subnet for its interface. A
 * wire without is reached through relays.
 */
function interfacesOf(reading: Reading): ReadonlyMap<Wire, string> {
  const { wires } = reading.outline;
  const { interface: wanted } = reading.around;
  const found = new Map<Wire, string>();
  for (const wire of wires) {
    const name = saidInterface(wire) ?? interfaceHere(wire, reading);
    if (name !== undefined) found.set(wire, name);
  }
  if (wanted !== undefined && ![...found.values()].includes(wanted)) {
    const open = wires.filter((wire) => !found.has(wire));
    const bare = open.filter((wire) => givesNothing(wire, reading));
    const [only] = open.length === 1 ? open : bare;
    if (only !== undefined && (open.length === 1 || bare.length === 1)) found.set(only, wanted);
  }
  for (const wire of wires) {
    if (found.has(wire) || wire.subnets.length === 0) continue;
    const what =
      wire.name === undefined ? `subnet ${wire.subnets[0]?.statement.base.text}` : `shared-network ${wire.name}`;
    const hint = wanted === undefined ? ', or import with --interface' : `, such as ${wanted}`;
    const why =
      found.size === 0
        ? `no interface is known for it: write \`interface:\` where requests arrive${hint}`
        : 'taken as reached through relays: write `interface:` if its requests arrive on one of this machine';
    reading.tellOf('changed', wire.place, what, why);
  }
  return found;
}

/** The interface that `interface` names for a wire. */
function saidInterface({ subnets }: Wire): string | undefined {
  const [first] = subnets;
  const setting = first === undefined ? undefined : settingsIn(first.scope).get('interface');
  return setting === undefined ? undefined : wordOf(setting);
}

/** The interface of this machine that has an address on a wire; if the operator names one, that one only. */
function interfaceHere({ subnets }: Wire, reading: Reading): string | undefined {
  const { addresses, interface: wanted } = reading.around;
  const blocks = subnets.flatMap((subnet) => reading.attempt(() => blockOf(subnet, reading)) ?? []);
  return [...addresses].find(
    ([name, list]) =>
      (wanted === undefined || name === wanted) && list.some(({ ip }) => blocks.some((block) => inSubnet(block, ip))),
  )?.[0];
}

function givesNothing(wire: Wire, { outline }: Reading): boolean {
  return !outline.pools.some((pool) => pool.wire === wire) && wire.subnets.every(({ scope }) => scope.set.size === 0);
}

/** Writes what the network gives: what has a key of its own there, all else under `options:`. */
function fill({ name, subnet, block, settings, given, text }: Drafted, reading: Reading): void {
  const options = new Map(given.options);
  const take = (code: number): GivenOption | undefined => {
    const option = options.get(code);
    options.delete(code);
    return option;
  };
  const [broadcast = ''] = addressesOf(options.get(OPTION.broadcast.code));
  if (isIn(block, broadcast)) take(OPTION.broadcast.code);
  if (isIn(block, broadcast) && broadcast !== formatIpv4(broadcastOf(block))) text.broadcast = broadcast;
  const mayHave = (ip: string) => isHostOf(block, text.broadcast, ip);

  const identifier = settings.get('server-identifier') ?? options.get(OPTION.serverId.code)?.from;
  const [serverId = identifier === undefined ? undefined : wordOf(identifier)] = addressesOf(
    take(OPTION.serverId.code),
  );
  if (serverId !== undefined && mayHave(serverId)) text.server = serverId;
  else if (identifier !== undefined) {
    reading.tell(
      'left',
      identifier,
      `it is no address in ${formatSubnet(block)}: the server is told by its address there`,
    );
  } else if (reading.bootServer !== undefined && mayHave(formatIpv4(reading.bootServer))) {
    text.server = formatIpv4(reading.bootServer);
    const why = `taken as this server's own address in network ${name}, since the boot files move here`;
    reading.tellOf('changed', subnet.statement.place, `next-server ${text.server}`, why);
  }

  const routers = addressesOf(options.get(OPTION.routers.code));
  if (routers.length === 1 && mayHave(routers[0] ?? '')) {
    take(OPTION.routers.code);
    if (routers[0] !== undefined) text.gateway = routers[0];
  }
  const dns = addressesOf(take(OPTION.dns.code));
  if (dns.length > 0) text.dns = [...dns];
  const ntp = addressesOf(take(OPTION.ntp.code));
  if (ntp.length > 0) text.ntp = [...ntp];
  fillDomain(text, take(OPTION.domain.code), reading);
  const search = take(OPTION.search.code)?.value.written;
  if (Array.isArray(search)) text.search = search;
  const mtu = take(OPTION.mtu.code)?.value.written;
  if (typeof mtu === 'number') text.mtu = mtu;
  checkMask(take(OPTION.subnetMask.code), block, reading);
  const routes = options.get(OPTION.routes.code);
  const decoded = routes && OPTION.routes.kind.decode(routes.value.bytes);
  if (decoded?.every(({ via }) => via === UNSPECIFIED || inSubnet(block, via))) {
    take(OPTION.routes.code);
    text.routes = decoded.map(({ to, via }) => ({ to: formatSubnet(to), via: formatIpv4(via) }));
  }
  Object.assign(text, leaseOf(settings));
  const { nextServer, bootFile } = given;
  if (nextServer !== undefined && !reading.isOurs(nextServer)) text.nextServer = formatIpv4(nextServer);
  if (bootFile !== undefined) text.bootFile = bootFile;
  const left = optionsText(options, reading);
  if (left !== undefined) text.options = left;
}

function fillDomain(text: Writable<NetworkText>, option: GivenOption | undefined, reading: Reading): void {
  const written = option?.value.written;
  if (option === undefined || typeof written !== 'string') return;
  // Some write several domains there for the client to search.
  const [domain, ...more] = written.trim().split(/[\s,]+/);
  if (domain !== undefined) text.domain = domain;
  if (more.length === 0) return;
  text.search = [domain ?? '', ...more];
  reading.tell('changed', option.from, 'several domains are a list to search: `search:`');
}

function checkMask(option: GivenOption | undefined, block: Block, reading: Reading): void {
  const [mask] = addressesOf(option);
  if (option === undefined || mask === undefined || parseIpv4(mask) === netmaskOf(block.prefix)) return;
  reading.tell(
    'changed',
    option.from,
    `clients are told the netmask of their network, ${formatIpv4(netmaskOf(block.prefix))}`,
  );
}

/** dhcpd's own times where nothing is said, in seconds. */
const DEFAULT_LEASE = 43_200;
const LONGEST_LEASE = 86_400;

type LeaseText = Pick<NetworkText, 'minLease' | 'maxLease'> & { readonly lease: string };

/** The lease times of these settings, as they are written: what is lent unasked, and how far a client's wish may go. */
export function leaseOf(settings: ReadonlyMap<string, Setting>): LeaseText {
  const longest = numberOf(settings, 'max-lease-time') ?? LONGEST_LEASE;
  const usual = numberOf(settings, 'default-lease-time') ?? DEFAULT_LEASE;
  const shortest = numberOf(settings, 'min-lease-time');
  const lease = Math.max(1, Math.min(usual, longest));
  return {
    lease: writtenDuration(lease),
    ...(shortest === undefined || shortest < 1 ? {} : { minLease: writtenDuration(Math.min(shortest, lease)) }),
    ...(longest > lease ? { maxLease: writtenDuration(longest) } : {}),
  };
}

/** Whether these settings say anything of lease times. */
export function saysLease(settings: ReadonlyMap<string, Setting>): boolean {
  return ['default-lease-time', 'max-lease-time', 'min-lease-time'].some((key) => settings.has(key));
}

/** Options as they stand under `options:`; `undefined` if there are none. */
export function optionsText(
  options: ReadonlyMap<number, GivenOption>,
  reading: Reading,
): Record<string, unknown> | undefined {
  const entries: (readonly [string, unknown])[] = [];
  for (const [code, option] of options) {
    const entry = optionEntry(code, option.name, option.value);
    if (typeof entry === 'string') reading.tell('left', option.from, entry);
    else entries.push(entry);
  }
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
