import { interfaceAddresses } from '../net/interfaces.ts';
import { serverFor } from '../site/servers.ts';
import { openStore } from '../state/store.ts';
import { type Status, statusOf } from '../timeline/status.ts';
import { createTimeline } from '../timeline/timeline.ts';
import { siteIn } from './site.ts';

/** How many events are read back: enough for the newest boots of a middle-sized rack. */
const EVENTS_READ = 50_000;

/** The rack's status without a running server: the site as it is on disk and the boots that the state remembers. */
export async function statusFromState(siteFolder: string, stateFolder: string): Promise<Status> {
  const site = await siteIn(siteFolder);
  const store = await openStore(stateFolder, { readOnly: true });
  try {
    const timeline = createTimeline();
    for (const event of await store.events({ limit: EVENTS_READ })) timeline.see(event);
    const addresses = interfaceAddresses();
    return statusOf(site, timeline, (network) => {
      const ip = serverFor(network, addresses);
      return ip === undefined ? undefined : { ip, httpPort: site.http.port };
    });
  } finally {
    await store.close();
  }
}
