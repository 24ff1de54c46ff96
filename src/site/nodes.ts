import { formatPlace, type Place } from '../errors.ts';
import { dashedIpv4, formatIpv4, formatSubnet, type Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import { networkIndex } from '../model/networkIndex.ts';
import type { SiteNode } from '../model/node.ts';
import { OPTION } from '../model/options.ts';
import { mayAdmitNodes } from '../model/pools.ts';
import { completeBmc } from './bmc.ts';
import { didYouMean, type Findings } from './finding.ts';
import { foldNames } from './foldNames.ts';
import { NODE_NAME_PATTERN } from './forms.ts';
import { hostNameProblem, LONGEST_FULL_NAME } from './hostName.ts';
import type { KnownNodes } from './knownNodes.ts';
import { mergeSettings, type Settings } from './merge.ts';
import { hostlessWords, isHost } from './networks.ts';
import { type DeclaredNode, gatherNodes, isRange, type NodeEntry, namesOf } from './nodeEntries.ts';
import { NO_SETTINGS, type Profiles } from './profiles.ts';
import type { NodeDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

export type Nodes = {
  readonly nodes: ReadonlyMap<string, SiteNode>;
  readonly nodeByMac: ReadonlyMap<Mac, SiteNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, SiteNode>;
  readonly awaited: ReadonlyMap<Ipv4, string>;
};

type NodeContext = {
  readonly site: Declared<SiteDeclaration>;
  readonly networks: ReadonlyMap<string, Network>;
  readonly profiles: Profiles;
  /** Absolute path of the site folder. */
  readonly root: string;
  /** Reads the settings of a node. */
  readonly settingsAt: (declared: NodeDeclaration, at: Path) => Settings;
  /** Names of the folders below nodes/. */
  readonly folders: readonly string[];
  readonly known: KnownNodes;
};

/**
 * The nodes of a site: profiles merged, networks found, and no name, MAC or address used twice. Nodes of a range without known
 * cards are left out with a warning; their addresses stay reserved for them.
 */
export function resolveNodes(around: NodeContext, findings: Findings): Nodes {
  const nodes = new Map<string, SiteNode>();
  const claims: Claims = { macs: new Map(), ips: new Map(), declared: new Map() };
  const folders = new Set(around.folders);
  const names = new Map<string, DeclaredNode>();
  const layers = new Layers(around, findings);
  const once = reportOnce();
  const awaited: DeclaredNode[] = [];

  for (const declared of gatherNodes(around.site, findings)) {
    checkName(declared, names, around.site, once, findings);
    const node = around.known.node(declared.name, declared.entries, findings, () =>
      resolveNode(declared, layers, folders, around, once, findings),
    );
    if (isAwaited(declared, around.site)) awaited.push(declared);
    else nodes.set(node.name, node);
    claims.declared.set(node, declared);
    claimMacs(node, declared, claims, around.site, once, findings);
    claimIp(node, declared, claims, around, once, findings);
  }
  around.known.keep();
  warnOfAwaited(awaited, around.site, findings);
  const nowhere = [...nodes.values()].filter(({ ip, network }) => ip === undefined && network === undefined);
  warnOfGivenNames(nodes, names, around, once, findings);
  warnOfNowhere(nowhere, names, around, findings);
  warnOfStrayFolders(nodes, around, findings);
  const unknown = awaited.length === 0 ? [] : [...claims.ips].filter(([, { name }]) => !nodes.has(name));
  for (const [ip] of unknown) claims.ips.delete(ip);
  return {
    nodes,
    nodeByMac: claims.macs,
    nodeByIp: claims.ips,
    awaited: new Map(unknown.map(([ip, { name }]) => [ip, name])),
  };
}

/** Which node has a MAC or an address, the first that is declared with it. */
type Claims = {
  readonly macs: Map<Mac, SiteNode>;
  readonly ips: Map<Ipv4, SiteNode>;
  readonly declared: Map<SiteNode, DeclaredNode>;
};

/** A fault of a whole range is reported for its first node. */
type ReportOnce = (kind: string, { entries }: DeclaredNode) => boolean;

function reportOnce(): ReportOnce {
  const reported = new Set<string>();
  return (kind, { entries }) => {
    const subject = JSON.stringify([kind, ...entries.map(({ key }) => key)]);
    if (reported.has(subject)) return false;
    reported.add(subject);
    return true;
  };
}

/** The own settings of an entry of `nodes:`, and the profiles that it names. */
type Layer = { readonly own: Settings; readonly profiles: ReadonlyMap<string, Settings> };

/** The layers of which nodes' settings are merged. Each entry is read once, and profiles that many nodes share are merged once. */
class Layers {
  readonly #around: NodeContext;
  readonly #findings: Findings;
  readonly #ofEntries = new Map<NodeEntry, Layer>();
  readonly #ofProfiles = new Map<string, Settings>();

  constructor(around: NodeContext, findings: Findings) {
    this.#around = around;
    this.#findings = findings;
  }

  merged(entries: readonly NodeEntry[]): { readonly settings: Settings; readonly profiles: readonly string[] } {
    const layers = entries.map((entry) => this.#layer(entry));
    const profiles = new Map(layers.flatMap((layer) => [...layer.profiles]));
    const names = [...profiles.keys()];
    const key = names.join('\n');
    const below = this.#ofProfiles.get(key) ?? this.#mergeProfiles([...profiles.values()]);
    this.#ofProfiles.set(key, below);
    return { settings: mergeSettings([below, ...layers.map(({ own }) => own)]), profiles: names };
  }

  #mergeProfiles(profiles: readonly Settings[]): Settings {
    return mergeSettings([{ ...NO_SETTINGS, vars: this.#around.site.value.vars }, ...profiles]);
  }

  #layer(entry: NodeEntry): Layer {
    const layer = this.#ofEntries.get(entry) ?? readLayer(entry, this.#around, this.#findings);
    this.#ofEntries.set(entry, layer);
    return layer;
  }
}

function readLayer(
  { key, declared }: NodeEntry,
  { site, profiles, settingsAt }: NodeContext,
  findings: Findings,
): Layer {
  const at: Path = ['nodes', key];
  const named = declared.profiles.map((profile, i) => {
    return [profile, profiles.get(profile, () => site.place([...at, 'profiles', i]), findings)] as const;
  });
  return { own: settingsAt(declared, at), profiles: new Map(named) };
}

function resolveNode(
  declared: DeclaredNode,
  layers: Layers,
  folders: ReadonlySet<string>,
  { site, networks, root }: NodeContext,
  once: ReportOnce,
  findings: Findings,
): SiteNode {
  const { name, entries, macs, ip, bmcAddress } = declared;
  const { settings, profiles } = layers.merged(entries);
  const { loader = 'auto', bmc: bmcSettings, network: ownNetwork, ...merged } = settings;
  const bmc =
    bmcSettings && completeBmc(bmcAddress === undefined ? bmcSettings : { ...bmcSettings, address: bmcAddress }, root);
  if (bmc && 'lacks' in bmc) checkBmc(declared, profiles, bmc.lacks, site, once, findings);
  const address = ip?.value;
  const around = address === undefined ? undefined : networkIndex(networks).at(address);
  const network = around?.name ?? (address === undefined ? ownNetwork : undefined);
  if (around && networks.has(ownNetwork ?? '') && ownNetwork !== around.name && once('other network', declared)) {
    const message = `node "${name}" has an address of network "${around.name}", and \`network: ${ownNetwork}\``;
    findings.error(
      ip?.place() ?? placeOf(declared, site),
      message,
      'a node belongs to one network: leave `network` out',
    );
  }
  const own = [...(address === undefined ? [] : [dashedIpv4(address)]), name];
  return {
    name,
    // Without any there is an error by now, and the site does not load.
    macs: macs.map(({ value }) => value) as readonly Mac[] as readonly [Mac, ...Mac[]],
    ...(address === undefined ? {} : { ip: address }),
    ...(network === undefined ? {} : { network }),
    profiles,
    ...merged,
    loader,
    ...(bmc === undefined || 'lacks' in bmc ? {} : { bmc }),
    folders: [...new Set(own)].filter((folder) => folders.has(folder)),
  };
}

/** Without an address there is no BMC; with one, a user must be set. */
function checkBmc(
  node: DeclaredNode,
  profiles: readonly string[],
  lacks: string,
  site: Declared<SiteDeclaration>,
  once: ReportOnce,
  findings: Findings,
): void {
  const lost = (...at: Path) => site.lost([...at, 'bmc', lacks]);
  if (profiles.some((profile) => lost('profiles', profile)) || node.entries.some(({ key }) => lost('nodes', key)))
    return;
  if (!once(`bmc.${lacks}`, node)) return;
  const message = `node "${node.name}" has settings of a BMC, and no bmc.${lacks}`;
  if (lacks === 'address') findings.warn(placeOf(node, site), message, 'without an address the node has no BMC');
  else findings.error(placeOf(node, site), message, 'set it here, or in a profile');
}

function checkName(
  node: DeclaredNode,
  names: Map<string, DeclaredNode>,
  site: Declared<SiteDeclaration>,
  once: ReportOnce,
  findings: Findings,
): void {
  const { name } = node;
  if (!NODE_NAME_PATTERN.test(name) && once('name', node)) {
    const hint = 'a host name has letters, digits and inner hyphens, 63 at most (RFC 1123)';
    findings.error(placeOf(node, site), `"${name}" cannot name a node`, hint);
  }
  const problem = hostNameProblem(name);
  if (problem?.bad === false && once('number', node)) findings.warn(placeOf(node, site), problem.message, problem.hint);
  const twin = names.get(name.toLowerCase());
  if (twin !== undefined && once('twin', node)) {
    const where = formatPlace(placeOf(twin, site));
    findings.error(
      placeOf(node, site),
      `node "${name}" differs from node "${twin.name}" (${where}) in case only`,
      'host names ignore case',
    );
  }
  names.set(name.toLowerCase(), node);
}

/** Names that DHCP gives to several nodes, and names that are too long with their network's domain. */
function warnOfGivenNames(
  nodes: ReadonlyMap<string, SiteNode>,
  places: ReadonlyMap<string, DeclaredNode>,
  { site, networks }: NodeContext,
  once: ReportOnce,
  findings: Findings,
): void {
  const owners = new Map<string, string>();
  const plain = [...nodes.values()].filter((node) => givenName(node) === undefined);
  for (const { name } of plain) owners.set(name.toLowerCase(), name);
  for (const node of nodes.values()) {
    const given = givenName(node);
    const declared = places.get(node.name.toLowerCase());
    if (given === undefined || declared === undefined) continue;
    const owner = owners.get(given.toLowerCase());
    if (owner === undefined) owners.set(given.toLowerCase(), node.name);
    else if (once('given name', declared)) {
      const message = `DHCP gives node "${node.name}" the name ${given}, which node "${owner}" has too`;
      findings.warn(placeOf(declared, site), message, 'see host-name in its options, its profiles and its network');
    }
  }
  const longest = Map.groupBy(nodes.values(), ({ network }) => network ?? '');
  for (const [network, members] of longest) {
    const domain = networks.get(network)?.domain;
    const long = members.find(({ name }) => `${name}.${domain ?? ''}`.length > LONGEST_FULL_NAME);
    if (domain === undefined || long === undefined) continue;
    const message = `with this domain the name of node "${long.name}" has more than ${LONGEST_FULL_NAME} characters`;
    findings.warn(site.place(['networks', network, 'domain']), message, 'DNS has no longer names (RFC 1035)');
  }

  function givenName({ options, network }: SiteNode): string | undefined {
    const code = OPTION.hostname.code;
    const bytes = options.get(code) ?? networks.get(network ?? '')?.options.get(code);
    return bytes && Buffer.from(bytes).toString();
  }
}

/** The place of the node's own entry, else of the last range that contains it. */
function placeOf({ entries }: DeclaredNode, site: Declared<SiteDeclaration>): Place {
  return site.keyPlace(['nodes', entries.at(-1)?.key ?? '']);
}

function claimMacs(
  node: SiteNode,
  declared: DeclaredNode,
  claims: Claims,
  site: Declared<SiteDeclaration>,
  once: ReportOnce,
  findings: Findings,
): void {
  const { macs } = declared;
  if (lacksMac(declared, site) && !isAwaited(declared, site) && once('no MAC', declared)) {
    const message = `node "${node.name}" has no MAC address`;
    findings.error(placeOf(declared, site), message, 'a node is known by it: write `mac:`');
  }
  for (const { value: mac, place } of macs) {
    const owner = claims.macs.get(mac);
    if (owner === node) findings.error(place(), `MAC address ${mac} is listed twice`);
    else if (owner !== undefined) {
      if (once('MAC taken', declared))
        findings.error(place(), `MAC address ${mac} is ${takenBy(owner, claims, mac)}`, 'each node has its own');
    } else claims.macs.set(mac, node);
    if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 && once('group MAC', declared)) {
      findings.error(
        place(),
        `MAC address ${mac} is a multicast address`,
        "the first byte of a network card's address is even",
      );
    }
  }
}

/** No entry sets a MAC address for it, and none failed to. */
function lacksMac({ macs, entries }: DeclaredNode, site: Declared<SiteDeclaration>): boolean {
  const tried = ({ key }: NodeEntry): boolean => {
    const at = ['nodes', key, 'mac'];
    return site.lost(at) || site.names(at).length > 0;
  };
  return macs.length === 0 && !entries.some(tried);
}

/** Only ranges name it, and it has no MAC address yet. */
function isAwaited(declared: DeclaredNode, site: Declared<SiteDeclaration>): boolean {
  return declared.entries.every(({ key }) => isRange(key)) && lacksMac(declared, site);
}

function warnOfAwaited(awaited: readonly DeclaredNode[], site: Declared<SiteDeclaration>, findings: Findings): void {
  for (const [range, nodes] of Map.groupBy(awaited, ({ entries }) => entries.at(-1)?.key ?? '')) {
    const names = foldNames(nodes.map(({ name }) => name)).join(', ');
    const lack = nodes.length === 1 ? 'has no MAC address yet and is' : 'have no MAC addresses yet and are';
    findings.warn(
      site.keyPlace(['nodes', range]),
      `${names} ${lack} left out`,
      'give the range a `mac:`, or each an entry of its own: `reveille node add`',
    );
  }
}

function claimIp(
  node: SiteNode,
  declared: DeclaredNode,
  claims: Claims,
  { site, networks }: NodeContext,
  once: ReportOnce,
  findings: Findings,
): void {
  if (declared.ip === undefined) {
    warnOfNoAddress(node, declared, networks, site, once, findings);
    return;
  }
  const { value: ip, place } = declared.ip;
  const words = `address ${formatIpv4(ip)}`;

  const owner = claims.ips.get(ip);
  if (owner === undefined) claims.ips.set(ip, node);
  else if (once('address taken', declared)) {
    findings.error(place(), `${words} is ${takenBy(owner, claims)}`, 'each node has its own');
  }

  const network = node.network === undefined ? undefined : networks.get(node.network);
  if (network === undefined) {
    if (!knowsAllSubnets(site) || !once('address nowhere', declared)) return;
    const subnets = [...networks.values()].slice(0, 8).map(({ name, subnet }) => `${name} ${formatSubnet(subnet)}`);
    const hint = subnets.length === 0 ? 'no network is declared' : `networks: ${subnets.join(', ')}`;
    findings.error(place(), `${words} lies in no network of this site`, hint);
  } else if (!isHost(network, ip)) {
    findings.error(place(), `${words} is ${hostlessWords(network, ip)} of ${formatSubnet(network.subnet)}`);
  } else if (ip === network.server || ip === network.gateway) {
    const whose = ip === network.server ? "this server's" : "the gateway's";
    findings.error(place(), `${words} is ${whose} in network "${network.name}"`);
  }
}

/** A node without an address of its own needs a pool that is open to it. */
function warnOfNoAddress(
  { name, network }: SiteNode,
  node: DeclaredNode,
  networks: ReadonlyMap<string, Network>,
  site: Declared<SiteDeclaration>,
  once: ReportOnce,
  findings: Findings,
): void {
  if (!knowsAllSubnets(site) || node.entries.some(({ key }) => site.lost(['nodes', key, 'ip']))) return;
  const own = networks.get(network ?? '');
  for (const { pools } of own ? [own] : networks.values()) if (pools.some(mayAdmitNodes)) return;
  if (!once('no address', node)) return;
  const where = own ? ` of network "${network}"` : '';
  const message = `node "${name}" has no address and no pool${where} is open to known nodes`;
  findings.warn(placeOf(node, site), message, 'give it `ip:`, or a network a pool with `allow: known`');
}

/** With several wires, the wire of a node must be known: on any other, its MAC address is another machine's. */
function warnOfNowhere(
  nodes: readonly SiteNode[],
  places: ReadonlyMap<string, DeclaredNode>,
  { site, networks }: NodeContext,
  findings: Findings,
): void {
  const wires = new Set([...networks.values()].map((network) => network.interface ?? `behind relays: ${network.name}`));
  const [first] = nodes;
  const declared = first && places.get(first.name.toLowerCase());
  if (wires.size < 2 || !declared || !knowsAllSubnets(site)) return;
  const names = foldNames(nodes.map(({ name }) => name)).join(', ');
  const has = nodes.length === 1 ? 'has' : 'have';
  findings.warn(
    placeOf(declared, site),
    `${names} ${has} neither \`ip\` nor \`network\`, and the site has several wires`,
    'set `network:` here or in a profile; without it, any machine with the MAC address on any wire counts as the node',
  );
}

/** False if a network was left out because of its form: an address in no network may lie in that one. */
function knowsAllSubnets(site: Declared<SiteDeclaration>): boolean {
  return site.names(['networks']).length === Object.keys(site.value.networks).length && !site.lost(['networks']);
}

function warnOfStrayFolders(
  nodes: ReadonlyMap<string, SiteNode>,
  { site, folders }: NodeContext,
  findings: Findings,
): void {
  const used = new Set([...nodes.values()].flatMap((node) => node.folders));
  const declared = new Set(site.names(['nodes']).flatMap(namesMeant));
  if (site.lost(['nodes'])) return;
  const someLost = declared.size !== nodes.size;
  const stray = folders.filter(
    (folder) => !used.has(folder) && !declared.has(folder) && !(someLost && DASHED.test(folder)),
  );
  if (stray.length === 0) return;
  const all = [...nodes.values()].flatMap(({ name, ip }) => (ip === undefined ? [name] : [dashedIpv4(ip), name]));
  for (const [i, folder] of stray.entries()) {
    const place: Place = { file: `nodes/${folder}`, line: 1, col: 1 };
    const names = i < MOST_GUESSED ? all : [];
    const hint = 'a folder is named for a node, or for its address with dashes';
    findings.warn(place, 'no node has this name or address', didYouMean(folder, names) ?? hint);
  }
}

function namesMeant(key: string): readonly string[] {
  const names = namesOf(key);
  return 'problem' in names ? [] : names;
}

/** To look for the nearest name takes milliseconds where there are thousands. */
const MOST_GUESSED = 20;
const DASHED = /^\d+-\d+-\d+-\d+$/;

/** Which node has the address, or the MAC. */
function takenBy(owner: SiteNode, { declared }: Claims, mac?: Mac): string {
  const { macs, ip } = declared.get(owner) ?? {};
  const placed = mac === undefined ? ip : macs?.find(({ value }) => value === mac);
  return `taken by node "${owner.name}" (${placed ? formatPlace(placed.place()) : ''})`;
}
