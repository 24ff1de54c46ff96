import { type BootServer, bootUrl } from '../boot/server.ts';
import { formatIpv4 } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { Network, Site, SiteNode } from '../site/model.ts';
import type { Boot } from './boots.ts';
import type { Stranger, Timeline } from './timeline.ts';

/** `address-only` is a machine that is never told to boot; `unseen` one that has not been seen booting. */
export type NodeState = 'unseen' | 'booting' | 'ready' | 'failed' | 'address-only';

export type NodeStatus = {
  readonly name: string;
  readonly mac: Mac;
  readonly ip: string | null;
  readonly state: NodeState;
  readonly image: string | null;
  readonly profiles: readonly string[];
  /** The newest boot, if one was seen. */
  readonly boot: Boot | null;
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
  timeline: Pick<Timeline, 'boots' | 'strangers'>,
  serverOf: (network: Network) => BootServer | undefined,
): Status {
  const server = [...site.networks.values()].map(serverOf).find((found) => found !== undefined);
  return {
    site: site.name,
    bootUrl: server ? bootUrl(server) : null,
    nodes: [...site.nodes.values()].map((node) => nodeStatus(node, timeline.boots(node.name)[0])),
    strangers: timeline.strangers(),
  };
}

function nodeStatus(node: SiteNode, boot: Boot | undefined): NodeStatus {
  return {
    name: node.name,
    mac: node.macs[0],
    ip: node.ip === undefined ? null : formatIpv4(node.ip),
    state: boot?.state ?? (node.image === undefined ? 'address-only' : 'unseen'),
    image: node.image ?? null,
    profiles: node.profiles,
    boot: boot ?? null,
  };
}
