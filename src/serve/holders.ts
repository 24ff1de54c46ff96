import type { Event } from '../model/event.ts';
import type { Lease } from '../model/lease.ts';
import { longestLease } from '../site/lending.ts';
import type { Site } from '../site/site.ts';
import type { Holder } from './tftpShape.ts';

/** The addresses that machines hold by these leases. */
export function holdersOf(leases: Iterable<Lease>): readonly Holder[] {
  const holders: Holder[] = [];
  for (const { ip, state, expires } of leases) if (state === 'bound') holders.push([ip, expires]);
  return holders;
}

/** What an event says of who holds an address. An ACK does not name the time: it counts as the longest of the site. */
export function holderBy(event: Event, site: Pick<Site, 'networks' | 'classes'>): Holder | undefined {
  switch (event.kind) {
    case 'dhcp.ack':
      return event.informs || event.bootp ? undefined : [event.ip, event.at + longestLease(site) * 1000];
    case 'dhcp.release':
    case 'dhcp.decline':
      return [event.ip, 0];
    default:
      return undefined;
  }
}
