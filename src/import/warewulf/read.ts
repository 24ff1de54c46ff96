import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Place, ReveilleError } from '../../errors.ts';
import type { InterfaceAddress } from '../../net/interfaces.ts';
import { formatIpv4, formatSubnet, type Ipv4, inSubnet, netmaskOf, parseIpv4, type Subnet } from '../../net/ipv4.ts';
import { parseMac } from '../../net/mac.ts';
import { Findings } from '../../site/finding.ts';
import type { Vars } from '../../site/model.ts';
import { readYaml } from '../../site/yaml.ts';
import type { SiteDraft, SiteText } from '../draft.ts';
import { invalid, Problems } from '../invalid.ts';
import { Names } from '../isc/names.ts';
import { type Device, type Layer, Layers, type YamlMap } from './layers.ts';

/** What nodes.conf does not say. */
export type Surroundings = {
  /** The interface on which requests arrive, if the operator names it. */
  readonly interface?: string;
  /** The addresses of this machine's interfaces. */
  readonly addresses: ReadonlyMap<string, readonly Pick<InterfaceAddress, 'ip' | 'prefix'>[]>;
};

type NetworkText = NonNullable<SiteText['networks']>[string];

const LONGEST_FILE = 10_000_000;
const DEEPEST = 16;

/**
 * Reads Warewulf 4's nodes.conf into a draft: profiles and nodes, and a network for each subnet that nodes boot in. Throws
 * FILE_MISSING, or IMPORT_INVALID for all that cannot be read, at its places.
 */
export async function readWarewulf(draft: SiteDraft, file: string, around: Surroundings): Promise<void> {
  const name = basename(file);
  const findings = new Findings();
  const yaml = readYaml(name, await textOf(file), findings);
  const problems = new Problems();
  for (const { place, message, hint } of findings.errors) problems.add(invalid(place, message, hint));
  problems.throwAll();

  const layers = new Layers(yaml, draft, problems);
  for (const key of Object.keys(layers.mapAt([]))) {
    if (!['WW_INTERNAL', 'nodeprofiles', 'nodes'].includes(key)) {
      problems.add(invalid(yaml.keyPlace([key]), `Warewulf's nodes.conf has no key ${JSON.stringify(key)}`));
    }
  }
  const profiles = layersAt('nodeprofiles', layers);
  const nodes = layersAt('nodes', layers);
  new Translation(draft, problems, profiles, around).write(nodes);
  problems.throwAll();
}

