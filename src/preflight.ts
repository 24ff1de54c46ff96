import { createServer } from 'node:net';
import { ReveilleError } from './errors.ts';
import { listenError } from './http/server.ts';
import { interfaceAddresses } from './net/interfaces.ts';
import { openUdp, type UdpOptions } from './net/udp.ts';
import { loadWithoutNodes } from './site/load.ts';
import { serverFor } from './site/servers.ts';

/**
 * Opens and closes every port that serving the site takes. To find out which program holds a port takes more privileges than the
 * server keeps, so this runs before they are dropped. Throws what the server would throw of a port.
 */
export async function tryPorts(siteFolder: string): Promise<void> {
  const loaded = await loadWithoutNodes(siteFolder);
  // The server reads the whole site, and reports what is wrong with it.
  if (!loaded.ok) return;
  const { networks, http } = loaded.site;
  const addresses = interfaceAddresses();
  const interfaces = new Set(
    [...networks.values()].flatMap(({ interface: name }) => (name === undefined ? [] : [name])),
  );
  const servers = new Set(
    [...networks.values()].flatMap((network) => serverFor(network, addresses, networks.values()) ?? []),
  );
  for (const name of interfaces) await tryUdp({ interface: name, port: 67 });
  for (const address of servers) await tryUdp({ address, port: 69 });
  await tryTcp(http.port);
}

/** The running server waits for an interface or an address that is missing. */
async function tryUdp(options: UdpOptions): Promise<void> {
  try {
    (await openUdp(options)).close();
  } catch (error) {
    if (!(error instanceof ReveilleError) || error.code !== 'INTERFACE_MISSING') throw error;
  }
}

function tryTcp(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(listenError(error, port)));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve()));
  });
}
