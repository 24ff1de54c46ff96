import type { BootServer } from './model/bootServer.ts';
import type { Ipv4 } from './model/ipv4.ts';
import type { Network } from './model/network.ts';
import { networkIndex } from './model/networkIndex.ts';
import type { InterfaceWatch } from './net/interfaceWatch.ts';
import { type InterfaceAddresses, withServers } from './site/servers.ts';
import type { Site } from './site/site.ts';

export type ServerAddresses = ReturnType<typeof serverAddresses<Site>>;

/** The server's addresses, from the `addresses` that this machine had when they were last read: they may change while the server runs. */
export function serverAddresses<S extends { readonly networks: ReadonlyMap<string, Network> }>(
  site: () => S,
  addresses: () => InterfaceAddresses,
  http: { readonly current: number },
) {
  let known: { readonly site: S; readonly addresses: InterfaceAddresses; readonly served: S } | undefined;
  /** Made once for each edit and each change of the interfaces: it is asked for with each request. */
  const served = (): S => {
    const now = { site: site(), addresses: addresses() };
    if (known?.site !== now.site || known.addresses !== now.addresses)
      known = { ...now, served: withServers(now.site, now.addresses) };
    return known.served;
  };
  const serverOf = ({ name, server }: Network): BootServer | undefined => {
    const ip = server ?? served().networks.get(name)?.server;
    return ip === undefined ? undefined : { ip, httpPort: http.current };
  };
  return {
    /** The site with the server's address in each network that this machine has one for. */
    site: served,
    serverOf,
    serverAddresses: (): readonly Ipv4[] => {
      const servers = [...served().networks.values()].map(({ server }) => server);
      return [...new Set(servers.filter((ip) => ip !== undefined))];
    },
    /** Differs when the server's addresses differ. */
    serversState: (): string => JSON.stringify([...served().networks.values()].map(({ server }) => server)),
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
      const index = networkIndex(site().networks);
      return index.at(ip) ?? index.first;
    },
  };
}
