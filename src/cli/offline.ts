import type { Network } from '../model/network.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { filesStatusOf } from '../node/standing.ts';
import { serverFor } from '../site/servers.ts';
import { openStore } from '../state/store.ts';
import { heldLeases } from '../timeline/heldLease.ts';
import { type Status, statusOf } from '../timeline/status.ts';
import { giveBoots } from '../timeline/strangers.ts';
import { rememberedTimeline } from '../timeline/timeline.ts';
import { siteIn } from './site.ts';
import { reportDamaged } from './state.ts';

/** The rack's status without a running server: the site as it is on disk and the boots that the state remembers. */
export async function statusFromState(siteFolder: string, stateFolder: string): Promise<Status> {
  const site = await siteIn(siteFolder);
  const store = await openStore(stateFolder, { readOnly: true, onDamaged: reportDamaged });
  try {
    const timeline = await rememberedTimeline(store);
    const addresses = interfaceAddresses();
    const applied = await store.applied.read();
    const serverOf = (network: Network) => {
      const ip = serverFor(network, addresses, site.networks.values());
      return ip === undefined ? undefined : { ip, httpPort: site.http.port };
    };
    const strangers = await store.strangers.read();
    giveBoots(strangers, timeline, (mac) => site.nodeByMac.get(mac)?.name);
    return statusOf({
      site,
      timeline,
      strangers,
      serverOf,
      filesStatusOf: (node) => {
        const reported = applied.get(node);
        return reported && filesStatusOf(reported, undefined);
      },
      held: heldLeases(await store.leases.load(), site, Date.now()),
    });
  } finally {
    await store.close();
  }
}
