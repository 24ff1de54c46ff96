import { type BootFilesFrom, httpFiles } from '../boot/files.ts';
import type { DhcpServer } from '../dhcp/server.ts';
import { BulkFront } from '../http/bulkFront.ts';
import type { Adopt } from '../http/front.ts';
import { limitsFor } from '../http/limits.ts';
import { type HttpPorts, MachinesServer } from '../http/machinesServer.ts';
import { createHttpServer, STALL_MS } from '../http/server.ts';
import { openedRecords } from '../image/opened.ts';
import { descriptorLimit, shareDescriptors } from '../net/descriptors.ts';
import type { InterfaceWatch } from '../net/interfaceWatch.ts';
import { native } from '../net/native.ts';
import type { Orders } from '../node/orders.ts';
import type { NodeTokens } from '../node/tokens.ts';
import type { Rolls } from '../roll/run.ts';
import type { ServerAddresses } from '../serverAddresses.ts';
import type { Service } from '../service.ts';
import type { Bundles } from './bundles.ts';
import type { Core } from './core.ts';
import { DhcpService } from './dhcp.ts';
import { holderBy, holdersOf } from './holders.ts';
import type { Records } from './records.ts';
import { TftpService } from './tftp.ts';

/** What the services for machines share. */
export type Wire = {
  readonly interfaces: InterfaceWatch;
  readonly addresses: ServerAddresses;
  readonly ports: HttpPorts;
};

export async function startDhcp(
  { stateFolder, supervisor, bus: { emit }, site, opened }: Core,
  { store }: Records,
  { interfaces, ports }: Wire,
): Promise<Service<DhcpServer>> {
  const dhcp = await supervisor.run('dhcp', (faulted, broken) =>
    DhcpService.start({
      stateFolder,
      site,
      endpoints: () => ({ addresses: interfaces.addresses, httpPort: ports.current }),
      database: store.database,
      events: emit,
      faulted,
      broken,
    }),
  );
  opened.defer(() => dhcp.close());
  return dhcp;
}

export async function startTftp(
  { stateFolder, supervisor, bus, site, opened }: Core,
  { identities }: Records,
  { interfaces, ports }: Wire,
  rolls: Rolls,
  dhcp: Service<DhcpServer>,
): Promise<Service> {
  const tftp = await supervisor.run('tftp', (faulted, broken) =>
    TftpService.start({
      stateFolder,
      site,
      endpoints: () => ({ addresses: interfaces.addresses, httpPort: ports.current }),
      descriptors: shareDescriptors(descriptorLimit()).tftp,
      rolls,
      identities,
      holders: () => holdersOf(dhcp.running?.leases() ?? []),
      events: bus.emit,
      faulted,
      broken,
    }),
  );
  opened.defer(() => tftp.close());
  opened.defer(
    bus.subscribe((event) => {
      const holder = holderBy(event, site());
      if (holder !== undefined) tftp.running?.held(holder);
    }),
  );
  return tftp;
}

/** What the nodes' API and boot files are answered from. */
export type HttpFrom = {
  readonly dhcp: Service<DhcpServer>;
  readonly files: BootFilesFrom;
  readonly bundles: Bundles;
  readonly tokens: NodeTokens;
  readonly orders: Orders;
};

export async function startHttp(
  { stateFolder, supervisor, bus: { emit }, trouble, site, opened }: Core,
  { interfaces, ports }: Wire,
  { dhcp, files, bundles, tokens, orders }: HttpFrom,
): Promise<Service> {
  const descriptors = shareDescriptors(descriptorLimit());
  const records = opened.use(openedRecords(stateFolder, Date.now));
  const addon = native();
  // Connections with boot files, which the front has, and those of the nodes' API.
  const frontDescriptors = Math.floor(descriptors.http * 0.6);
  const http = await supervisor.run('http', (faulted, broken) => {
    const bootFiles = httpFiles(files);
    const front = (adopt: Adopt) =>
      BulkFront.start({
        stateFolder,
        tftp: () => site().tftp,
        made: bootFiles,
        limits: limitsFor(frontDescriptors),
        stallMs: STALL_MS,
        emit,
        faulted,
        broken,
        adopt,
      });
    const server = createHttpServer({
      ...(addon === undefined ? {} : { front }),
      faulted,
      descriptors: addon === undefined ? descriptors.http : descriptors.http - frontDescriptors,
      site,
      emit,
      addressesOn: (name) => (interfaces.addresses.get(name) ?? []).map(({ ip }) => ip),
      addressOf: (mac, network) => dhcp.running?.addressOf(mac, network),
      bootFiles,
      opened: records.keep,
      tokens,
      bundleOf: bundles.bundleOf,
      maskOf: bundles.maskOf,
      inventories: bundles.inventories,
      orders,
      onNews: bundles.files.onNews,
    });
    return MachinesServer.start(server, ports, trouble);
  });
  opened.defer(() => http.close());
  return http;
}
