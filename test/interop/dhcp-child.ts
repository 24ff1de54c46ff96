/**
 * A DHCP server in a process of its own, to be killed: `dhcp-child.ts STATE`. It prints `ready`, and `held LEASE` for each
 * lease of an earlier life, as JSON.
 */

import { startDhcpServer } from '../../src/dhcp/server.ts';
import { networkOf, siteOf } from '../../src/dhcp/testing/fixture.ts';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { withServers } from '../../src/site/servers.ts';
import { openStore } from '../../src/state/store.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder of the state');
const store = await openStore(folder);
for (const { ip, mac, state } of await store.leases.load()) console.log(`held ${JSON.stringify({ ip, mac, state })}`);
const big = networkOf('big', '10.20.0.0/16', [['10.20.1.0-10.20.255.200', 'any']], {
  interface: 'server0',
  leaseSeconds: 3600,
});
await startDhcpServer({
  site: () => withServers(siteOf([big]), interfaceAddresses()),
  store: store.leases,
  boot: () => ({ kind: 'none', reason: { code: 'not-listed' } }),
  events: () => {},
});
console.log('ready');
