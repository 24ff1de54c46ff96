import type { Event } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteNode } from '../model/node.ts';

type NodesOf = {
  readonly nodeByMac: ReadonlyMap<Mac, Pick<SiteNode, 'name'>>;
  readonly nodeByIp: ReadonlyMap<Ipv4, Pick<SiteNode, 'name'>>;
};

/**
 * The event with the node that it concerns, by its MAC address or by the holder of its IP address; of a stranger that holds the address,
 * with its MAC address.
 */
export function withNode(event: Event, site: NodesOf, holderOf: (ip: Ipv4) => Mac | undefined): Event {
  if (event.node !== undefined) return event;
  const holder = event.mac ?? (event.ip === undefined ? undefined : holderOf(event.ip));
  const node = holder ? site.nodeByMac.get(holder) : event.ip === undefined ? undefined : site.nodeByIp.get(event.ip);
  if (node) return { ...event, node: node.name };
  return holder && event.mac === undefined ? { ...event, mac: holder } : event;
}
