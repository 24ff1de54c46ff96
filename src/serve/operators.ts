import { join } from 'node:path';
import type { ApiTokens } from '../access/apiTokens.ts';
import { switchNodes } from '../bmc/switchNodes.ts';
import type { DhcpServer } from '../dhcp/server.ts';
import { ReveilleError, wordsOf } from '../errors.ts';
import { createOperatorsServer, type OperatorsFrom } from '../http/operators.ts';
import type { Shelf } from '../image/shelf.ts';
import { parseAnyMac } from '../model/mac.ts';
import type { Orders } from '../node/orders.ts';
import { syncNodes } from '../node/sync.ts';
import { startWhenPossible } from '../recall.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import type { ServerAddresses } from '../serverAddresses.ts';
import type { Service } from '../service.ts';
import { selectNodes } from '../site/nodeSet.ts';
import type { SiteFollower } from '../siteFollower.ts';
import { heldLeases, poolOf } from '../timeline/heldLease.ts';
import { type ServedApi, type Status, statusOf } from '../timeline/status.ts';
import { adoptedNodes } from './adopt.ts';
import type { Bundles } from './bundles.ts';
import type { Core } from './core.ts';
import { openMetrics } from './metrics.ts';
import type { Records } from './records.ts';
import { openSiteEdits } from './siteEdits.ts';

/** What operators ask for at once, of the newest events. */
const MOST_READ_BYTES = 32 * 1024 * 1024;

/** The operators' API on its socket; where that cannot be had now, it is tried again. */
export async function startOperators(
  { stateFolder, supervisor, bus, opened }: Core,
  from: OperatorsFrom,
): Promise<void> {
  const later = (error: unknown) =>
    bus.emit({
      kind: 'server.trouble',
      code: 'STATE_UNAVAILABLE',
      message: `the commands of operators are answered later: ${wordsOf(error)}`,
    });
  const operators = await supervisor.run('operators', (faulted) =>
    startWhenPossible(async () => {
      const server = createOperatorsServer({ ...from, faulted });
      try {
        await server.listen(join(stateFolder, 'reveille.sock'));
      } catch (error) {
        await server.close();
        throw error;
      }
      return server;
    }, later),
  );
  opened.defer(() => operators.close());
}

export type OperatorsParts = {
  readonly followed: Pick<SiteFollower, 'refused'>;
  readonly addresses: ServerAddresses;
  readonly dhcp: Service<DhcpServer>;
  readonly bundles: Bundles;
  readonly orders: Orders;
  readonly rolls: RollsForOperators;
  readonly shelf: Pick<Shelf, 'list'>;
  readonly tokens: ApiTokens;
  readonly api: () => ServedApi | undefined;
};

/** What the operators' API answers from. */
export function operatorsView(core: Core, records: Records, parts: OperatorsParts): OperatorsFrom {
  const { store, log, timeline, strangers } = records;
  const { followed, addresses, dhcp, orders, rolls, shelf, tokens, api } = parts;
  const { files, secrets } = parts.bundles;
  const { supervisor, bus, site, ids } = core;
  const edit = openSiteEdits();
  const leases = () => dhcp.running?.leases() ?? [];
  const status = (): Status =>
    statusOf({
      site: site(),
      timeline,
      strangers: strangers.list(),
      serverOf: addresses.serverOf,
      filesStatusOf: (node) => files.standing(node),
      held: heldLeases(leases(), site(), Date.now()),
      refused: followed.refused(),
      api: api(),
    });
  return {
    status: async () => status(),
    metrics: openMetrics(core, timeline, { status, leases, rolls, shelf }),
    metricsAreOpen: () => site().api?.metrics.open ?? false,
    leases: {
      list: leases,
      release: async (ip) => {
        if (!dhcp.running) throw new ReveilleError('SERVER_BUSY', 'DHCP is being restarted; ask again');
        return dhcp.running.release(ip);
      },
      nodeOf: (mac) => site().nodeByMac.get(mac)?.name,
      poolOf: (ip) => poolOf(site(), ip),
    },
    rolls,
    tokens,
    isWell: async () => {
      if (supervisor.services.some(({ running }) => running === undefined)) return false;
      return store.apiTokens.read().then(
        () => true,
        () => false,
      );
    },
    subscribe: (listener) => bus.subscribe(listener),
    emit: (happening) => bus.emit(happening),
    faulted: supervisor.sinkOf('operators'),
    power: (names, order, options) =>
      switchNodes(
        names.map((name) => site().nodes.get(name)).filter((node) => node !== undefined),
        order,
        { ...options, secrets },
      ),
    adopt: async ({ dryRun = false, ...asked }) => {
      const nodes = adoptedNodes(site(), strangers.list(), asked);
      return edit({ kind: 'add', folder: site().root, nodes, dryRun });
    },
    addNode: ({ name, macs, ip, network, profiles = [], dryRun = false }) => {
      const named = { ...(ip === undefined ? {} : { ip }), ...(network === undefined ? {} : { network }) };
      const node = { key: name, macs: macs.map((mac) => parseAnyMac(mac) ?? mac), ...named, profiles, vars: {} };
      return edit({ kind: 'add', folder: site().root, nodes: [node], dryRun });
    },
    removeNode: (name, dryRun) => edit({ kind: 'remove', folder: site().root, name, dryRun }),
    images: async () =>
      (await shelf.list()).map(({ name, sha256, kernel, initrd, root, kernelVersion, builtAt, packages }) => ({
        name,
        sha256,
        bytes: kernel.size + initrd.size + (root?.size ?? 0),
        kernelVersion,
        builtAt,
        packages: packages.length,
      })),
    nodesNamed: (set) => selectNodes(site().nodes.values(), set).map(({ name }) => name),
    sync: (nodes, options) => syncNodes(nodes, options, orders, files.feed),
    diff: async (name) => {
      const node = site().nodes.get(name);
      if (!node) throw new ReveilleError('NODE_UNKNOWN', `the site has no node ${name}`);
      return files.diff(node);
    },
    keptEvents: async ({ after, ...filter }) => {
      await log.flush();
      // After an id that no event can have had, everything: the events were lost, or the clock was set back.
      const from =
        after === undefined ? {} : { after: ids.mayBePast(after, Date.now()) ? after : Number.MIN_SAFE_INTEGER };
      return store.events.read({ ...filter, ...from, bytes: MOST_READ_BYTES });
    },
  };
}
