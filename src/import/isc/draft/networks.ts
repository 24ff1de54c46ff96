import {
  type Subnet as Block,
  broadcastOf,
  formatIpv4,
  formatSubnet,
  inSubnet,
  netmaskOf,
  parseIpv4,
  UNSPECIFIED,
} from '../../../model/ipv4.ts';
import { OPTION } from '../../../model/options.ts';
import { isHost } from '../../../site/networks.ts';
import type { SiteText } from '../../draft.ts';
import { reason } from '../../reason.ts';
import { blocksOf } from '../meaning/blocks.ts';
import { addressesOf, type Given, givenBy } from '../meaning/given.ts';
import { leaseOf } from '../meaning/lending.ts';
import { Names } from '../meaning/names.ts';
import type { GivenOption } from '../meaning/optionSettings.ts';
import type { Reading, WrittenPart } from '../meaning/reading.ts';
import { type Setting, type Subnet, settingsIn } from '../meaning/scopes.ts';
import { wordOf } from '../meaning/words.ts';
import { show } from '../text/show.ts';
import { optionsText } from './optionsText.ts';
import { interfacesOf } from './wires.ts';

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
  const blocks = blocksOf(reading);
  const interfaces = interfacesOf(blocks, reading);
  for (const { subnet, block } of blocks) {
    const { wire, statement } = subnet;
    const settings = settingsIn(subnet.scope);
    const given = givenBy(settings, reading);
    const name = names.take(...namesFor(subnet, block, given, reading));
    const text: Writable<NetworkText> = { subnet: formatSubnet(block) };
    const network: Drafted = { name, subnet, block, settings, given, text };
    const found = interfaces.get(wire);
    if (found !== undefined) text.interface = found;
    else if (interfaces.size === 0) reading.draft.comment(['networks', name, 'subnet'], FILL_IN);
    const at = ['networks', name];
    reading.standParts(at, fill(network, reading));
    networks.push(network);
    reading.draft.site.networks ??= {};
    reading.draft.site.networks[name] = text;
    reading.from('networks', name, statement.place, inWords(subnet));
    reading.stands(statement, at);
    if (wire.statement !== undefined) reading.stands(wire.statement, at);
    const said = settings.get('interface');
    if (said !== undefined) reading.stands(said, [...at, 'interface']);
    standsAsUsual(settings, at, reading);
  }
  return networks;
}

/** What a network is without a word of the site: its clients may boot, and its server has the say. */
function standsAsUsual(settings: ReadonlyMap<string, Setting>, at: readonly string[], reading: Reading): void {
  const booting = settings.get('allow booting');
  if (booting?.kind === 'permit' && booting.verb === 'allow') reading.stands(booting, at);
  const authoritative = settings.get('authoritative');
  if (authoritative?.kind === 'authoritative' && !authoritative.not) reading.stands(authoritative, at);
}

function inWords({ statement, wire }: Subnet): string {
  return wire.name === undefined ? show(statement) : `${show(statement)} of shared-network ${wire.name}`;
}

