import { expectedInService, isComputeNode, type WithCloud } from '../cloud/expected.ts';
import { type Expected, isHostOf, lastToReport, standingOf } from '../cloud/inService.ts';
import { type Instance, instanceById, instancesOn, movesOf } from '../cloud/instances.ts';
import type { CloudSession } from '../cloud/session.ts';
import { type CloudView, readCloudView } from '../cloud/view.ts';
import { ReveilleError } from '../errors.ts';
import type { BootStep } from '../model/bootStep.ts';
import type { SiteNode } from '../model/node.ts';
import type { FilesStatus } from '../model/nodeFiles.ts';
import type { Phase } from '../model/rollNote.ts';
import type { Site } from '../site/site.ts';
import { type Boot, imageOfBoot } from '../timeline/boots.ts';
import type { Roll, RollNode } from './record.ts';
import type { Seen, SeenInCloud, SeenNode } from './seen.ts';

/** What a roll is shown the rack and its cloud through. */
export type LookFrom = {
  readonly site: () => Site;
  readonly newestBoot: (node: string) => Boot | undefined;
  readonly isWaiting: (node: string) => boolean;
  readonly filesOf: (node: string) => FilesStatus | undefined;
  readonly withCloud: WithCloud;
  readonly now: () => number;
};

/** The phases in which it matters which instances a host has. */
const INSTANCES_MATTER: ReadonlySet<Phase> = new Set(['draining', 'rebooting', 'restoring']);
/** Those in which it is about to be rebooted. */
const MOVES_MATTER: ReadonlySet<Phase> = new Set(['draining', 'rebooting']);

/**
 * Looks at the nodes of a roll. Of instances only those are asked for that matter now, or with `all` those of every node. A cloud
 * that fails is part of what is seen; nothing is thrown for it.
 */
export function createLook(from: LookFrom): (roll: Pick<Roll, 'nodes'>, all?: boolean) => Promise<Seen> {
  return async (roll, all = false) => {
    const site = from.site();
    const here = roll.nodes.flatMap((one) => {
      const node = site.nodes.get(one.node);
      return node ? [{ one, node }] : [];
    });
    const isInCloud = (node: SiteNode) => site.cloud !== undefined && isComputeNode(node);
    const compute = here.filter(({ node }) => isInCloud(node)).map(({ one }) => one);
    const expected = new Map(expectedInService(site, from.newestBoot).map((one) => [one.node, one]));
    const inCloud = await lookAtCloud(from.withCloud, compute, expected, all, from.now());
    const nodes = here.map(({ one, node }): [string, SeenNode] => {
      const boot = from.newestBoot(node.name);
      return [
        node.name,
        {
          ...(boot === undefined ? {} : { boot: seenBoot(boot) }),
          listens: from.isWaiting(node.name),
          bmc: node.bmc !== undefined,
          files: seenFiles(from.filesOf(node.name), boot),
          cloud: inCloud.get(one.node) ?? { kind: 'none' },
        },
      ];
    });
    return { now: from.now(), nodes: new Map(nodes) };
  };
}

async function lookAtCloud(
  withCloud: WithCloud,
  nodes: readonly RollNode[],
  expected: ReadonlyMap<string, Expected>,
  all: boolean,
  now: number,
): Promise<ReadonlyMap<string, SeenInCloud>> {
  if (nodes.length === 0) return new Map();
  try {
    return await withCloud(async (session) => {
      const view = await readCloudView(session);
      const seen = nodes.map(async (node) => {
        const asked = all || INSTANCES_MATTER.has(node.phase);
        return [node.node, await seenInCloud(session, view, node, expected.get(node.node), asked, now)] as const;
      });
      return new Map(await Promise.all(seen));
    });
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    const unknown: SeenInCloud = { kind: 'unknown', message: error.message };
    return new Map(nodes.map(({ node }) => [node, unknown]));
  }
}

async function seenInCloud(
  session: CloudSession,
  view: CloudView,
  { node, phase, moves }: RollNode,
  expected: Expected | undefined,
  asked: boolean,
  now: number,
): Promise<SeenInCloud> {
  const services = view.services.filter(({ host }) => isHostOf(host, node));
  const service = lastToReport(services, ({ updatedAt }) => updatedAt);
  const instances = asked ? await instancesOn(session, service?.host ?? node) : undefined;
  const here = new Set(instances?.map(({ id }) => id));
  const mayBeEmpty = instances?.every(({ task }) => task === undefined) && MOVES_MATTER.has(phase);
  const unended = mayBeEmpty ? await movesOf(session, service?.host ?? node, now) : undefined;
  const cold = Object.entries(moves).filter(([id, { kind }]) => asked && kind === 'cold' && !here.has(id));
  const moved = cold.map(async ([id]): Promise<[string, Instance | 'gone']> => [id, await instanceById(session, id)]);
  return {
    kind: 'seen',
    ...(service === undefined ? {} : { service }),
    ...(expected === undefined ? {} : { standing: standingOf(view, expected) }),
    ...(instances === undefined ? {} : { instances }),
    ...(unended === undefined ? {} : { unended }),
    moved: new Map(await Promise.all(moved)),
  };
}

function seenBoot(boot: Boot): SeenNode['boot'] & object {
  const failed = boot.state === 'failed' ? boot.steps.findLast(({ status }) => status === 'failed') : undefined;
  const step = failed ?? boot.steps.at(-1);
  const image = imageOfBoot(boot);
  return {
    startedAt: boot.startedAt,
    state: boot.state,
    ...(step && { step: withoutOutput(step) }),
    ...(image === undefined ? {} : { image }),
  };
}

/** What a command printed is no part of a roll's record. */
function withoutOutput({ output: _, ...step }: BootStep): BootStep {
  return step;
}

/**
 * Reports of a node from before its newest boot no longer count: its files were in memory. Files that were changed on the
 * node do not count: `sync --restore` mends them, and a service that writes its own would be renewed for ever.
 */
function seenFiles(files: FilesStatus | undefined, boot: Boot | undefined): SeenNode['files'] {
  if (!files || (boot && files.at < boot.startedAt)) return 'unknown';
  if (files.state === 'failed') return 'failed';
  if (files.state === 'behind') return 'others';
  return files.state === 'unknown' ? 'unknown' : 'right';
}
