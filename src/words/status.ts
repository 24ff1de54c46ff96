import type { NodeStatus, Status } from '../timeline/status.ts';
import type { Stranger } from '../timeline/strangers.ts';
import { type BootJson, bootJson } from './step.ts';

type StatusJson = Omit<Status, 'nodes' | 'strangers'> & {
  readonly nodes: readonly (Omit<NodeStatus, 'boot'> & { readonly boot: BootJson | null })[];
  readonly strangers: readonly (Omit<Stranger, 'boot'> & { readonly boot?: BootJson })[];
};

/** A status as programs are given it: codes and values, and the words of each step of a boot. */
export function statusJson(status: Status): StatusJson {
  return {
    ...status,
    nodes: status.nodes.map((node) => ({ ...node, boot: node.boot && bootJson(node.boot) })),
    strangers: status.strangers.map(({ boot, ...rest }) => ({ ...rest, ...(boot && { boot: bootJson(boot) }) })),
  };
}
