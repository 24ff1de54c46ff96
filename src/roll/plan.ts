import { isComputeNode } from '../cloud/expected.ts';
import { ReveilleError } from '../errors.ts';
import type { ShelvedImage } from '../image/shelf.ts';
import type { SiteNode } from '../model/node.ts';
import type { NodeNote, Policy } from '../model/rollNote.ts';
import { selectNodes } from '../site/nodeSet.ts';
import type { Site } from '../site/site.ts';
import { isRenewed } from './node.ts';
import { isActive, type Roll, type RollLimits, type RollNode, waitingNode } from './record.ts';
import type { Seen, SeenNode } from './seen.ts';

/** What an operator asks for. */
export type Wish = RollLimits & {
  /** A set of nodes; empty for all that have an image. */
  readonly nodes: string;
  /** Only those whose running image or files are not the wanted ones. */
  readonly drifted: boolean;
  /** The name of an image, where it is not the one that the site gives each node. */
  readonly image?: string;
};

export type PlanFrom = {
  readonly site: Site;
  readonly shelf: {
    current(name: string): Promise<ShelvedImage | undefined>;
    byHash(sha256: string): Promise<ShelvedImage | undefined>;
  };
  readonly pins: ReadonlyMap<string, string>;
  readonly look: (roll: Pick<Roll, 'nodes'>) => Promise<Seen>;
  readonly now: number;
};

/**
 * The roll that fulfils a wish, not yet begun. Throws NODE_UNKNOWN, NODE_SET_INVALID, IMAGE_MISSING, CLOUD_INVALID where
 * instances could not be moved, REQUEST_INVALID where a node has no image or nothing is to be done.
 */
export async function planRoll(wish: Wish, from: PlanFrom): Promise<Roll> {
  const { site } = from;
  const all = [...site.nodes.values()];
  const chosen = wish.nodes === '' ? all.filter(({ image }) => image !== undefined) : selectNodes(all, wish.nodes);
  // Of all nodes, some may never have had an image to run.
  const isBuilt = async ({ image }: SiteNode) =>
    wish.nodes !== '' || wish.image !== undefined || (await from.shelf.current(image ?? '')) !== undefined;
  const built = await Promise.all(chosen.map(isBuilt));
  const renewable = chosen.filter((_, i) => built[i]);
  const nodes = await Promise.all(renewable.map((node) => rollNode(node, wish.image, from)));
  const seen = await from.look({ nodes });
  const withBefore = nodes.map((node) => {
    const image = seen.nodes.get(node.node)?.boot?.image;
    return { ...node, before: image === undefined || image === node.image ? null : image };
  });
  const wanted = wish.drifted ? withBefore.filter((node) => hasDrifted(node, seen.nodes.get(node.node))) : withBefore;
  if (wanted.length === 0) {
    throw new ReveilleError('REQUEST_INVALID', wish.drifted ? 'no node has drifted' : 'no node has an image', {});
  }
  requireCloud(site, wanted, wish.policy);
  const isOther = wish.image !== undefined && chosen.some(({ image }) => image !== wish.image);
  return roll(wish, wanted, isOther, null, from.now);
}

/** The roll that takes another back: its nodes return to the images that they ran before. Throws as `planRoll` does. */
export async function planRollback(back: Roll, limits: Partial<RollLimits>, from: PlanFrom): Promise<Roll> {
  if (isActive(back)) {
    throw new ReveilleError('REQUEST_INVALID', `the roll ${back.id} is under way`, {
      hint: 'abort it first, with `reveille roll abort`',
    });
  }
  const changed = back.nodes.filter(
    ({ phase, node }) => (phase === 'done' || phase === 'failed') && from.site.nodes.has(node),
  );
  const nodes = changed.flatMap((one): readonly RollNode[] =>
    one.before === null ? [] : [fresh(one.node, one.before, from)],
  );
  if (nodes.length === 0) {
    throw new ReveilleError('REQUEST_INVALID', `of no node of the roll ${back.id} it is known what it ran before`);
  }
  for (const { node, image } of nodes) {
    if ((await from.shelf.byHash(image)) === undefined) {
      throw new ReveilleError('IMAGE_MISSING', `${node} ran ${image.slice(0, 12)}, which is not on the shelf any more`);
    }
  }
  const { maxUnavailable, failures, policy, bootMs } = { ...back, ...limits };
  requireCloud(from.site, nodes, policy);
  return roll({ maxUnavailable, failures, policy, bootMs }, nodes, true, back.id, from.now);
}

