import type { BootServer } from './model/bootServer.ts';
import { type Ipv4, inSubnet } from './model/ipv4.ts';
import type { Network } from './model/network.ts';
import type { InterfaceWatch } from './net/interfaceWatch.ts';
import { type InterfaceAddresses, serverFor, withServers } from './site/servers.ts';
import type { Site } from './site/site.ts';

export type ServerAddresses = ReturnType<typeof serverAddresses>;

/** The server's addresses, from the `addresses` that this machine had when they were last read: they may change while the server runs. */
export function serverAddresses(
  site: () => Site,
  addresses: () => InterfaceAddresses,
  http: { readonly current: number },
) {
  const serverOf = (network: Network): BootServer | undefined => {
    const ip = serverFor(network, addresses(), site().networks.values());
    return ip === undefined ? undefined : { ip, httpPort: http.current };
  };
  return {
    /** The site with the server's address in each network that this machine has one for. */
    site: (): Site => withServers(site(), addresses()),
    serverOf,
    serverAddresses: (): readonly Ipv4[] => {
      const networks = [...site().networks.values()];
      const servers = networks.map((network) => serverFor(network, addresses(), networks));
      return [...new Set(servers.filter((ip) => ip !== undefined))];
    },
    /** Differs when the server's addresses differ. */
    serversState: (): string =>
      JSON.stringify([...withServers(site(), addresses()).networks.values()].map(({ server }) => server)),
    /** Differs when the interfaces that the site names differ, or whether they have the addresses that it names. */
    linksState: (links: Pick<InterfaceWatch, 'numbers' | 'has'>): string =>
      JSON.stringify(
        [...site().networks.values()].map(({ interface: name, server }) => [
          links.numbers.get(name ?? ''),
          server !== undefined && links.has(server),
        ]),
      ),
    /** The network of an address; the first network if it is in none. */
    networkOf: (ip: Ipv4): Network | undefined => {
      const networks = [...site().networks.values()];
      return networks.find(({ subnet }) => inSubnet(subnet, ip)) ?? networks[0];
    },
  };
}
