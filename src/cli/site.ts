import { ReveilleError } from '../errors.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { parseMac } from '../net/mac.ts';
import { siteInvalid } from '../site/invalid.ts';
import { loadSite } from '../site/load.ts';
import type { Site, SiteNode } from '../site/model.ts';

/** The site in `folder`, for commands that need one that is whole. Throws SITE_INVALID at the first finding's place. */
export async function siteIn(folder: string): Promise<Site> {
  const loaded = await loadSite(folder);
  if (loaded.ok) return loaded.site;
  throw siteInvalid(folder, loaded.findings);
}

/** The node of a name, a MAC or an address. Throws NODE_UNKNOWN. */
export function nodeOf(site: Site, text: string): SiteNode {
  const mac = parseMac(text);
  const ip = parseIpv4(text);
  const node =
    site.nodes.get(text) ?? (mac && site.nodeByMac.get(mac)) ?? (ip === undefined ? undefined : site.nodeByIp.get(ip));
  if (node) return node;
  throw new ReveilleError('NODE_UNKNOWN', `the site has no node ${text}`, {
    hint: 'List them with `reveille node list`.',
  });
}