/** Names for a network, best first: of the class that alone draws from it, of its wire, of its domain, of its address. */
function namesFor(subnet: Subnet, block: Block, given: Given, reading: Reading): readonly (string | undefined)[] {
  const { wire } = subnet;
  const address = `net-${formatIpv4(block.base)}`;
  if (wire.subnets.length === 1) {
    const domain = subnet.scope.set.has('option dhcp.domain-name') ? given.options.get(OPTION.domain.code) : undefined;
    const label = typeof domain?.value.written === 'string' ? domain.value.written.split('.')[0] : undefined;
    return [wire.name, label, address];
  }
  const members = reading.outline.pools
    .filter((pool) => pool.wire === wire && pool.ranges.some(({ first }) => isIn(block, first.text)))
    .map(({ permits }) =>
      permits.flatMap(({ verb, what }) => (verb === 'allow' && what.kind === 'members' ? [what.of] : [])),
    );
  const [only] = new Set(members.flat());
  const ofClass =
    members.length > 0 && members.every((list) => list.length === 1 && list[0] === only) ? only : undefined;
  return [ofClass, wire.name, address];
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

/** Writes what the network gives: what has a key of its own there, all else under `options:`. Returns where each came from. */
function fill({ name, subnet, block, settings, given, text }: Drafted, reading: Reading): readonly WrittenPart[] {
  const parts: WrittenPart[] = [];
  const options = new Map(given.options);
  const from = (option: GivenOption | undefined, ...key: string[]): void => {
    for (const setting of option?.from ?? []) parts.push({ from: setting, key });
  };
  /** Takes an option out of those that are left for `options:`; it stands at `key`. */
  const take = (code: number, ...key: string[]): GivenOption | undefined => {
    const option = options.get(code);
    options.delete(code);
    from(option, ...key);
    return option;
  };
  const [broadcast = ''] = addressesOf(options.get(OPTION.broadcast.code));
  if (isIn(block, broadcast)) {
    const isUsual = broadcast === formatIpv4(broadcastOf(block));
    take(OPTION.broadcast.code, isUsual ? 'subnet' : 'broadcast');
    if (!isUsual) text.broadcast = broadcast;
  }
  const mayHave = (ip: string) => isHostOf(block, text.broadcast, ip);

  const identifier = settings.get('server-identifier') ?? options.get(OPTION.serverId.code)?.from[0];
  const option54 = options.get(OPTION.serverId.code);
  options.delete(OPTION.serverId.code);
  const [serverId = identifier === undefined ? undefined : wordOf(identifier)] = addressesOf(option54);
  if (serverId !== undefined && mayHave(serverId)) {
    text.server = serverId;
    if (identifier !== undefined) parts.push({ from: identifier, key: ['server'] });
  } else if (identifier !== undefined) {
    reading.tell(
      'left',
      identifier,
      reason`it is no address in ${formatSubnet(block)}: the server is known by its address there`,
    );
  } else if (reading.bootServer !== undefined && mayHave(formatIpv4(reading.bootServer))) {
    text.server = formatIpv4(reading.bootServer);
    const why = reason`taken as this server's own address in network ${name}, since the boot files move here`;
    reading.tellOf('changed', subnet.statement.place, `next-server ${text.server}`, why);
  }

  const routers = addressesOf(options.get(OPTION.routers.code));
  if (routers.length === 1 && mayHave(routers[0] ?? '')) {
    take(OPTION.routers.code, 'gateway');
    if (routers[0] !== undefined) text.gateway = routers[0];
  }
  const dns = addressesOf(take(OPTION.dns.code, 'dns'));
  if (dns.length > 0) text.dns = [...dns];
  const ntp = addressesOf(take(OPTION.ntp.code, 'ntp'));
  if (ntp.length > 0) text.ntp = [...ntp];
  fillDomain(text, take(OPTION.domain.code, 'domain'), reading);
  const search = take(OPTION.search.code, 'search')?.value.written;
  if (Array.isArray(search)) text.search = search;
  const mtu = take(OPTION.mtu.code, 'mtu')?.value.written;
  if (typeof mtu === 'number') text.mtu = mtu;
  checkMask(take(OPTION.subnetMask.code, 'subnet'), block, reading);
  const routes = options.get(OPTION.routes.code);
  const decoded = routes && OPTION.routes.kind.decode(routes.value.bytes);
  if (decoded?.every(({ via }) => via === UNSPECIFIED || inSubnet(block, via))) {
    take(OPTION.routes.code, 'routes');
    text.routes = decoded.map(({ to, via }) => ({ to: formatSubnet(to), via: formatIpv4(via) }));
  }
  const lease = leaseOf(settings);
  Object.assign(text, lease.text);
  parts.push(...lease.parts);
  const { nextServer, bootFile } = given;
  if (nextServer !== undefined) {
    const isOurs = reading.isOurs(nextServer.ip) && (bootFile !== undefined || reading.context.tree);
    if (!isOurs) text.nextServer = formatIpv4(nextServer.ip);
    parts.push({ from: nextServer.from, key: isOurs ? [] : ['nextServer'] });
  }
  if (bootFile !== undefined) {
    text.bootFile = bootFile.file;
    parts.push({ from: bootFile.from, key: ['bootFile'] });
  }
  const left = optionsText(options, reading);
  if (left.text !== undefined) text.options = left.text;
  return [...parts, ...left.parts];
}

function fillDomain(text: Writable<NetworkText>, option: GivenOption | undefined, reading: Reading): void {
  const written = option?.value.written;
  if (option === undefined || typeof written !== 'string') return;
  // Some write several domains there for the client to search.
  const [domain, ...more] = written.trim().split(/[\s,]+/);
  if (domain !== undefined) text.domain = domain;
  if (more.length === 0) return;
  text.search = [domain ?? '', ...more];
  for (const from of option.from) reading.tell('changed', from, 'several domains are a list to search: `search:`');
}

/** Reports where a netmask is not that of its network, which is the one that clients get. */
export function checkMask(option: GivenOption | undefined, block: Block, reading: Reading): void {
  const [mask] = addressesOf(option);
  if (option === undefined || mask === undefined || parseIpv4(mask) === netmaskOf(block.prefix)) return;
  const why = reason`clients get the netmask of their network, ${formatIpv4(netmaskOf(block.prefix))}`;
  for (const from of option.from) reading.tell('changed', from, why);
}
