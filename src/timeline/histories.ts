import type { Mac } from '../model/mac.ts';
import type { SiteNode } from '../model/node.ts';
import { giveBoots, type Stranger } from './strangers.ts';
import type { Timeline } from './timeline.ts';

type NodesOf = {
  readonly nodes: ReadonlyMap<string, Pick<SiteNode, 'name' | 'macs'>>;
  readonly nodeByMac: ReadonlyMap<Mac, Pick<SiteNode, 'name'>>;
};

/** A machine keeps its history when an edit of the site makes it a node, or gives its node another name. */
export class Histories {
  readonly #timeline: Pick<Timeline, 'inherit' | 'boots'>;
  #before: NodesOf;

  constructor(timeline: Pick<Timeline, 'inherit' | 'boots'>, site: NodesOf) {
    this.#timeline = timeline;
    this.#before = site;
  }

  /** Takes over the site as it is now. */
  follow(site: NodesOf, strangers: readonly Stranger[]): void {
    const before = this.#before;
    this.#before = site;
    giveBoots(strangers, this.#timeline, (mac) => site.nodeByMac.get(mac)?.name);
    if (before === site) return;
    for (const node of site.nodes.values()) {
      const { name, macs } = node;
      if (before.nodes.get(name) === node) continue;
      const earlier = macs.map((mac) => before.nodeByMac.get(mac)?.name).find((one) => one !== undefined);
      if (earlier === undefined || earlier === name || site.nodes.has(earlier)) continue;
      const boots = this.#timeline.boots(earlier).map((boot) => ({ boot, seenAt: boot.updatedAt }));
      this.#timeline.inherit(name, boots);
    }
  }
}
