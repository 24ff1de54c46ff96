import { type Ipv4, parseIpv4, parseSubnet } from '../../model/ipv4.ts';
import { type Mac, parseMac } from '../../model/mac.ts';
import type { Menu } from '../../model/menu.ts';
import type { Network } from '../../model/network.ts';
import type { SiteNode } from '../../model/node.ts';
import type { Recipe } from '../../model/recipe.ts';
import { NO_SETTINGS } from '../profiles.ts';
import type { Site } from '../site.ts';

/** A small whole site for tests: one network, one node with an image, one machine that only has an address. */
export function siteFixture(changes: Partial<Site> = {}): Site {
  const network = networkFixture();
  const nodes = [
    nodeFixture(),
    nodeFixture({ name: 'desktop2', macs: [mac('52:54:00:00:01:00')], ip: ip('10.0.0.100') }, []),
  ];
  return {
    name: 'g-rack',
    root: '/nonexistent',
    networks: new Map([[network.name, network]]),
    classes: new Map(),
    nodes: new Map(nodes.map((node) => [node.name, node])),
    nodeByMac: new Map(nodes.flatMap((node) => node.macs.map((address) => [address, node] as const))),
    nodeByIp: new Map(nodes.flatMap((node) => (node.ip === undefined ? [] : [[node.ip, node] as const]))),
    awaited: new Map(),
    images: new Map(),
    vars: {},
    secrets: new Map(),
    menu: menuFixture(),
    tftp: { singlePort: false, maxTransfers: 64, maxTransfersPerClient: 8 },
    http: { port: 8080 },
    dhcp: { probe: 'off', probeMs: 0, strangersPerPort: 64 },
    log: { format: 'text', journald: false },
    refreshSeconds: 600,
    ...changes,
  };
}

export function networkFixture(changes: Partial<Network> = {}): Network {
  const subnet = parseSubnet('10.0.0.0/24');
  if (!subnet) throw new Error('fixture');
  return {
    name: 'openstack',
    interface: 'br0',
    subnet,
    server: ip('10.0.0.2'),
    broadcast: ip('10.0.0.255'),
    dns: [],
    ntp: [],
    search: [],
    routes: [],
    relays: [],
    leaseSeconds: 7200,
    pools: [],
    options: new Map(),
    ...changes,
  };
}

/** A node with a name and cards only, plus `more`. */
export function nodeOf(name: string, macs: readonly [Mac, ...Mac[]], more: Partial<SiteNode> = {}): SiteNode {
  return {
    name,
    macs,
    ...NO_SETTINGS,
    profiles: [],
    loader: 'auto',
    folders: [],
    ...more,
  };
}

/** `node01` of 10.0.0.51, with an image unless `image` is the empty list. */
export function nodeFixture(changes: Partial<SiteNode> = {}, image: readonly string[] = ['bookworm']): SiteNode {
  return nodeOf('node01', [mac('52:54:00:00:00:51')], {
    ip: ip('10.0.0.51'),
    network: 'openstack',
    ...(image[0] === undefined ? {} : { image: image[0] }),
    ...changes,
  });
}

/** A recipe with no settings: a plain Debian. */
export function recipeFixture(changes: Partial<Recipe> = {}): Recipe {
  return {
    name: 'x',
    from: { kind: 'debian', suite: 'bookworm' },
    packages: [],
    removePackages: [],
    removePaths: [],
    keepPaths: [],
    check: [],
    ignoreMissing: [],
    slim: true,
    run: [],
    root: 'initramfs',
    initrdModules: [],
    compress: 'auto',
    place: { file: 'images/x.yaml', line: 1, col: 1 },
    ...changes,
  };
}

export function menuFixture(changes: Partial<Menu> = {}): Menu {
  return { timeoutSeconds: 3, default: 'node', entries: [], ...changes };
}

export function ip(text: string): Ipv4 {
  const value = parseIpv4(text);
  if (value === undefined) throw new Error(`not an address: ${text}`);
  return value;
}

export function mac(text: string): Mac {
  const value = parseMac(text);
  if (value === undefined) throw new Error(`not a MAC: ${text}`);
  return value;
}
