import { type Fit, fitOf, ROOM_OF_ALL } from '../dhcp/fit.ts';
import type { ServedNetwork } from '../dhcp/wire.ts';
import type { Network, Pool } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { nameOfOption } from '../model/options.ts';
import type { Findings } from './finding.ts';
import { rangeWords } from './pools.ts';
import type { SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Site } from './site.ts';

/** Warns if a network's options, with those of a pool or a node, are larger than every client accepts. */
export function warnOfMuch(site: Site, declared: Declared<SiteDeclaration>, findings: Findings): void {
  const nodes = Map.groupBy(site.nodes.values(), ({ network }) => network);
  for (const network of site.networks.values()) {
    // Only the length of the address matters.
    const served: ServedNetwork = { ...network, server: network.server ?? network.subnet.base };
    const warn = (who: string, fit: Fit): void =>
      findings.warn(declared.keyPlace(['networks', network.name]), ...words(who, fit));
    const fit = (pool: Pool | undefined, node: SiteNode | undefined): Fit =>
      fitOf({ network: served, pool, node, classes: [] });

    const ofNetwork = fit(undefined, undefined);
    if (isMuch(ofNetwork)) warn(`network "${network.name}"`, ofNetwork);
    for (const pool of network.pools) {
      if (pool.options.size === 0) continue;
      const ofPool = fit(pool, undefined);
      if (isWorse(ofPool, ofNetwork)) warn(`pool ${rangeWords(pool.range)} of network "${network.name}"`, ofPool);
    }
    warnOfNodes(nodes.get(network.name) ?? [], network, (node) => fit(undefined, node), ofNetwork, warn);
  }
}

/** One line for all nodes of the network that lose the same options. */
function warnOfNodes(
  nodes: readonly SiteNode[],
  { name }: Network,
  fit: (node: SiteNode) => Fit,
  ofNetwork: Fit,
  warn: (who: string, fit: Fit) => void,
): void {
  const found = new Map<string, { readonly first: SiteNode; readonly fit: Fit; count: number }>();
  for (const node of nodes) {
    if (node.options.size === 0) continue;
    const ofNode = fit(node);
    if (!isWorse(ofNode, ofNetwork)) continue;
    const key = ofNode.left.join();
    const alike = found.get(key);
    if (alike) alike.count++;
    else found.set(key, { first: node, fit: ofNode, count: 1 });
  }
  for (const { first, fit, count } of found.values()) {
    const who = count === 1 ? first.name : `${first.name} and ${count - 1} more`;
    warn(`${who} in network "${name}"`, fit);
  }
}

function isMuch({ bytes }: Fit): boolean {
  return bytes > ROOM_OF_ALL;
}

function isWorse(fit: Fit, than: Fit): boolean {
  return isMuch(fit) && (!isMuch(than) || fit.left.length > than.left.length);
}

function words(who: string, { bytes, left }: Fit): readonly [message: string, hint: string] {
  const most = `the options of ${who} take ${bytes} bytes, and a client need not take more than ${ROOM_OF_ALL}`;
  if (left.length === 0) return [`${most}: the rest goes into the fields for names, which firmware may not read`, HINT];
  const options = left.map((code) =>
    nameOfOption(code) === undefined ? `${code}` : `${code} (${nameOfOption(code)})`,
  );
  return [`${most}: option ${options.join(', ')} is left out for those that do not take more`, HINT];
}

const HINT = 'give fewer routes, domains and servers, or shorter ones';
