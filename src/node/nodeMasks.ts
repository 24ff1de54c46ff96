import type { SiteNode } from '../model/node.ts';
import { NO_SECRETS, SecretMask } from './secretMask.ts';
import type { SiteSecrets } from './siteSecrets.ts';

/** What is hidden in each node's reports: the secrets that it gets. */
export type NodeMasks = {
  /** Records the mask of a bundle that was rendered for a node. */
  note(node: string, mask: SecretMask): void;
  /** A node's mask: of the bundles that it got, else of what its variables refer to now. Never rejects. */
  of(node: SiteNode): Promise<SecretMask>;
};

/**
 * A node may still use an earlier secret while the site has a new one, so several masks are kept for each node, in memory only.
 */
const MOST_OF_ONE = 4;

/** Masks of the nodes of a site whose secrets are `secrets`. */
export function createNodeMasks(secrets: SiteSecrets): NodeMasks {
  const known = new Map<string, Map<string, SecretMask>>();
  const together = new Map<string, SecretMask>();

  const note = (node: string, mask: SecretMask): void => {
    const masks = known.get(node) ?? new Map<string, SecretMask>();
    const name = mask.id;
    if (masks.has(name)) return;
    masks.set(name, mask);
    const oldest = masks.size > MOST_OF_ONE ? masks.keys().next().value : undefined;
    if (oldest !== undefined) masks.delete(oldest);
    known.set(node, masks);
    together.set(
      node,
      [...masks.values()].reduce((all, one) => all.and(one)),
    );
  };

  return {
    note,
    async of(node) {
      const before = together.get(node.name);
      if (before) return before;
      // The server was restarted while the node runs.
      try {
        const { values } = await secrets.reveal(node.vars);
        note(node.name, SecretMask.of(values));
      } catch {
        // A secret that cannot be read now may be readable at the next report.
      }
      return together.get(node.name) ?? NO_SECRETS;
    },
  };
}
