import { join } from 'node:path';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import { Contents } from '../node/contents.ts';
import { openCredentials } from '../node/credentials.ts';
import type { Inventory } from '../node/inventory.ts';
import { nodeBundle } from '../node/nodeBundle.ts';
import { NodeFiles } from '../node/nodeFiles.ts';
import { NodeMasks } from '../node/nodeMasks.ts';
import { openPeers } from '../node/peers.ts';
import { SiteSecrets } from '../node/siteSecrets.ts';
import { storedInventories } from '../node/storedInventories.ts';
import { createRenderer } from '../node/templates.ts';
import type { ServerAddresses } from '../serverAddresses.ts';
import type { Core } from './core.ts';
import type { Records } from './records.ts';

export type Bundles = Awaited<ReturnType<typeof openBundles>>;

/** The files that nodes are given, and what is known of those that they have. `http` has the port that bundles name. */
export async function openBundles(
  { stateFolder, supervisor, bus: { emit }, trouble, site, opened }: Core,
  { store, identities }: Records,
  addresses: ServerAddresses,
  http: { readonly current: number },
) {
  const secrets = new SiteSecrets(site, process.env);
  const sources = {
    secrets,
    identities,
    credentialsOf: openCredentials(store.certificates, { scratch: stateFolder, now: Date.now }),
    peersOf: openPeers(identities),
    renderer: createRenderer(),
  };
  const masks = new NodeMasks(secrets);
  const inventories = storedInventories(store.inventories, site);
  /** The address through which a node last reached this server: templates may name it. */
  const reachedAt = new Map<string, Ipv4>();
  const render = async (node: SiteNode, inventory: Inventory | undefined, ip: Ipv4) => {
    const bundle = await nodeBundle(site(), node, { inventory, server: { ip, httpPort: http.current } }, sources);
    masks.note(node.name, bundle.mask);
    return bundle;
  };
  const files = await NodeFiles.open({
    nodes: () => site().nodes,
    render: async (node) => {
      const network = site().networks.get(node.network ?? '');
      const ip = reachedAt.get(node.name) ?? (network && addresses.serverOf(network)?.ip) ?? UNSPECIFIED;
      return render(node, await inventories.load(node.name), ip);
    },
    store: store.applied,
    contents: new Contents(join(stateFolder, 'bundles'), trouble),
    emit,
    now: Date.now,
  });
  opened.defer(() => files.close());
  supervisor.measure('bundles', () => files.gauges());
  return {
    secrets,
    inventories,
    files,
    maskOf: (node: SiteNode) => masks.of(node),
    /** The bundle that a node asks for, through this address of the server. */
    bundleOf: async (node: SiteNode, inventory: Inventory | undefined, ip: Ipv4) => {
      reachedAt.set(node.name, ip);
      const bundle = await render(node, inventory, ip);
      files.sent(node, bundle);
      return bundle;
    },
  };
}
