import { type BootServer, bootUrl } from '../boot/server.ts';
import { formatIpv4, type Ipv4 } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { Standing } from '../node/standing.ts';
import type { RefusedEdit } from '../site/follow.ts';
import type { Menu, Network, Site, SiteNode } from '../site/model.ts';
import type { Boot } from './boots.ts';
import type { Stranger } from './strangers.ts';
import type { Timeline } from './timeline.ts';

/**
 * `address-only` is a machine that is never told to boot; `unseen` one that has not been seen booting; `loaded` one that was
 * sent all of a menu entry, or a boot file of the operator's own, after which nothing tells how it fares, unless an agent
 * runs there.
 */
export type NodeState = 'unseen' | 'booting' | 'loaded' | 'ready' | 'failed' | 'address-only';

export type NodeStatus = {
  readonly name: string;
  readonly mac: Mac;
  readonly ip: string | null;
  readonly state: NodeState;
  readonly image: string | null;
  readonly profiles: readonly string[];
  /** The menu entry that it boots instead of an image. */
  readonly entry: string | null;
  /** The boot file of the operator's own that it is told instead of either. */
  readonly bootFile?: string;
  /** The newest boot, if one was seen. */
  readonly boot: Boot | null;
  /** How its files stand, once its agent has told. */
  readonly files: Standing | null;
};

/** The whole rack at one moment, as `status --json` prints it. */
export type Status = {
  readonly site: string;
  /** The boot files' base URL in the first network that has a server address; `null` where none has. */
  readonly bootUrl: string | null;
  readonly nodes: readonly NodeStatus[];
  readonly strangers: readonly Stranger[];
  /** The edit of the site that the running server refused, if its site folder is not what it serves. */
  readonly refused: RefusedEdit | null;
};

/** Puts together what the site declares and what the timeline saw. Pure. */
export function statusOf(
  site: Site,
  timeline: Pick<Timeline, 'boots'>,
  strangers: readonly Stranger[],
  serverOf: (network: Network) => BootServer | undefined,
  standingOf: (node: string) => Standing | undefined,
  refused?: RefusedEdit,
): Status {
  const servers = [...site.networks.values()].map(serverOf).filter((found) => found !== undefined);
  const [server] = servers;
  const ours = new Set(servers.map(({ ip }) => ip));
  return {
    site: site.name,
    bootUrl: server ? bootUrl(server) : null,
    refused: refused ?? null,
    strangers: strangers.filter(({ mac }) => !site.nodeByMac.has(mac)),
    nodes: [...site.nodes.values()].map((node) => ({
      ...bootStatus(node, lastFiles(node, site.menu, ours), timeline.boots(node.name)[0]),
      files: standingOf(node.name) ?? null,
    })),
  };
}

function bootStatus(
  node: SiteNode,
  files: readonly string[] | undefined,
  boot: Boot | undefined,
): Omit<NodeStatus, 'files'> {
  return {
    name: node.name,
    mac: node.macs[0],
    ip: node.ip === undefined ? null : formatIpv4(node.ip),
    state: stateOf(node, files, boot),
    image: node.image ?? null,
    profiles: node.profiles,
    entry: node.boot ?? null,
    ...(node.bootFile === undefined ? {} : { bootFile: node.bootFile }),
    boot: boot ?? null,
  };
}

/** The files after which a boot tells no more of itself; none of them are ours where another server has them. */
function lastFiles(
  { boot, bootFile, nextServer }: SiteNode,
  menu: Menu,
  ours: ReadonlySet<Ipv4>,
): readonly string[] | undefined {
  if (bootFile !== undefined) return nextServer === undefined || ours.has(nextServer) ? [bootFile] : [];
  const entry = menu.entries.find(({ name }) => name === boot);
  return entry && [entry.kernel, ...entry.initrd];
}

function stateOf(node: SiteNode, files: readonly string[] | undefined, boot: Boot | undefined): NodeState {
  if (!boot) return (node.image ?? node.boot ?? node.bootFile) === undefined ? 'address-only' : 'unseen';
  const reported = boot.steps.some(({ name }) => name === 'agent');
  if (!files || boot.state !== 'booting' || reported) return boot.state;
  const sent = boot.steps.filter(({ status }) => status === 'done').map(({ file }) => file?.replace(/^files\//, ''));
  return files.every((file) => sent.includes(file)) ? 'loaded' : 'booting';
}
