import type { SiteNode } from '../model/node.ts';
import { siteInvalid } from '../site/invalid.ts';
import { loadSite } from '../site/load.ts';
import { selectNodes } from '../site/nodeSet.ts';
import type { Site } from '../site/site.ts';

/** The site in `folder`, for commands that need one that is whole. Throws SITE_INVALID at the first finding's place. */
export async function siteIn(folder: string): Promise<Site> {
  const loaded = await loadSite(folder);
  if (loaded.ok) return loaded.site;
  throw siteInvalid(folder, loaded.findings);
}

/** The nodes that a set names. Throws NODE_UNKNOWN, NODE_SET_INVALID. */
export function nodesOf(site: Site, set: string): readonly [SiteNode, ...SiteNode[]] {
  return selectNodes(site.nodes.values(), set);
}
