import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { DhcpSettings, Network, SiteClass } from '../model/network.ts';
import type { WireNode } from '../model/node.ts';

/** What DHCP reads of a site. */
export type DhcpSite = {
  readonly networks: ReadonlyMap<string, Network>;
  /** In the order of the site: of two that set the same, the later one counts. */
  readonly classes: ReadonlyMap<string, SiteClass>;
  readonly nodes: ReadonlyMap<string, WireNode>;
  readonly nodeByMac: ReadonlyMap<Mac, WireNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, WireNode>;
  /** Addresses that are kept for nodes of ranges whose MAC addresses are not known yet, with their names. */
  readonly awaited: ReadonlyMap<Ipv4, string>;
  readonly dhcp: DhcpSettings;
};
