import { type Ipv4, inSubnet } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';

/** An address that an interface of this machine has. */
export type InterfaceAddress = { readonly ip: Ipv4; readonly prefix: number };

/** Addresses by interface. */
export type InterfaceAddresses = ReadonlyMap<string, readonly InterfaceAddress[]>;

/**
 * The server's address for `network`, one of `networks`: the declared one, else the first that its interface has in the subnet,
 * else that of another subnet on the same wire: its clients renew through their router. For a network that only relays reach: the
 * first address of any interface in it, else the address on the first wire that the site serves, to which relays send.
 * `undefined` if there is none.
 */
export function serverFor(
  network: Network,
  addresses: InterfaceAddresses,
  networks: Iterable<Network>,
): Ipv4 | undefined {
  if (network.server !== undefined) return network.server;
  if (network.interface !== undefined) {
    const here = addresses.get(network.interface) ?? [];
    const wire = [network, ...[...networks].filter((other) => other.interface === network.interface)];
    return wire.map((one) => one.server ?? addressIn(one, here)).find((ip) => ip !== undefined);
  }
  const own = addressIn(network, [...addresses.values()].flat());
  if (own !== undefined) return own;
  for (const other of networks) {
    const beside = other.interface === undefined ? undefined : serverFor(other, addresses, []);
    if (beside !== undefined) return beside;
  }
  return undefined;
}

function addressIn({ subnet }: Network, candidates: readonly InterfaceAddress[]): Ipv4 | undefined {
  return candidates.find(({ ip }) => inSubnet(subnet, ip))?.ip;
}

/** The site with the server's address filled in for every network that has one on this machine. */
export function withServers<S extends { readonly networks: ReadonlyMap<string, Network> }>(
  site: S,
  addresses: InterfaceAddresses,
): S {
  const networks = new Map<string, Network>();
  for (const [name, network] of site.networks) {
    const server = serverFor(network, addresses, site.networks.values());
    networks.set(name, server === undefined ? network : { ...network, server });
  }
  return { ...site, networks };
}
