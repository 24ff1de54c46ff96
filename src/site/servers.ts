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
  return serversFor(addresses, networks)(network);
}

/** The same for each of many. */
function serversFor(
  addresses: InterfaceAddresses,
  networks: Iterable<Network>,
): (network: Network) => Ipv4 | undefined {
  const wired = [...networks].filter((network) => network.interface !== undefined);
  const everywhere = [...addresses.values()].flat();
  const alone = (network: Network): Ipv4 | undefined =>
    network.server ?? addressIn(network, addresses.get(network.interface ?? '') ?? []);
  const onWires = new Map<string, Ipv4>();
  for (const network of wired) {
    const ip = alone(network);
    if (ip !== undefined) onWires.getOrInsert(network.interface ?? '', ip);
  }
  const beside = firstOf(wired, alone);
  return (network) =>
    network.interface === undefined
      ? (network.server ?? addressIn(network, everywhere) ?? beside)
      : (alone(network) ?? onWires.get(network.interface));
}

function firstOf<T>(items: readonly T[], of: (item: T) => Ipv4 | undefined): Ipv4 | undefined {
  for (const item of items) {
    const found = of(item);
    if (found !== undefined) return found;
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
  const serverOf = serversFor(addresses, site.networks.values());
  for (const [name, network] of site.networks) {
    const server = serverOf(network);
    networks.set(name, server === undefined ? network : { ...network, server });
  }
  return { ...site, networks };
}
