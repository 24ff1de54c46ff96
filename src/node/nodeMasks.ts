import type { SiteNode } from '../model/node.ts';
import { NO_SECRETS, SecretMask } from './secretMask.ts';
import type { SiteSecrets } from './siteSecrets.ts';

/** A node may still use an earlier secret while the site has a new one, so several masks are kept for each node, in memory only. */
const MOST_OF_ONE = 4;

/** What is hidden in each node's reports: the secrets that it gets. */
export class NodeMasks {
  readonly #secrets: SiteSecrets;
  readonly #known = new Map<string, Map<string, SecretMask>>();
  readonly #together = new Map<string, SecretMask>();

  constructor(secrets: SiteSecrets) {
    this.#secrets = secrets;
  }

  /** Records the mask of a bundle that was rendered for a node. */
  note(node: string, mask: SecretMask): void {
    const masks = this.#known.get(node) ?? new Map<string, SecretMask>();
    const name = mask.id;
    if (masks.has(name)) return;
    masks.set(name, mask);
    const oldest = masks.size > MOST_OF_ONE ? masks.keys().next().value : undefined;
    if (oldest !== undefined) masks.delete(oldest);
    this.#known.set(node, masks);
    this.#together.set(
      node,
      [...masks.values()].reduce((all, one) => all.and(one)),
    );
  }

  /** A node's mask: of the bundles that it got, else of what its variables refer to now. Never rejects. */
  async of(node: SiteNode): Promise<SecretMask> {
    const before = this.#together.get(node.name);
    if (before) return before;
    // The server was restarted while the node runs.
    try {
      const { values } = await this.#secrets.reveal(node.vars);
      this.note(node.name, SecretMask.of(values));
    } catch {
      // A secret that cannot be read now may be readable at the next report.
    }
    return this.#together.get(node.name) ?? NO_SECRETS;
  }
}
