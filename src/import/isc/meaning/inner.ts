import type { Reading } from './reading.ts';
import { chainOf, isOfHosts, type Scope, type Setting } from './scopes.ts';

/**
 * What a choice of a scope of networks gives, but for what every network in it says itself: in dhcpd the inner scope goes before
 * the outer one, whatever that chooses. A class of a site goes before all networks, which is reported where only some set it.
 */
export function withoutInner(
  settings: ReadonlyMap<string, Setting>,
  scope: Scope,
  reading: Reading,
): ReadonlyMap<string, Setting> {
  if (scope.kind === 'class' || scope.kind === 'branch' || isOfHosts(scope)) return settings;
  const kept = new Map(settings);
  for (const [key, setting] of settings) {
    const { every, some } = saidWithin(key, scope, reading);
    if (every) {
      kept.delete(key);
      reading.because(setting, 'what stands further in says its own, which goes before it', 'server');
    } else if (some) {
      const why = 'given to those too whose network or pool says its own, since a class goes before them';
      reading.tell('changed', setting, why);
    }
  }
  return kept;
}

/** Whether every network within a scope says something itself, or some network or pool does. */
function saidWithin(
  key: string,
  scope: Scope,
  { outline }: Reading,
): { readonly every: boolean; readonly some: boolean } {
  const says = (inner: Scope): boolean | undefined => {
    const chain = chainOf(inner);
    const end = chain.indexOf(scope);
    return end < 0 ? undefined : chain.slice(0, end).some(({ set }) => set.has(key));
  };
  const networks = outline.wires.flatMap(({ subnets }) => subnets.flatMap((subnet) => says(subnet.scope) ?? []));
  const pools = outline.pools.flatMap((pool) => says(pool.scope) ?? []);
  return { every: networks.length > 0 && !networks.includes(false), some: [...networks, ...pools].includes(true) };
}
