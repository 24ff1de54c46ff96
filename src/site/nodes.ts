import { formatPlace, type Place } from '../errors.ts';
import { dashedIpv4, formatIpv4, formatSubnet, type Ipv4, inSubnet } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import { didYouMean, type Findings } from './finding.ts';
import { mergeSettings, type Settings } from './merge.ts';
import type { Network, SiteNode } from './model.ts';
import { hostlessWords, isHost } from './networks.ts';
import { mayAdmitNodes } from './pools.ts';
import { NO_SETTINGS, type Profiles } from './profiles.ts';
import { NODE_NAME_PATTERN, type NodeDeclaration, type SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

export type Nodes = {
  readonly nodes: ReadonlyMap<string, SiteNode>;
  readonly nodeByMac: ReadonlyMap<Mac, SiteNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, SiteNode>;
};

type Surroundings = {
  readonly site: Declared<SiteDeclaration>;
  readonly networks: ReadonlyMap<string, Network>;
  readonly profiles: Profiles;
  /** Reads what a node says for itself. */
  readonly settingsAt: (declared: NodeDeclaration, at: Path) => Settings;
  /** Names of the folders below nodes/. */
  readonly folders: readonly string[];
};

/** The nodes of a site: profiles merged in, networks found, and no name, MAC or address claimed twice. */
export function resolveNodes(around: Surroundings, findings: Findings): Nodes {
  const nodes = new Map<string, SiteNode>();
  const nodeByMac = new Map<Mac, SiteNode>();
  const nodeByIp = new Map<Ipv4, SiteNode>();
  const folders = new Set(around.folders);
  const names = new Map<string, string>();
  const base = { ...NO_SETTINGS, vars: around.site.value.vars };

  for (const [name, declared] of Object.entries(around.site.value.nodes)) {
    checkName(name, names, around.site, findings);
    const node = resolveNode(name, declared, base, folders, around, findings);
    nodes.set(name, node);
    claimMacs(node, nodeByMac, around.site, findings);
    claimIp(node, nodeByIp, around, findings);
  }
  warnOfStrayFolders(nodes, around, findings);
  return { nodes, nodeByMac, nodeByIp };
}

function resolveNode(
  name: string,
  declared: NodeDeclaration,
  base: Settings,
  folders: ReadonlySet<string>,
  { site, networks, profiles, settingsAt }: Surroundings,
  findings: Findings,
): SiteNode {
  const at: Path = ['nodes', name];
  const { ip } = declared;
  const shared = declared.profiles.map((profile, i) =>
    profiles.get(profile, () => site.place([...at, 'profiles', i]), findings),
  );
  const { loader = 'auto', ...merged } = mergeSettings([base, ...shared, settingsAt(declared, at)]);
  const network = ip === undefined ? undefined : [...networks.values()].find(({ subnet }) => inSubnet(subnet, ip));
  const own = [...(ip === undefined ? [] : [dashedIpv4(ip)]), name];
  return {
    name,
    // Without any it is an error by now, and the site does not load.
    macs: (declared.mac ?? []) as readonly Mac[] as readonly [Mac, ...Mac[]],
    ...(ip === undefined ? {} : { ip }),
    ...(network === undefined ? {} : { network: network.name }),
    profiles: declared.profiles,
    ...merged,
    loader,
    folders: [...new Set(own)].filter((folder) => folders.has(folder)),
  };
}

function checkName(
  name: string,
  names: Map<string, string>,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  const place = () => site.keyPlace(['nodes', name]);
  if (!NODE_NAME_PATTERN.test(name)) {
    const hint = 'a host name has letters, digits and inner hyphens, 63 at most (RFC 1123)';
    findings.error(place(), `"${name}" cannot name a node`, hint);
  }
  const twin = names.get(name.toLowerCase());
  if (twin !== undefined) {
    const where = formatPlace(site.keyPlace(['nodes', twin]));
    findings.error(
      place(),
      `node "${name}" differs from node "${twin}" (${where}) in case only`,
      'host names ignore case',
    );
  }
  names.set(name.toLowerCase(), name);
}

function claimMacs(
  node: SiteNode,
  nodeByMac: Map<Mac, SiteNode>,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  const at: Path = ['nodes', node.name, 'mac'];
  if (node.macs.length < 1 && !site.lost(at) && site.names(at).length === 0) {
    const message = `node "${node.name}" has no MAC address`;
    findings.error(site.keyPlace(['nodes', node.name]), message, 'a node is known by it: write `mac:`');
  }
  for (const [i, mac] of node.macs.entries()) {
    const place = () => site.place(['nodes', node.name, 'mac', i]);
    const owner = nodeByMac.get(mac);
    if (owner === node) findings.error(place(), `MAC address ${mac} is listed twice`);
    else if (owner !== undefined) {
      const first = site.place(['nodes', owner.name, 'mac', owner.macs.indexOf(mac)]);
      findings.error(place(), `MAC address ${mac} is ${takenBy(owner, first)}`, 'each node has its own');
    } else nodeByMac.set(mac, node);
    if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) {
      findings.error(place(), `MAC address ${mac} is a group's`, "a network card's first byte is even");
    }
  }
}

