import { type Ipv4, inSubnet } from '../net/ipv4.ts';
import type { Network, Site } from './model.ts';

/** An address that an interface of this machine has. */
export type InterfaceAddress = { readonly ip: Ipv4; readonly prefix: number };

/** Addresses by interface. */
export type InterfaceAddresses = ReadonlyMap<string, readonly InterfaceAddress[]>;

/**
 * The server's address for `network`: the declared one, else the first that its interface has in the subnet. Of a
 * network that only relays reach, the first that any interface has there. `undefined` if there is none.
 */
export function serverFor(network: Network, addresses: InterfaceAddresses): Ipv4 | undefined {
  if (network.server !== undefined) return network.server;
  const candidates =
    network.interface === undefined ? [...addresses.values()].flat() : (addresses.get(network.interface) ?? []);
  return candidates.find(({ ip }) => inSubnet(network.subnet, ip))?.ip;
}

/** The site with the server's address filled in for every network that has one on this machine. */
export function withServers(site: Site, addresses: InterfaceAddresses): Site {
  const networks = new Map<string, Network>();
  for (const [name, network] of site.networks) {
    const server = serverFor(network, addresses);
    networks.set(name, server === undefined ? network : { ...network, server });
  }
  return { ...site, networks };
}
