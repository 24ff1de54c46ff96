import { decideBoot } from '../boot/decide.ts';
import type { LeaseChange } from '../dhcp/holders.ts';
import { type LocalDhcpServer, startDhcpServer } from '../dhcp/server.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { withServers } from '../site/servers.ts';
import { WireView } from '../site/wireSite.ts';
import { openPortLeases } from '../state/sqlite/portLeases.ts';
import { serveInThread } from '../threads/serveInThread.ts';
import type { DhcpShape } from './dhcpShape.ts';
import type { Endpoints } from './endpoints.ts';

// The thread of DHCP. All that an answer needs is here: the site in force, the leases, and a way of its own to the database.

/** What changes without a commit is sent after so long. */
const LATE_MS = 5;

await serveInThread<DhcpShape>(async ({ start, events, faulted, send }) => {
  const view = new WireView(start.site);
  let endpoints: Endpoints = start;
  const { database, leases } = openPortLeases({
    folder: start.stateFolder,
    missing: () => send({ kind: 'database missing' }),
    damaged: (damage) => send({ kind: 'damaged', damage }),
  });
  if (start.database) database.take(start.database);

  /** Addresses whose leases changed. They are sent with the next group of leases that goes to disk, so that they are known elsewhere before its ACKs leave. */
  const changed = new Set<Ipv4>();
  let running: LocalDhcpServer | undefined;
  let late: NodeJS.Timeout | undefined;
  const sendChanges = () => {
    clearTimeout(late);
    late = undefined;
    if (changed.size === 0) return;
    const changes = [...changed].map((ip): LeaseChange => {
      const lease = running?.leaseAt(ip);
      return lease ? { ip, lease } : { ip };
    });
    changed.clear();
    send({ kind: 'leases', changes });
  };

  const server = await startDhcpServer({
    site: () => withServers(view.site, endpoints.addresses),
    store: {
      load: () => leases.load(),
      commit: (group) => {
        if (running) sendChanges();
        return leases.commit(group);
      },
    },
    events,
    faulted,
    isOwn: (ip) => [...endpoints.addresses.values()].some((addresses) => addresses.some((one) => one.ip === ip)),
    boot: (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: endpoints.httpPort }),
    leaseChanged: (ip) => {
      changed.add(ip);
      if (running) late ??= setTimeout(sendChanges, LATE_MS);
    },
  });
  running = server;
  // Those that the state had.
  sendChanges();
  return {
    received(message) {
      if (message.kind === 'site') view.take(message.change);
      else database.take(message.port);
    },
    answers: {
      reload: async (current) => {
        endpoints = current;
        await server.reload();
      },
      release: (ip) => server.release(ip),
    },
    gauges: () => server.gauges(),
    close: async () => {
      await server.close();
      await database.close();
    },
  };
});