function claimIp(
  node: SiteNode,
  nodeByIp: Map<Ipv4, SiteNode>,
  { site, networks }: Surroundings,
  findings: Findings,
): void {
  const { ip } = node;
  if (ip === undefined) {
    warnOfNoAddress(node, networks, site, findings);
    return;
  }
  const place = () => site.place(['nodes', node.name, 'ip']);
  const words = `address ${formatIpv4(ip)}`;

  const owner = nodeByIp.get(ip);
  if (owner === undefined) nodeByIp.set(ip, node);
  else {
    const first = site.place(['nodes', owner.name, 'ip']);
    findings.error(place(), `${words} is ${takenBy(owner, first)}`, 'each node has its own');
  }

  const network = node.network === undefined ? undefined : networks.get(node.network);
  if (network === undefined) {
    if (!knowsAllSubnets(site)) return;
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

/** Without an address of its own a node needs a pool that is open to it. */
function warnOfNoAddress(
  node: SiteNode,
  networks: ReadonlyMap<string, Network>,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  if (!knowsAllSubnets(site) || site.lost(['nodes', node.name, 'ip'])) return;
  for (const { pools } of networks.values()) if (pools.some(mayAdmitNodes)) return;
  const message = `node "${node.name}" has no address and no pool is open to known nodes`;
  findings.warn(site.keyPlace(['nodes', node.name]), message, 'give it `ip:`, or a network a pool with `allow: known`');
}

/** False if a network was left out for its form: then an address that seems to lie nowhere may lie there. */
function knowsAllSubnets(site: Declared<SiteDeclaration>): boolean {
  return site.names(['networks']).length === Object.keys(site.value.networks).length && !site.lost(['networks']);
}

function warnOfStrayFolders(
  nodes: ReadonlyMap<string, SiteNode>,
  { site, folders }: Surroundings,
  findings: Findings,
): void {
  const used = new Set([...nodes.values()].flatMap((node) => node.folders));
  const declared = new Set(site.names(['nodes']));
  if (site.lost(['nodes'])) return;
  const someLost = declared.size !== nodes.size;
  for (const folder of folders) {
    if (used.has(folder) || declared.has(folder) || (someLost && DASHED.test(folder))) continue;
    const place: Place = { file: `nodes/${folder}`, line: 1, col: 1 };
    const names = [...nodes.values()].flatMap(({ name, ip }) => (ip === undefined ? [name] : [dashedIpv4(ip), name]));
    const hint = 'a folder is named for a node, or for its address with dashes';
    findings.warn(place, 'no node has this name or address', didYouMean(folder, names) ?? hint);
  }
}

const DASHED = /^\d+-\d+-\d+-\d+$/;

function takenBy(owner: SiteNode, first: Place): string {
  return `taken by node "${owner.name}" (${formatPlace(first)})`;
}