async function textOf(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > LONGEST_FILE) {
      throw invalid({ file: basename(file), line: 1, col: 1 }, `this file is longer than ${LONGEST_FILE / 1e6} MB`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof ReveilleError) throw error;
    throw new ReveilleError(
      'FILE_MISSING',
      `${file} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function layersAt(key: string, layers: Layers): ReadonlyMap<string, Layer> {
  return new Map(Object.keys(layers.mapAt([key])).map((name) => [name, layers.read([key, name])]));
}

/** Writes the layers that were read as profiles, nodes and networks of the draft. */
class Translation {
  readonly #draft: SiteDraft;
  readonly #problems: Problems;
  readonly #profiles: ReadonlyMap<string, Layer>;
  readonly #around: Surroundings;
  readonly #names = new Names();
  readonly #networkNames = new Names();
  readonly #networks: { readonly subnet: Subnet; readonly text: NetworkText }[] = [];

  constructor(draft: SiteDraft, problems: Problems, profiles: ReadonlyMap<string, Layer>, around: Surroundings) {
    this.#draft = draft;
    this.#problems = problems;
    this.#profiles = profiles;
    this.#around = around;
  }

  write(nodes: ReadonlyMap<string, Layer>): void {
    const { site } = this.#draft;
    site.networks = {};
    site.profiles = {};
    site.nodes = {};
    for (const [name, layer] of this.#profiles) {
      const text = { ...settingsOf(layer) };
      if (Object.keys(text).length === 0) continue;
      site.profiles[name] = text;
      this.#comment(['profiles', name], layer);
      this.#draft.remark('taken', layer.place, `profile ${name}`);
    }
    for (const [name, layer] of nodes) this.#node(name, layer);
    this.#tellImages([...this.#profiles.values(), ...nodes.values()]);
    for (const key of ['networks', 'profiles', 'nodes'] as const) {
      if (Object.keys(site[key] ?? {}).length === 0) delete site[key];
    }
  }

  /** Images are not carried over: each is told once, where it is first named. */
  #tellImages(layers: readonly Layer[]): void {
    const told = new Set<string>();
    for (const { image, place } of layers) {
      if (image === undefined || told.has(image)) continue;
      told.add(image);
      const why = `pack its root as a tar, write images/${image}.yaml with \`from: { tar: FILE }\`, then \`image: ${image}\``;
      this.#draft.remark('left', place, `image ${image}`, why);
    }
  }

  #node(id: string, layer: Layer): void {
    const used = this.#profilesOf(layer);
    const layers = [...used.flatMap((name) => this.#profiles.get(name) ?? []), layer];
    const devices = mergedDevices(layers);
    const primaryName = primaryOf(layers, devices);
    const primary = devices[primaryName] ?? {};
    const mac = primary.hwaddr === undefined ? undefined : this.#mac(primary.hwaddr, layer.place);
    const [host = '', ...domain] = id.split('.');
    if (mac === undefined) {
      const why = 'its MAC address is not known: start the machine, and adopt it with `reveille node adopt`';
      this.#draft.remark('left', layer.place, `node ${id}`, why);
      return;
    }
    const name = this.#names.take(host, id);
    const address = this.#address(primaryName, primary, layer);
    const written = used.filter((profile) => this.#draft.site.profiles?.[profile] !== undefined);
    const others = Object.fromEntries(Object.entries(devices).filter(([device]) => device !== primaryName));
    const settings = settingsOf(layer);
    const vars: YamlMap = { ...settings.vars, ...(Object.keys(others).length === 0 ? {} : { networkDevices: others }) };
    this.#draft.site.nodes = {
      ...this.#draft.site.nodes,
      [name]: {
        mac,
        ...(address === undefined ? {} : { ip: formatIpv4(address) }),
        ...(written.length === 0 ? {} : { profiles: written }),
        ...settings,
        ...(Object.keys(vars).length === 0 ? {} : { vars: vars as Vars }),
      },
    };
    this.#comment(['nodes', name], layer);
    this.#tell(id, name, domain, Object.keys(others), layer);
  }

  #tell(id: string, name: string, domain: readonly string[], others: readonly string[], { place }: Layer) {
    const notes = [
      ...(name === id ? [] : [`it is called ${name}${domain.length > 0 ? '; write the domain for its network' : ''}`]),
      ...(others.length === 0
        ? []
        : [`the devices ${others.join(', ')} are kept in \`vars.networkDevices\` for templates`]),
    ];
    this.#draft.remark(notes.length === 0 ? 'taken' : 'changed', place, `node ${id}`, notes.join('; ') || undefined);
  }

  /** The profiles of a node in the order of merging; profiles of profiles in front of them. */
  #profilesOf(layer: Layer): readonly string[] {
    const names: string[] = [];
    const add = (name: string, depth: number) => {
      const profile = this.#profiles.get(name);
      if (profile === undefined) {
        this.#problems.add(invalid(layer.place, `there is no profile ${JSON.stringify(name)}`));
        return;
      }
      if (depth > DEEPEST) {
        this.#problems.add(invalid(profile.place, `profile ${name} has profiles too deeply`));
        return;
      }
      for (const inner of profile.profiles ?? []) add(inner, depth + 1);
      if (!names.includes(name)) names.push(name);
    };
    // Without any, a node has the profile `default`.
    const said = layer.profiles ?? (this.#profiles.has('default') ? ['default'] : []);
    for (const name of said) add(name, 0);
    return names;
  }

  #mac(text: string, place: Place) {
    const mac = parseMac(text);
    if (mac === undefined) this.#problems.add(invalid(place, `${JSON.stringify(text)} is not a MAC address`));
    return mac;
  }

  /** The address of a node's first device; its subnet becomes a network. */
  #address(name: string, device: Device, { place }: Layer): Ipv4 | undefined {
    const [written, bits] = (device.ipaddr ?? device.ipcidr ?? '').split('/');
    if (written === undefined || written === '') return undefined;
    const ip = parseIpv4(written);
    const prefix = bits === undefined ? prefixOf(device.netmask) : Number(bits);
    if (ip === undefined) {
      this.#problems.add(invalid(place, `${JSON.stringify(written)} is not an IPv4 address`));
      return undefined;
    }
    const known = this.#networks.find(({ subnet }) => inSubnet(subnet, ip));
    if (known === undefined) {
      if (prefix === undefined) {
        const why = 'its netmask is not given: write the network, then `ip:`';
        this.#draft.remark('left', place, `address ${written}`, why);
        return undefined;
      }
      this.#addNetwork(name, { base: ((ip & netmaskOf(prefix)) >>> 0) as Ipv4, prefix }, device, place);
    }
    return ip;
  }

  #addNetwork(device: string, subnet: Subnet, { gateway, mtu, ...more }: Device, place: Place): void {
    const { addresses, interface: named } = this.#around;
    const found = [...addresses].find(([, list]) => list.some(({ ip }) => inSubnet(subnet, ip)));
    const requests = named ?? found?.[0];
    const dns = Object.entries(more).flatMap(([key, value]) => (/^tag DNS\d*$/i.test(key) ? [value] : []));
    const text: NetworkText = {
      ...(requests === undefined ? {} : { interface: requests }),
      subnet: formatSubnet(subnet),
      ...(gateway === undefined ? {} : { gateway }),
      ...(dns.length === 0 ? {} : { dns }),
      ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
    };
    const name = this.#networkNames.take(device === 'default' ? 'cluster' : device);
    this.#networks.push({ subnet, text });
    this.#draft.site.networks = { ...this.#draft.site.networks, [name]: text };
    this.#draft.comment(['networks', name], `${place.file}:${place.line} device ${device}`);
    if (requests !== undefined) return;
    const why =
      'which interface its requests come through is not said: write `interface:`, unless only relays reach it';
    this.#draft.remark('changed', place, `network ${name}`, why);
  }

  #comment(at: readonly string[], { place, comment, image }: Layer): void {
    this.#draft.comment(at, [`${place.file}:${place.line}`, ...(comment === undefined ? [] : [comment])].join(' '));
    if (image !== undefined) this.#draft.comment(at, `image ${image} in Warewulf`);
  }
}

