import { type BootServer, bootUrl, serverUrl } from '../boot/server.ts';
import { formatIpv4 } from '../net/ipv4.ts';
import type { Site, SiteNode } from '../site/model.ts';
import { type Bundle, makeBundle } from './bundle.ts';
import type { Identities } from './identity.ts';
import { factsOf, type Inventory } from './inventory.ts';
import { identityAsked, renderFiles } from './render.ts';
import { readSources } from './sources.ts';
import type { Renderer } from './templates.ts';

/**
 * A node's bundle as the site is on disk now: its files read, rendered. Throws SITE_INVALID or
 * TEMPLATE_INVALID with the place of what is wrong.
 */
export async function nodeBundle(
  site: Site,
  node: SiteNode,
  inventory: Inventory | undefined,
  server: BootServer,
  identities: Identities,
  renderer: Renderer,
): Promise<Bundle> {
  const { sources, hooks } = await readSources(site, node);
  const urls = { ip: formatIpv4(server.ip), url: serverUrl(server), bootUrl: bootUrl(server) };
  const facts = inventory && factsOf(inventory);
  const asked = identityAsked(node, sources);
  const identity = asked && (await identities.of(node.name, asked));
  return makeBundle(renderFiles({ site, node, sources, facts, identity, server: urls }, renderer), hooks);
}
