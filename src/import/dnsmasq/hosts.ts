import { formatIpv4, type Ipv4, inSubnet, parseIpv4 } from '../../model/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import type { SiteText } from '../draft.ts';
import { invalid } from '../invalid.ts';
import { Names } from '../isc/meaning/names.ts';
import { reason, reasons, type Why } from '../reason.ts';
import { refuse } from './members.ts';
import type { Drafted, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { hardwareAddress, isIpv6, leaseSeconds, macPrefix } from './values.ts';

type NodeText = NonNullable<SiteText['nodes']>[string];

type Host = {
  readonly setting: Setting;
  readonly macs: string[];
  /** Beginnings of addresses: many machines. */
  readonly prefixes: string[];
  readonly sets: string[];
  readonly needs: Field[];
  readonly clientIds: Field[];
  name?: string;
  domain?: string;
  ip?: { readonly value: Ipv4; readonly field: Field };
  lease?: Field;
  ignored: boolean;
  unusable?: Why;
};

/** A line for many machines, known by the beginnings of their addresses. */
type Pattern = { readonly setting: Setting; readonly host: Host };

/**
 * Writes each `dhcp-host` that knows a machine by its MAC address as a node. Those of many machines set tags, which classes
 * stand for, and make their machines known. Gives what `tellPatterns` is to tell of.
 */
export function draftHosts(reading: Reading): readonly Pattern[] {
  const nodes = new Nodes(reading);
  const patterns: Pattern[] = [];
  const ignored: Host[] = [];
  reading.each(reading.of('dhcp-host'), (setting) => {
    const host = hostOf(setting);
    const why = host.unusable ?? (host.macs.length + host.prefixes.length === 0 ? withoutMac(host) : undefined);
    if (why !== undefined) {
      for (const tag of host.sets) reading.tags.lose(tag, setting);
      reading.left(setting, why);
    } else if (host.ignored) ignored.push(host);
    else if (host.prefixes.length > 0) {
      for (const tag of ['known', ...host.sets])
        reading.tags.add(tag, { macs: [...host.prefixes, ...host.macs] }, setting.place);
      patterns.push({ setting, host });
    } else nodes.add(host);
  });
  for (const host of ignored) {
    reading.tags.add(IGNORED, { macs: [...host.macs, ...host.prefixes] }, host.setting.place);
  }
  reading.ignored.push(...ignored.map(({ setting }) => setting));
  return patterns;
}

/** Stands for hosts with `ignore`; no tag is written so. */
const IGNORED = ' ignored';

/** Machines that get no address: a class that every pool refuses. */
export function refuseIgnored(reading: Reading): void {
  for (const setting of reading.ignored) refuse(reading.classesOfTag(IGNORED), setting, reading);
}

/** Where the lines for many machines stand now: in the classes of their tags, and of machines that are known. */
export function tellPatterns(patterns: readonly Pattern[], reading: Reading): void {
  const asksForKnown = reading.settings.some(({ fields }) =>
    fields.some(({ text }) => /^(tag|net):[!#]?known$/.test(text)),
  );
  for (const { setting, host } of patterns) {
    const names = [...host.sets, ...(asksForKnown ? ['known'] : [])].flatMap((tag) => reading.classesOfTag(tag));
    const at = names.map((name) => ['classes', name]);
    const lost = [
      ...(host.ip === undefined
        ? []
        : [reason`no machine is given the address ${host.ip.field.text}, which is for many`]),
      ...(host.name === undefined ? [] : [reason`no machine is given the name ${host.name}, which is for many`]),
      ...(host.lease === undefined ? [] : [reason`their lease lasts as their network says, not ${host.lease.text}`]),
    ];
    const words = reason`class ${names.join(', ')}`;
    if (names.length === 0)
      reading.left(setting, reasons(['it gives many machines nothing that a class could give', ...lost]) ?? '');
    else if (lost.length > 0) reading.tell('changed', setting, reasons([words, ...lost]));
    else reading.taken(setting, at, words.toString());
  }
}

/** Gives the nodes the profiles of the tags that their lines set. */
export function addProfiles(reading: Reading): void {
  for (const { node, sets } of reading.hosts) {
    const text = reading.draft.site.nodes?.[node];
    const own = ['known', ...sets].filter((tag) => reading.hasProfile(tag)).map((tag) => reading.profileOf(tag));
    if (text !== undefined && own.length > 0) text.profiles = [...new Set([...(text.profiles ?? []), ...own])];
  }
}

function withoutMac({ clientIds }: Host): string {
  return clientIds.length > 0
    ? 'it is known by a client identifier only: write its MAC address as a node'
    : 'it is known by the name that it tells only: write its MAC address as a node';
}

function hostOf(setting: Setting): Host {
  const host: Host = { setting, macs: [], prefixes: [], sets: [], needs: [], clientIds: [], ignored: false };
  for (const field of setting.fields) {
    const { text } = field;
    const address = hardwareAddress(text);
    if (text === '') continue;
    if (text === 'ignore') host.ignored = true;
    else if (/^(set|net):/.test(text)) host.sets.push(text.slice(4));
    else if (text.startsWith('tag:')) host.needs.push({ ...field, text: text.slice(4) });
    else if (text.startsWith('id:')) {
      if (text !== 'id:*') host.clientIds.push(field);
    } else if (isIpv6(text)) continue;
    else if (address !== undefined) addAddress(host, address, field);
    else if (parseIpv4(text) !== undefined) host.ip = { value: parseIpv4(text) as Ipv4, field };
    else if (leaseSeconds(text) !== undefined) host.lease = field;
    else if (/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/.test(text)) {
      const [name = '', ...domain] = text.split('.');
      host.name = name;
      if (domain.length > 0) host.domain = domain.join('.');
    } else throw invalid(field.place, `${quoted(text)} is not understood in dhcp-host`);
  }
  return host;
}

function addAddress(
  host: Host,
  { ethernet, bytes }: { ethernet: boolean; bytes: readonly string[] },
  field: Field,
): void {
  if (!ethernet) {
    host.unusable = 'nodes are known by Ethernet addresses';
    return;
  }
  const prefix = macPrefix(bytes);
  if (prefix === undefined) host.unusable = 'a class knows beginnings of addresses; write one for each';
  else if (prefix.endsWith('*')) host.prefixes.push(prefix);
  else if ((Number.parseInt(bytes[0] ?? '', 16) & 1) === 1) {
    host.unusable = reason`${field.text} is the address of a group of machines, and a card's first byte is even`;
  } else host.macs.push(prefix);
}

/** The nodes in the making: one for each machine, whatever number of lines it has. */
class Nodes {
  readonly #reading: Reading;
  readonly #names = new Names();
  readonly #byMac = new Map<string, string>();
  readonly #byIp = new Map<Ipv4, string>();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  add(host: Host) {
    const { setting, macs } = host;
    const reading = this.#reading;
    reading.draft.site.nodes ??= {};
    const { nodes } = reading.draft.site;
    const twin = macs.map((mac) => this.#byMac.get(mac)).find((name) => name !== undefined);
    if (twin !== undefined) {
      const why = reason`node ${twin} has its MAC address already, and a node has one address`;
      return reading.tell('left', setting, why);
    }
    const ip = host.ip === undefined ? undefined : this.#address(host, host.ip);
    const neighbour = ip === undefined ? undefined : this.#byIp.get(ip);
    const known = neighbour === undefined ? undefined : nodes[neighbour];
    if (neighbour !== undefined && known !== undefined) {
      known.mac = [...[known.mac ?? []].flat(), ...macs];
      for (const mac of macs) this.#byMac.set(mac, neighbour);
      this.#push(neighbour, host, ip);
      return reading.tell(
        'changed',
        setting,
        reason`its MAC address is added to node ${neighbour}, which has its address`,
      );
    }
    const [mac = ''] = macs;
    const name = this.#names.take(host.name, ip === undefined ? `node-${mac}` : `node-${formatIpv4(ip)}`);
    const node: NodeText = {
      mac: macs.length === 1 ? mac : macs,
      ...(ip === undefined ? {} : { ip: formatIpv4(ip) }),
    };
    nodes[name] = node;
    for (const one of macs) this.#byMac.set(one, name);
    if (ip !== undefined) this.#byIp.set(ip, name);
    this.#push(name, host, ip);
    reading.draft.comment(['nodes', name], `${setting.place.file}:${setting.place.line}`);
    const notes = this.#notes(host, name);
    if (notes.length === 0) reading.taken(setting, [['nodes', name]], `node ${name}`);
    else reading.tell('changed', setting, reasons([reason`node ${name}`, ...notes]));
  }

  #push(node: string, { macs, sets, setting }: Host, ip: Ipv4 | undefined): void {
    const network = ip === undefined ? undefined : this.#networkOf(ip);
    this.#reading.hosts.push({ node, macs, sets, network, place: setting.place, ...(ip === undefined ? {} : { ip }) });
  }

  #networkOf(ip: Ipv4): Drafted | undefined {
    return this.#reading.networks.find(({ subnet }) => inSubnet(subnet, ip));
  }

  #address(host: Host, { value, field }: NonNullable<Host['ip']>): Ipv4 | undefined {
    if (this.#networkOf(value) !== undefined) return value;
    const why = reason`${field.text} lies in no network of a dhcp-range, where dnsmasq gives it to no machine: it is left out`;
    this.#reading.left(host.setting, why);
    return undefined;
  }

  #notes({ clientIds, lease, needs, domain, name: wanted }: Host, name: string): readonly Why[] {
    const leases = new Set(this.#reading.networks.map(({ text }) => leaseSeconds(String(text.lease))));
    return [
      ...(wanted === undefined || wanted === name ? [] : [reason`it was called ${wanted}`]),
      ...(wanted === undefined ? ['it had no name'] : []),
      ...(domain === undefined ? [] : [reason`the domain ${domain} comes from the network's \`domain:\``]),
      ...(clientIds.length === 0 ? [] : ['it is known by its MAC address, whatever client identifier it sends']),
      ...(needs.length === 0 ? [] : ['a node counts always, whatever tags are set']),
      ...(lease === undefined || leases.has(leaseSeconds(lease.text))
        ? []
        : [reason`its lease lasts as its network says, not ${lease.text}`]),
    ];
  }
}
