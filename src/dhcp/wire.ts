import { type Ipv4, inSubnet, UNSPECIFIED } from '../net/ipv4.ts';
import type { Network, Site } from '../site/model.ts';
import type { DhcpPacket } from './packet.ts';
import { relayOf } from './relay.ts';

/** A network that we can answer for: it has an address of ours. */
export type ServedNetwork = Network & { readonly server: Ipv4 };

/**
 * The networks on the client's wire: through a relay, the one that holds the relay's link and those that share its
 * interface; directly, those of the interface `name`; for a client that renews from another subnet, the one of its address.
 */
export function networksOf(request: DhcpPacket, site: Site, name: string): readonly ServedNetwork[] {
  const served = servedBySite(site);
  const relay = relayOf(request);
  if (relay) {
    const link = served.find((network) => inSubnet(network.subnet, relay.link));
    if (!link) return [];
    const beside =
      link.interface === undefined
        ? []
        : served.filter((network) => network !== link && network.interface === link.interface);
    return [link, ...beside];
  }
  const local = served.filter((network) => network.interface === name);
  if (request.ciaddr === UNSPECIFIED || local.some((network) => inSubnet(network.subnet, request.ciaddr))) return local;
  const routed = served.filter((network) => inSubnet(network.subnet, request.ciaddr));
  return routed.length > 0 ? routed : local;
}

const SERVED = new WeakMap<Site, readonly ServedNetwork[]>();

function servedBySite(site: Site): readonly ServedNetwork[] {
  let served = SERVED.get(site);
  if (!served) {
    served = [...site.networks.values()].filter((network): network is ServedNetwork => network.server !== undefined);
    SERVED.set(site, served);
  }
  return served;
}
