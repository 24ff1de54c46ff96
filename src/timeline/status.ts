import { type BootServer, bootUrl } from '../model/bootServer.ts';
import type { RefusedEdit } from '../model/finding.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Menu } from '../model/menu.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { FilesStatus } from '../model/nodeFiles.ts';
import type { Boot } from './boots.ts';
import type { HeldLease } from './heldLease.ts';
import type { Stranger } from './strangers.ts';
import type { Timeline } from './timeline.ts';

/**
 * `address-only` is a machine that is never sent a boot file; `unseen` one that has no address and has not been seen booting; `addressed` one that
 * has its address and has not asked to boot; `loaded` one that was sent all of a menu entry, or a boot file of the operator's own: no
 * report follows, unless an agent runs there.
 */
export const NODE_STATES = ['unseen', 'addressed', 'booting', 'loaded', 'ready', 'failed', 'address-only'] as const;
export type NodeState = (typeof NODE_STATES)[number];

export type NodeStatus = {
  readonly name: string;
  readonly mac: Mac;
  /** All of its MAC addresses, that one the first. */
  readonly macs: readonly Mac[];
  /** The address that the site keeps for it. */
  readonly ip: string | null;
  /** The address that it has now. */
  readonly lease: HeldLease | null;
  readonly state: NodeState;
  readonly image: string | null;
  readonly profiles: readonly string[];
  /** The menu entry that it boots instead of an image. */
  readonly entry: string | null;
  /** The boot file of the operator's own that it is sent instead of either. */
  readonly bootFile?: string;
  /** The newest boot, if one was seen. */
  readonly boot: Boot | null;
  /** The state of its files, once its agent has reported it. */
  readonly files: FilesStatus | null;
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
  /** Where the operators' API is served over TCP, and the SHA-256 of its certificate; absent where it is not. */
  readonly api?: ServedApi;
};

export type ServedApi = { readonly port: number; readonly fingerprint?: string };

/** What a status reads of the site. */
export type StatusSite = {
  readonly name: string;
  readonly networks: ReadonlyMap<string, Network>;
  readonly nodes: ReadonlyMap<string, SiteNode>;
  readonly nodeByMac: ReadonlyMap<Mac, SiteNode>;
  readonly menu: Menu;
};

/** What a status is put together from. */
export type StatusFrom = {
  readonly site: StatusSite;
  readonly timeline: Pick<Timeline, 'boots'>;
  readonly strangers: readonly Stranger[];
  readonly serverOf: (network: Network) => BootServer | undefined;
  readonly filesStatusOf: (node: string) => FilesStatus | undefined;
  /** The addresses that machines have now. */
  readonly held: ReadonlyMap<Mac, readonly HeldLease[]>;
  readonly refused?: RefusedEdit | undefined;
  readonly api?: ServedApi | undefined;
};

/** Puts together what the site declares, what the timeline saw and which addresses are lent. Pure. */
export function statusOf({
  site,
  timeline,
  strangers,
  serverOf,
  filesStatusOf,
  held,
  refused,
  api,
}: StatusFrom): Status {
  const servers = [...site.networks.values()].map(serverOf).filter((found) => found !== undefined);
  const [server] = servers;
  const ours = new Set(servers.map(({ ip }) => ip));
  return {
    site: site.name,
    bootUrl: server ? bootUrl(server) : null,
    refused: refused ?? null,
    ...(api && { api }),
    strangers: strangers.filter(({ mac }) => !site.nodeByMac.has(mac)),
    nodes: [...site.nodes.values()].map((node) => {
      const boot = timeline.boots(node.name)[0];
      const lease = leaseOf(node, held);
      return {
        name: node.name,
        mac: node.macs[0],
        macs: node.macs,
        ip: node.ip === undefined ? null : formatIpv4(node.ip),
        lease: lease ?? null,
        state: stateOf(node, lastFiles(node, site.menu, ours), boot, lease),
        image: node.image ?? null,
        profiles: node.profiles,
        entry: node.boot ?? null,
        ...(node.bootFile === undefined ? {} : { bootFile: node.bootFile }),
        boot: boot ?? null,
        files: filesStatusOf(node.name) ?? null,
      };
    }),
  };
}

/** The lease of a node: of several, the one of its own address, else the one in its own network. */
function leaseOf({ macs, ip, network }: SiteNode, held: StatusFrom['held']): HeldLease | undefined {
  const leases = macs.flatMap((mac) => held.get(mac) ?? []);
  const own = ip === undefined ? undefined : formatIpv4(ip);
  return leases.find((one) => one.ip === own) ?? leases.find((one) => one.network === network) ?? leases[0];
}

/** The files after which no report of a boot follows; empty where another server sends them. */
function lastFiles(
  { boot, bootFile, nextServer }: SiteNode,
  menu: Menu,
  ours: ReadonlySet<Ipv4>,
): readonly string[] | undefined {
  if (bootFile !== undefined) return nextServer === undefined || ours.has(nextServer) ? [bootFile] : [];
  const entry = menu.entries.find(({ name }) => name === boot);
  return entry && [entry.kernel, ...entry.initrd];
}

function stateOf(
  node: SiteNode,
  files: readonly string[] | undefined,
  boot: Boot | undefined,
  lease: HeldLease | undefined,
): NodeState {
  if (!boot) {
    if ((node.image ?? node.boot ?? node.bootFile) === undefined) return 'address-only';
    return lease ? 'addressed' : 'unseen';
  }
  const reported = boot.steps.some(({ code }) => code === 'agent');
  if (!files || boot.state !== 'booting' || reported) return boot.state;
  const sent = boot.steps.flatMap((step) => ('file' in step && step.status === 'done' ? [pathOf(step.file)] : []));
  return files.every((file) => sent.includes(file)) ? 'loaded' : 'booting';
}

/** The path of one of the operator's own files, which has a prefix over HTTP. */
function pathOf(file: string | undefined): string | undefined {
  return file?.replace(/^files\//, '');
}
