import { type BootServer, bootUrl } from '../boot/server.ts';
import { formatIpv4 } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { Standing } from '../node/standing.ts';
import type { Menu, Network, Site, SiteNode } from '../site/model.ts';
import type { Boot } from './boots.ts';
import type { Stranger } from './strangers.ts';
import type { Timeline } from './timeline.ts';

/**
 * `address-only` is a machine that is never told to boot; `unseen` one that has not been seen booting; `loaded` one that was
 * sent all of a menu entry, after which nothing tells how it fares, unless an agent runs there.
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
};

/** Puts together what the site declares and what the timeline saw. Pure. */
export function statusOf(
  site: Site,
  timeline: Pick<Timeline, 'boots'>,
  strangers: readonly Stranger[],
  serverOf: (network: Network) => BootServer | undefined,
  standingOf: (node: string) => Standing | undefined,
): Status {
  const server = [...site.networks.values()].map(serverOf).find((found) => found !== undefined);
  return {
    site: site.name,
    bootUrl: server ? bootUrl(server) : null,
    strangers: strangers.filter(({ mac }) => !site.nodeByMac.has(mac)),
    nodes: [...site.nodes.values()].map((node) => ({
      ...bootStatus(node, site.menu, timeline.boots(node.name)[0]),
      files: standingOf(node.name) ?? null,
    })),
  };
}

function bootStatus(node: SiteNode, menu: Menu, boot: Boot | undefined): Omit<NodeStatus, 'files'> {
  return {
    name: node.name,
    mac: node.macs[0],
    ip: node.ip === undefined ? null : formatIpv4(node.ip),
    state: stateOf(node, menu, boot),
    image: node.image ?? null,
    profiles: node.profiles,
    entry: node.boot ?? null,
    boot: boot ?? null,
  };
}

function stateOf(node: SiteNode, menu: Menu, boot: Boot | undefined): NodeState {
  if (!boot) return (node.image ?? node.boot) === undefined ? 'address-only' : 'unseen';
  const entry = menu.entries.find(({ name }) => name === node.boot);
  const reported = boot.steps.some(({ name }) => name === 'agent');
  if (!entry || boot.state !== 'booting' || reported) return boot.state;
  const sent = boot.steps.filter(({ status }) => status === 'done').map(({ file }) => file?.replace(/^files\//, ''));
  return [entry.kernel, ...entry.initrd].every((file) => sent.includes(file)) ? 'loaded' : 'booting';
}
