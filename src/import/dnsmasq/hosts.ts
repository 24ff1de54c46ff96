import { formatIpv4, type Ipv4, inSubnet, parseIpv4 } from '../../net/ipv4.ts';
import type { SiteText } from '../draft.ts';
import { invalid } from '../invalid.ts';
import { Names } from '../isc/names.ts';
import type { Reading } from './reading.ts';
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
  unusable?: string;
};

/** Writes each `dhcp-host` that knows a machine by its MAC address as a node, those of many machines as classes. */
export function draftHosts(reading: Reading): void {
  const nodes = new Nodes(reading);
  reading.each(reading.of('dhcp-host'), (setting) => {
    const host = hostOf(setting);
    if (host.unusable !== undefined) reading.tell('left', setting, host.unusable);
    else if (host.ignored) ignore(host, reading);
    else if (host.prefixes.length > 0) addClass(host, reading);
    else if (host.macs.length > 0) nodes.add(host);
    else reading.tell('left', setting, withoutMac(host));
  });
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
    } else throw invalid(field.place, `${JSON.stringify(text)} is not understood in dhcp-host`);
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
    throw invalid(field.place, `${field.text} is the address of a group of machines`, "a card's first byte is even");
  } else host.macs.push(prefix);
}

/** Machines that get no address: a class that every pool refuses. */
function ignore(host: Host, reading: Reading) {
  const macs = [...host.macs, ...host.prefixes];
  if (macs.length === 0) return reading.tell('left', host.setting, withoutMac(host));
  const { name, text } = reading.classOf('ignored', host.setting.place);
  text.macs = [...[text.macs ?? []].flat(), ...macs];
  for (const { text: network } of reading.networks) {
    for (const pool of network.pools ?? [])
      if (![pool.deny ?? []].flat().includes(name)) pool.deny = [...[pool.deny ?? []].flat(), name];
  }
  reading.tell('taken', host.setting, `class ${name}, which the pools refuse`);
}

/** Tags that are set by the beginning of an address. */
function addClass(host: Host, reading: Reading) {
  if (host.sets.length === 0) {
    return reading.tell('left', host.setting, 'it gives many machines nothing that a class could give');
  }
  const clash = host.sets.map((tag) => reading.classOf(tag, host.setting.place)).find(({ text }) => hasOther(text));
  if (clash !== undefined) {
    const why = `class ${clash.name} asks for something else already: write a second class`;
    return reading.tell('left', host.setting, why);
  }
  for (const tag of host.sets) {
    const { text } = reading.classOf(tag, host.setting.place);
    text.macs = [...[text.macs ?? []].flat(), ...host.prefixes, ...host.macs];
  }
  reading.tell('taken', host.setting, `class ${host.sets.join(', ')}`);
}

function hasOther(text: object): boolean {
  return ['vendorClass', 'userClass', 'arch', 'circuitId', 'remoteId'].some((condition) => condition in text);
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
      const why = `node ${twin} has its MAC address already, and a node has one address`;
      return reading.tell('left', setting, why);
    }
    const ip = host.ip === undefined ? undefined : this.#address(host, host.ip);
    const neighbour = ip === undefined ? undefined : this.#byIp.get(ip);
    const known = neighbour === undefined ? undefined : nodes[neighbour];
    if (neighbour !== undefined && known !== undefined) {
      known.mac = [...[known.mac ?? []].flat(), ...macs];
      for (const mac of macs) this.#byMac.set(mac, neighbour);
      return reading.tell('changed', setting, `its MAC address is added to node ${neighbour}, which has its address`);
    }
    const [mac = ''] = macs;
    const name = this.#names.take(host.name, ip === undefined ? `node-${mac}` : `node-${formatIpv4(ip)}`);
    const profiles = host.sets.map((tag) => this.#profile(tag, setting));
    for (const tag of host.sets) {
      const known = reading.classes.get(tag);
      if (known !== undefined && !hasOther(known.text)) known.text.macs = [...[known.text.macs ?? []].flat(), ...macs];
    }
    const node: NodeText = {
      mac: macs.length === 1 ? mac : macs,
      ...(ip === undefined ? {} : { ip: formatIpv4(ip) }),
      ...(profiles.length === 0 ? {} : { profiles }),
    };
    nodes[name] = node;
    for (const one of macs) this.#byMac.set(one, name);
    if (ip !== undefined) this.#byIp.set(ip, name);
    reading.draft.comment(['nodes', name], `${setting.place.file}:${setting.place.line}`);
    const notes = this.#notes(host, name);
    reading.tell(notes.length === 0 ? 'taken' : 'changed', setting, [`node ${name}`, ...notes].join('; '));
  }

  #address(host: Host, { value, field }: NonNullable<Host['ip']>): Ipv4 | undefined {
    if (this.#reading.networks.some(({ subnet }) => inSubnet(subnet, value))) return value;
    const why = `${field.text} lies in no network of a dhcp-range, where dnsmasq gives it to nobody: it is left out`;
    this.#reading.tell('left', host.setting, why);
    return undefined;
  }

  /** The profile that stands for a tag which hosts set. */
  #profile(tag: string, { place }: Setting): string {
    const known = this.#reading.profiles.get(tag);
    if (known !== undefined) return known.name;
    const made = { name: this.#reading.profileNames.take(tag), text: {} };
    this.#reading.profiles.set(tag, made);
    this.#reading.draft.site.profiles = { ...this.#reading.draft.site.profiles, [made.name]: made.text };
    this.#reading.draft.comment(['profiles', made.name], `${place.file}:${place.line} set:${tag}`);
    return made.name;
  }

  #notes({ clientIds, lease, needs, domain, name: wanted }: Host, name: string): readonly string[] {
    const leases = new Set(this.#reading.networks.map(({ text }) => leaseSeconds(String(text.lease))));
    return [
      ...(wanted === undefined || wanted === name ? [] : [`it was called ${wanted}`]),
      ...(wanted === undefined ? ['it had no name'] : []),
      ...(domain === undefined ? [] : [`the domain ${domain} comes from the network's \`domain:\``]),
      ...(clientIds.length === 0 ? [] : ['it is known by its MAC address, whatever client identifier it sends']),
      ...(needs.length === 0 ? [] : ['a node counts always, whatever tags are set']),
      ...(lease === undefined || leases.has(leaseSeconds(lease.text))
        ? []
        : [`its lease lasts as its network says, not ${lease.text}`]),
    ];
  }
}