function settingsOf({ kernelArgs, vars }: Layer): { kernelArgs?: string[]; vars?: Vars } {
  return {
    ...(kernelArgs.length === 0 ? {} : { kernelArgs: [...kernelArgs] }),
    ...(Object.keys(vars).length === 0 ? {} : { vars: vars as Vars }),
  };
}

/** Device by device and key by key, the later layers having their way. */
function mergedDevices(layers: readonly Layer[]): { readonly [name: string]: Device } {
  const merged: { [name: string]: Device } = {};
  for (const { devices } of layers) {
    for (const [name, device] of Object.entries(devices)) merged[name] = { ...merged[name], ...device };
  }
  return merged;
}

/** The device that a node boots from: named so, marked so, called `default`, or the first with a MAC address. */
function primaryOf(layers: readonly Layer[], devices: { readonly [name: string]: Device }): string {
  const said = layers.findLast(({ primary }) => primary !== undefined)?.primary;
  const entries = Object.entries(devices);
  const marked = entries.find(([, { primary, default: old }]) => (primary ?? old) === 'true');
  if (said !== undefined && devices[said] !== undefined) return said;
  if (marked !== undefined) return marked[0];
  if (devices.default !== undefined) return 'default';
  return (entries.find(([, { hwaddr }]) => hwaddr !== undefined) ?? entries[0])?.[0] ?? '';
}

function prefixOf(mask: string | undefined): number | undefined {
  const ip = mask === undefined ? undefined : parseIpv4(mask);
  for (let prefix = 1; prefix <= 32; prefix++) if (netmaskOf(prefix) === ip) return prefix;
  return undefined;
}
