import type { BootServer } from './model/bootServer.ts';
import { type Ipv4, inSubnet } from './model/ipv4.ts';
import type { Network } from './model/network.ts';
import type { InterfaceWatch } from './net/interfaceWatch.ts';
import { type InterfaceAddresses, serverFor, withServers } from './site/servers.ts';
import type { Site } from './site/site.ts';

/** Where this machine is reached, by the `addresses` that it was last seen to have: one may come and go under a running server. */
export function whereabouts(site: () => Site, addresses: () => InterfaceAddresses) {
  const serverOf = (network: Network): BootServer | undefined => {
    const ip = serverFor(network, addresses(), site().networks.values());
    return ip === undefined ? undefined : { ip, httpPort: site().http.port };
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
    /** Changes with the server's addresses. */
    serversPicture: (): string =>
      JSON.stringify([...withServers(site(), addresses()).networks.values()].map(({ server }) => server)),
    /** Changes with the interfaces that the site names, and with whether they have the addresses that it names. */
    linksPicture: (links: Pick<InterfaceWatch, 'numbers' | 'has'>): string =>
      JSON.stringify(
        [...site().networks.values()].map(({ interface: name, server }) => [
          links.numbers.get(name ?? ''),
          server !== undefined && links.has(server),
        ]),
      ),
    /** The network that an address is in; for addresses of none, the first network. */
    networkOf: (ip: Ipv4): Network | undefined => {
      const networks = [...site().networks.values()];
      return networks.find(({ subnet }) => inSubnet(subnet, ip)) ?? networks[0];
    },
  };
}
