import { setImmediate } from 'node:timers/promises';
import type { Site } from '../site/site.ts';
import { type WireChange, wireChanges } from '../site/wireSite.ts';

/** The site as the thread of a service has it: an edit goes over as what it changes, some nodes at a time, with other work in between. */
export class SiteFeed {
  #sent: Site;

  /** `sent`: the site that the thread was started with. */
  constructor(sent: Site) {
    this.#sent = sent;
  }

  /** Sends what leads to `site`. Edits are to be followed one after the other. */
  async follow(site: Site, send: (change: WireChange) => void): Promise<void> {
    for (const change of wireChanges(this.#sent, site)) {
      send(change);
      await setImmediate();
    }
    this.#sent = site;
  }
}
