import type { BootSite } from '../boot/site.ts';
import type { DhcpSite } from '../dhcp/site.ts';
import type { SiteNode, WireNode } from '../model/node.ts';
import type { Site } from './site.ts';

/** What the services that answer packets read of a site. */
export type WireSite = DhcpSite & BootSite & Pick<Site, 'tftp'>;

type Around = Omit<WireSite, 'nodes' | 'nodeByMac' | 'nodeByIp'>;

/** A step from one site to the next. Nodes come some at a time, before the step that has them count. */
export type WireChange =
  | { readonly kind: 'nodes'; readonly nodes: readonly WireNode[] }
  | { readonly kind: 'in force'; readonly around: Around; readonly gone: readonly string[] };

/** Nodes that go over at once: some tenths of a millisecond. */
const MOST_NODES = 256;

/** What leads from the site `before`, if there is one, to `site`: of the nodes those that are not the same objects. */
export function* wireChanges(before: Pick<Site, 'nodes'> | undefined, site: Site): Iterable<WireChange> {
  let nodes: WireNode[] = [];
  for (const [name, node] of site.nodes) {
    if (before?.nodes.get(name) === node) continue;
    nodes.push(wireNode(node));
    if (nodes.length < MOST_NODES) continue;
    yield { kind: 'nodes', nodes };
    nodes = [];
  }
  if (nodes.length > 0) yield { kind: 'nodes', nodes };
  const gone = [...(before?.nodes.keys() ?? [])].filter((name) => !site.nodes.has(name));
  yield { kind: 'in force', around: aroundOf(site), gone };
}

type Nodes = Pick<WireSite, 'nodes' | 'nodeByMac' | 'nodeByIp'>;

/** The site in force, as the thread of a service has it: one turn of the event loop takes it from one to the next. */
export class WireView {
  #next: WireNode[] = [];
  #site: WireSite | undefined;

  /** `changes`: from no site to the first. */
  constructor(changes: Iterable<WireChange>) {
    for (const change of changes) this.take(change);
  }

  get site(): WireSite {
    if (this.#site === undefined) throw new Error('no site is in force yet');
    return this.#site;
  }

  /** Whether another site is in force from now on. */
  take(change: WireChange): boolean {
    if (change.kind === 'nodes') {
      for (const node of change.nodes) this.#next.push(node);
      return false;
    }
    this.#site = { ...change.around, ...withChanges(this.#site, this.#next, change.gone) };
    this.#next = [];
    return true;
  }
}

function withChanges(before: Nodes | undefined, changed: readonly WireNode[], gone: readonly string[]): Nodes {
  if (before && changed.length === 0 && gone.length === 0) {
    const { nodes, nodeByMac, nodeByIp } = before;
    return { nodes, nodeByMac, nodeByIp };
  }
  const nodes = new Map(before?.nodes);
  const nodeByMac = new Map(before?.nodeByMac);
  const nodeByIp = new Map(before?.nodeByIp);
  for (const name of [...gone, ...changed.map((node) => node.name)]) {
    const node = nodes.get(name);
    if (node === undefined) continue;
    nodes.delete(name);
    for (const mac of node.macs) nodeByMac.delete(mac);
    if (node.ip !== undefined) nodeByIp.delete(node.ip);
  }
  for (const node of changed) {
    nodes.set(node.name, node);
    for (const mac of node.macs) nodeByMac.set(mac, node);
    if (node.ip !== undefined) nodeByIp.set(node.ip, node);
  }
  return { nodes, nodeByMac, nodeByIp };
}

function aroundOf({ name, root, networks, classes, awaited, dhcp, menu, tftp }: Site): Around {
  return { name, root, networks, classes, awaited, dhcp, menu, tftp };
}

function wireNode(node: SiteNode): WireNode {
  const { overlays, overlayOrigins, replace, settingsSeconds, vars, bmc, folders, profiles, ...wire } = node;
  return wire;
}