/** Refuses a roll that shares a node with one under way. Throws REQUEST_INVALID. */
export function refuseCommonNodes(roll: Roll, others: Iterable<Roll>): void {
  const names = new Set(roll.nodes.map(({ node }) => node));
  for (const other of others) {
    if (other.id === roll.id || !isActive(other)) continue;
    const common = other.nodes.find(({ node }) => names.has(node));
    if (common === undefined) continue;
    throw new ReveilleError('REQUEST_INVALID', `${common.node} is part of the roll ${other.id}, which is under way`, {
      hint: 'wait for it, or abort it with `reveille roll abort`',
    });
  }
}

/** What a roll would do with each node, as its note: nothing is done. */
export function preview(roll: Roll, seen: Seen): Roll {
  const nodes = roll.nodes.map((node) => ({ ...node, note: forecast(node, seen.nodes.get(node.node), roll.policy) }));
  return { ...roll, nodes };
}

function forecast(node: RollNode, seen: SeenNode | undefined, policy: Policy): NodeNote {
  if (seen && isRenewed(node, seen)) return { code: 'would-skip' };
  if (!seen || seen.cloud.kind === 'none') return { code: 'would-reboot' };
  if (seen.cloud.kind === 'unknown') return { code: 'would-wait', message: seen.cloud.message };
  const { instances = [], service } = seen.cloud;
  const live = instances.filter(({ status }) => status === 'ACTIVE' || status === 'PAUSED').length;
  return {
    code: 'would-reboot',
    instances: { live, others: instances.length - live, policy },
    ...(service && !service.enabled ? { staysDisabled: true } : {}),
  };
}

/** A machine that was never seen booting runs nothing that could have drifted. */
function hasDrifted({ image }: RollNode, seen: SeenNode | undefined): boolean {
  if (seen?.boot === undefined) return false;
  return seen.boot.image !== image || seen.files === 'others' || seen.files === 'failed';
}

function requireCloud(site: Site, nodes: readonly RollNode[], policy: Policy): void {
  if (site.cloud !== undefined || policy === 'leave') return;
  const compute = nodes.find(({ node }) => {
    const found = site.nodes.get(node);
    return found !== undefined && isComputeNode(found);
  });
  if (compute === undefined) return;
  throw new ReveilleError(
    'CLOUD_INVALID',
    `${compute.node} runs nova-compute, and the site names no cloud to move its instances`,
    {
      hint: 'set cloud: in site.yaml; or let instances go down with their nodes with --policy leave',
    },
  );
}

async function rollNode(node: SiteNode, named: string | undefined, from: PlanFrom): Promise<RollNode> {
  const name = named ?? node.image;
  if (node.image === undefined || name === undefined) {
    throw new ReveilleError('REQUEST_INVALID', `${node.name} has no image that could be renewed`);
  }
  const image = await from.shelf.current(name);
  if (image === undefined) {
    throw new ReveilleError('IMAGE_MISSING', `the image ${name} has not been built`, {
      hint: `build it with \`reveille image build ${name}\``,
    });
  }
  return fresh(node.name, image.sha256, from);
}

function fresh(node: string, image: string, { pins, now }: PlanFrom): RollNode {
  return { ...waitingNode(node, image, now), pinBefore: pins.get(node) ?? null };
}

function roll(
  { maxUnavailable, failures, policy, bootMs }: RollLimits,
  nodes: readonly RollNode[],
  keepPins: boolean,
  takesBack: string | null,
  now: number,
): Roll {
  return {
    id: new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, '').toLowerCase(),
    begunAt: now,
    endedAt: null,
    state: 'running',
    endsAs: 'stopped',
    note: null,
    maxUnavailable,
    failures,
    policy,
    bootMs,
    keepPins,
    takesBack,
    nodes,
  };
}
