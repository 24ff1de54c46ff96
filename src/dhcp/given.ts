import type { BootAnswer } from '../boot/client.ts';
import type { Layer } from '../model/bootReason.ts';
import type { BootFrom, Lending, Pool, SiteClass } from '../model/network.ts';
import type { WireNode } from '../model/node.ts';
import type { Options } from './optionSet.ts';
import type { ServedNetwork } from './wire.ts';

/**
 * What the site gives a client stands in layers: its network, the pool that it draws from, its classes in the order of the
 * site, its node with the node's profiles. What a later layer sets replaces what an earlier one sets.
 */
export type Layers = {
  readonly network: ServedNetwork;
  readonly pool?: Pool | undefined;
  readonly classes: readonly SiteClass[];
  readonly node: WireNode | undefined;
};

/** Calls `give` with each option that the operator wrote out, earlier layers first. */
export function eachOption(
  { network, pool, classes, node }: Layers,
  give: (code: number, value: Uint8Array) => void,
): void {
  const layer = (options: Options): void => {
    for (const [code, value] of options) give(code, value);
  };
  layer(network.options);
  if (pool) layer(pool.options);
  for (const { options } of classes) layer(options);
  if (node) layer(node.options);
}

/**
 * The lease time in seconds for a client that wishes for `wish` of them, or has no wish. A layer that says a lease time does
 * away with the bounds of the layers before it.
 */
export function givenLease({ network, pool, classes }: Layers, wish: number | undefined): number {
  let usual: number = network.leaseSeconds;
  let shortest = network.minLeaseSeconds;
  let longest = network.maxLeaseSeconds;
  const lay = (layer: Lending): void => {
    if (layer.leaseSeconds !== undefined) {
      usual = layer.leaseSeconds;
      shortest = undefined;
      longest = undefined;
    }
    shortest = layer.minLeaseSeconds ?? shortest;
    longest = layer.maxLeaseSeconds ?? longest;
  };
  if (pool) lay(pool);
  for (const each of classes) lay(each);
  const most = longest ?? usual;
  return Math.max(shortest ?? Math.min(SHORTEST_LEASE_SECONDS, most), Math.min(most, wish ?? usual));
}

/** A client that wishes for less asks too often. */
const SHORTEST_LEASE_SECONDS = 60;

/**
 * What the client boots: a boot file that the operator names, else what `decided` says. A boot server that the
 * operator names goes with the operator's boot file, or where nothing of ours boots.
 */
export function givenBoot(layers: Layers, decided: () => BootAnswer): BootAnswer {
  const file = from(layers, 'bootFile');
  const server = from(layers, 'nextServer');
  if (file === undefined) {
    const answer = decided();
    return server === undefined || answer.kind === 'boot' ? answer : { ...answer, nextServer: server.value };
  }
  const { value: bootFile, layer } = file;
  if (server === undefined) return { kind: 'boot', bootFile, reason: { code: 'operator', bootFile: layer } };
  const reason = { code: 'operator', bootFile: layer, nextServer: server.layer } as const;
  return { kind: 'boot', bootFile, nextServer: server.value, reason };
}

/** What the innermost layer says, and which one that is. */
function from<K extends keyof BootFrom>(
  { network, pool, classes, node }: Layers,
  key: K,
): { readonly value: NonNullable<BootFrom[K]>; readonly layer: Layer } | undefined {
  const own = node?.[key];
  if (node && own !== undefined) return { value: own, layer: { of: 'node', name: node.name } };
  for (let i = classes.length - 1; i >= 0; i--) {
    const named = classes[i];
    const value = named?.[key];
    if (named && value !== undefined) return { value, layer: { of: 'class', name: named.name } };
  }
  const drawn = pool?.[key];
  if (pool && drawn !== undefined) return { value: drawn, layer: { of: 'pool', first: pool.range.first } };
  const value = network[key];
  return value === undefined ? undefined : { value, layer: { of: 'network', name: network.name } };
}
