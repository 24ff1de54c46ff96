import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { restartFromNetwork } from './bmc/carryOut.ts';
import { openBmc } from './bmc/open.ts';
import { decideBoot } from './boot/decide.ts';
import { httpFiles, tftpFiles } from './boot/files.ts';
import { cloudOf, expectedInService } from './cloud/expected.ts';
import { followCloud } from './cloud/follow.ts';
import { readCloudView } from './cloud/view.ts';
import { SteadyClock } from './dhcp/clock.ts';
import { startDhcpServer } from './dhcp/server.ts';
import { formatPlace, ReveilleError, troubleOf, wordsOf } from './errors.ts';
import { type FaultSink, guarded } from './faults.ts';
import { HttpPorts, MachinesServer } from './http/machinesServer.ts';
import { createOperatorsServer } from './http/operators.ts';
import { createHttpServer } from './http/server.ts';
import { openedRecords } from './image/opened.ts';
import { servedImages } from './image/served.ts';
import { openShelf } from './image/shelf.ts';
import { inTurn } from './inTurn.ts';
import { type LogFormat, openLog } from './log/log.ts';
import type { Event, ServedAs } from './model/event.ts';
import type { Finding } from './model/finding.ts';
import { type Ipv4, UNSPECIFIED } from './model/ipv4.ts';
import type { Mac } from './model/mac.ts';
import type { Network } from './model/network.ts';
import type { SiteNode } from './model/node.ts';
import { descriptorLimit, shareDescriptors } from './net/descriptors.ts';
import { InterfaceWatch } from './net/interfaceWatch.ts';
import { hearLinkNews } from './net/linkNews.ts';
import { askForLogs } from './node/askForLogs.ts';
import { bootedNode } from './node/bootedNode.ts';
import { openContents } from './node/contents.ts';
import { openCredentials } from './node/credentials.ts';
import { openIdentities } from './node/identity.ts';
import type { Inventory } from './node/inventory.ts';
import { nodeBundle } from './node/nodeBundle.ts';
import { openNodeFiles } from './node/nodeFiles.ts';
import { createNodeMasks } from './node/nodeMasks.ts';
import { removeLeftovers } from './node/openssl.ts';
import { createOrders } from './node/orders.ts';
import { openPeers } from './node/peers.ts';
import { openSiteSecrets } from './node/siteSecrets.ts';
import { storedInventories } from './node/storedInventories.ts';
import { syncNodes } from './node/sync.ts';
import { createRenderer } from './node/templates.ts';
import { NodeTokens } from './node/tokens.ts';
import { missingFor } from './readiness.ts';
import { startWhenPossible } from './recall.ts';
import { createAct } from './roll/act.ts';
import { createLook } from './roll/look.ts';
import { rollsForOperators } from './roll/operators.ts';
import { imageOf } from './roll/pins.ts';
import { openRolls } from './roll/run.ts';
import { serverAddresses } from './serverAddresses.ts';
import { siteInvalid } from './site/invalid.ts';
import { longestLease } from './site/lending.ts';
import { selectNodes } from './site/nodeSet.ts';
import type { Site } from './site/site.ts';
import { followSiteAside } from './siteFollower.ts';
import { openBootLog } from './state/bootLog.ts';
import { EventLog } from './state/eventLog.ts';
import { openPatientStore } from './state/store.ts';
import { openStrangerLog } from './state/strangerLog.ts';
import { Supervisor } from './supervisor.ts';
import { startTftpServer } from './tftp/server.ts';
import { type Bus, createBus } from './timeline/bus.ts';
import { openEventGate } from './timeline/eventGate.ts';
import { heldLeases, poolOf } from './timeline/heldLease.ts';
import { statusOf } from './timeline/status.ts';
import { giveBoots } from './timeline/strangers.ts';

export type ServeOptions = {
  readonly siteFolder: string;
  readonly stateFolder: string;
  /** Hears every event, and how the site wants standard output written. */
  readonly listener: (event: Event, format: LogFormat) => void;
  /** Ends the process at once: an exception leaves it unclear which leases are on disk. */
  readonly end: () => void;
};

/**
 * Starts the whole server: follows the site, answers DHCP, TFTP and HTTP, keeps state and timeline. Resolves once all of it
 * runs; rejects with everything closed again. Disposing it stops it.
 */
export async function serve({ siteFolder, stateFolder, listener, end }: ServeOptions): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();

  // What the last rooms bring is filled in as they open; an edit may come before that.
  let identify = (event: Event): Event => event;
  let reload = async (): Promise<void> => {};
  const inEvents = (error: unknown) => supervisor.sinkOf('events')(error);
  const bus = createBus({ identify: (event) => identify(event), faulted: inEvents });
  const { emit, subscribe } = bus;
  const trouble = (error: unknown) => emit({ kind: 'server.trouble', ...troubleOf(error) });
  const supervisor = new Supervisor({ emit, end });
  opened.defer(() => supervisor.close());
  const inOrder = inTurn();
  const takeOver = () => void inOrder(() => reload()).catch(trouble);
  const loaded = await supervisor.part('site', () =>
    followSiteAside(siteFolder, stateFolder, {
      onLoaded: (site) => {
        emit({ kind: 'site.loaded', networks: site.networks.size, nodes: site.nodes.size });
        takeOver();
      },
      onRejected: (findings) => emit({ kind: 'site.rejected', errors: findings.map(findingText) }),
      faulted: supervisor.sinkOf('site'),
    }),
  );
  if (!loaded.ok) throw siteInvalid(siteFolder, loaded.findings);
  const { followed } = loaded;
  opened.defer(() => followed.close());
  const site = () => followed.current();

  const store = await supervisor.vital('state', () =>
    openPatientStore(stateFolder, {
      longestLeaseMs: longestLease(site()) * 1000,
      onNotice: (code, message) => emit({ kind: 'server.trouble', code, message }),
    }),
  );
  opened.defer(() => store.close());
  await removeLeftovers(stateFolder).catch(trouble);

  const timeline = await supervisor.part('timeline', () => openBootLog(store));
  opened.defer(() => timeline.close());
  const log = new EventLog(store.events, {
    onDropped: (count) =>
      emit({
        kind: 'server.trouble',
        code: 'EVENTS_DROPPED',
        message: `${count} events were not kept: too many at once`,
      }),
  });
  opened.defer(() => log.close());
  const strangers = await supervisor.part('strangers', () => openStrangerLog(store.strangers));
  opened.defer(() => strangers.close());
  const daemons = openLog(site().log, (message) => emit({ kind: 'server.trouble', code: 'LOG_LOST', message }));
  opened.defer(() => daemons.close());
  const gate = openEventGate(bus, inEvents);
  opened.defer(() => gate.close());
  // What a listener does later is no doing of the service whose event it heard.
  const listen = (to: Pick<Bus, 'subscribe'>, name: string, hear: (event: Event) => void) =>
    to.subscribe((event) => supervisor.part(name, () => hear(event)));
  listen(bus, 'timeline', (event) => timeline.see(event));
  listen(bus, 'strangers', (event) => strangers.see(event));
  listen(gate, 'log', (event) => listener(event, site().log.format));
  listen(gate, 'log', (event) => daemons.write(event));
  listen(gate, 'events', (event) => {
    if (isWorthKeeping(event)) log.append(event);
  });

  // A clock that NTP sets while machines boot must not end their boots, nor make them last.
  const steady = new SteadyClock();
  const tokens = await NodeTokens.open({ store: store.tokens, now: () => steady.now(), trouble });
  listen(bus, 'tokens', (event) => {
    const node = bootedNode(event);
    if (node !== undefined) tokens.bootSeen(node);
  });
  const images = servedImages(openShelf(join(stateFolder, 'images')), emit);
  const { shelf } = images;
  const interfaces = new InterfaceWatch();
  const ports = new HttpPorts(() => site().http.port);
  const where = serverAddresses(site, () => interfaces.addresses, ports);
  const rolls = await openRolls(store.rolls, emit, Date.now);
  const identities = openIdentities(store.identities);
  const files = {
    site,
    serverOf: where.serverOf,
    networkOf: where.networkOf,
    imageOf: imageOf(shelf, (node) => rolls.pins.get(node)),
    // A state that is down is reported elsewhere, and costs the node its steady machine-id, not its boot.
    machineIdOf: (node: string) =>
      identities.of(node).then(
        ({ machineId }) => machineId,
        () => undefined,
      ),
    imageFile: images.file,
  };

  const dhcp = await supervisor.run('dhcp', (faulted) =>
    startDhcpServer({
      site: where.site,
      store: store.leases,
      events: emit,
      faulted,
      isOwn: (ip) => interfaces.has(ip),
      boot: (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: ports.current }),
    }),
  );
  opened.defer(() => dhcp.close());
  identify = (event) => withNode(event, site(), (ip) => dhcp.running?.holderOf(ip));

  const descriptors = shareDescriptors(descriptorLimit());
  const tftp = await supervisor.run('tftp', (faulted) =>
    startTftpServer({
      addresses: where.serverAddresses,
      source: tftpFiles(files),
      events: emit,
      faulted,
      descriptors: descriptors.tftp,
      isKnown: (ip) => site().nodeByIp.has(ip) || dhcp.running?.holderOf(ip) !== undefined,
      limits: () => site().tftp,
    }),
  );
  opened.defer(() => tftp.close());

  const means = {
    secrets: openSiteSecrets(site, process.env),
    identities,
    credentialsOf: openCredentials(store.certificates, { scratch: stateFolder, now: Date.now }),
    peersOf: openPeers(identities),
    renderer: createRenderer(),
  };
  const masks = createNodeMasks(means.secrets);
  const inventories = storedInventories(store.inventories, site);
  /** The address through which a node last reached this server: templates may say it. */
  const reachedAt = new Map<string, Ipv4>();
  const render = async (node: SiteNode, inventory: Inventory | undefined, ip: Ipv4) => {
    const bundle = await nodeBundle(site(), node, { inventory, server: { ip, httpPort: ports.current } }, means);
    masks.note(node.name, bundle.mask);
    return bundle;
  };
  const orders = createOrders();
  const nodeFiles = await openNodeFiles({
    nodes: () => site().nodes,
    render: async (node) => {
      const network = site().networks.get(node.network ?? '');
      const ip = reachedAt.get(node.name) ?? (network && where.serverOf(network)?.ip) ?? UNSPECIFIED;
      return render(node, await inventories.load(node.name), ip);
    },
    store: store.applied,
    contents: openContents(join(stateFolder, 'bundles'), trouble),
    emit,
    now: Date.now,
  });
  opened.defer(() => nodeFiles.close());
  const opens = opened.use(openedRecords(stateFolder, Date.now));
  const machinesHttp = (faulted: FaultSink) =>
    createHttpServer({
      faulted,
      descriptors: descriptors.http,
      site,
      emit,
      addressesOn: (name) => (interfaces.addresses.get(name) ?? []).map(({ ip }) => ip),
      addressOf: (mac, network) => dhcp.running?.addressOf(mac, network),
      bootFiles: httpFiles(files),
      opened: opens.keep,
      tokens,
      bundleOf: async (node, inventory, ip) => {
        reachedAt.set(node.name, ip);
        const bundle = await render(node, inventory, ip);
        nodeFiles.sent(node, bundle);
        return bundle;
      },
      maskOf: masks.of,
      inventories,
      orders,
      onNews: nodeFiles.onNews,
    });
  const http = await supervisor.run('http', (faulted) => MachinesServer.start(machinesHttp(faulted), ports, trouble));
  opened.defer(() => http.close());

  const withCloud = cloudOf(() => site().cloud, process.env);
  const look = createLook({
    site,
    newestBoot: (node) => timeline.boots(node)[0],
    isWaiting: orders.isWaiting,
    filesOf: nodeFiles.standing,
    withCloud,
    now: Date.now,
  });
  const powerCycle = async (name: string) => {
    const node = site().nodes.get(name);
    if (node) await restartFromNetwork(await openBmc(node, means.secrets));
  };
  opened.use(supervisor.part('rolls', () => rolls.run(look, createAct(withCloud, orders, powerCycle))));
  const operatorsHttp = (faulted: FaultSink) =>
    createOperatorsServer({
      status: async () =>
        statusOf({
          site: site(),
          timeline,
          strangers: strangers.list(),
          serverOf: where.serverOf,
          standingOf: nodeFiles.standing,
          held: heldLeases(dhcp.running?.leases() ?? [], site(), Date.now()),
          refused: followed.refused(),
        }),
      subscribe,
      leases: {
        list: () => dhcp.running?.leases() ?? [],
        release: async (ip) => {
          if (!dhcp.running) throw new ReveilleError('SERVER_BUSY', 'DHCP is being restarted; ask again');
          return dhcp.running.release(ip);
        },
        nodeOf: (mac) => site().nodeByMac.get(mac)?.name,
        poolOf: (ip) => poolOf(site(), ip),
      },
      rolls: rollsForOperators({ rolls, site, shelf, look, now: Date.now }),
      nodesNamed: (set) => selectNodes(site().nodes.values(), set).map(({ name }) => name),
      sync: (nodes, options) => syncNodes(nodes, options, orders, nodeFiles.feed),
      diff: async (name) => {
        const node = site().nodes.get(name);
        if (!node) throw new ReveilleError('NODE_UNKNOWN', `the site has no node ${name}`);
        return nodeFiles.diff(node);
      },
      keptEvents: async (filter) => {
        await log.flush();
        return store.events.read({ ...filter, bytes: MOST_READ_BYTES });
      },
      faulted,
    });
  const cannotListen = (error: unknown) =>
    emit({
      kind: 'server.trouble',
      code: 'STATE_UNAVAILABLE',
      message: `the commands of operators are answered later: ${wordsOf(error)}`,
    });
  const operators = await supervisor.run('operators', (faulted) =>
    startWhenPossible(async () => {
      const server = operatorsHttp(faulted);
      try {
        await server.listen(join(stateFolder, 'reveille.sock'));
      } catch (error) {
        await server.close();
        throw error;
      }
      return server;
    }, cannotListen),
  );
  opened.defer(() => operators.close());

  const logsOf = askForLogs(orders, Date.now);
  opened.use(
    supervisor.part('cloud', () =>
      followCloud({
        expected: () => expectedInService(site(), (node) => timeline.boots(node)[0]),
        view: () => withCloud(readCloudView),
        onMissing: ({ node, bootedAt }) => logsOf(node, bootedAt),
        emit,
      }),
    ),
  );

  let before = site();
  const giveHistories = () => {
    const { nodes, nodeByMac } = site();
    giveBoots(strangers.list(), timeline, (mac) => nodeByMac.get(mac)?.name);
    // A node that has another name now is the same machine.
    for (const { name, macs } of before === site() ? [] : nodes.values()) {
      const earlier = macs.map((mac) => before.nodeByMac.get(mac)?.name).find((one) => one !== undefined);
      if (earlier === undefined || earlier === name || nodes.has(earlier)) continue;
      timeline.inherit(
        name,
        timeline.boots(earlier).map((boot) => ({ boot, seenAt: boot.updatedAt })),
      );
    }
    before = site();
  };
  /** A broken template costs its nodes their bundle and no others anything: it is reported, and the rest goes on. */
  const tellBadTemplates = async (): Promise<void> => {
    for (const finding of await followed.badTemplates())
      emit({ kind: 'server.trouble', code: 'TEMPLATE_INVALID', message: findingText(finding) });
  };
  reload = async () => {
    // Each takes milliseconds where there are thousands of nodes; requests come in between.
    interfaces.look();
    daemons.configure(site().log);
    // The port first: what DHCP and TFTP send names it.
    await http.reload().catch(trouble);
    await Promise.all([dhcp.reload(), tftp.reload()]);
    for (const take of [giveHistories, nodeFiles.siteChanged, () => tokens.siteChanged(site().nodes)]) {
      await setImmediate();
      take();
    }
    void tellBadTemplates().catch(trouble);
  };
  const followInterfaces = () => {
    const before = { servers: where.serversState(), links: where.linksState(interfaces) };
    if (!interfaces.look()) return;
    if (where.serversState() !== before.servers) takeOver();
    else if (where.linksState(interfaces) !== before.links)
      void Promise.all([dhcp.reload(), tftp.reload()]).catch(trouble);
  };
  const looking = guarded(supervisor.sinkOf('interfaces'), followInterfaces);
  const watching = setInterval(looking, INTERFACES_MS).unref();
  opened.defer(() => clearInterval(watching));
  const news = supervisor.part('interfaces', () => hearLinkNews(looking, supervisor.sinkOf('interfaces')));
  opened.defer(() => news.close());
  emit({ kind: 'server.started', httpPort: ports.current, serves: [...where.site().networks.values()].map(servedAs) });
  for (const missing of await missingFor(site(), shelf)) emit({ kind: 'server.trouble', ...missing });
  takeOver();
  return opened.move();
}

/** What operators ask for at once, of the newest events. */
const MOST_READ_BYTES = 32 * 1024 * 1024;

function servedAs({ name, interface: device, server }: Network): ServedAs {
  return {
    network: name,
    ...(device === undefined ? {} : { interface: device }),
    ...(server === undefined ? {} : { server }),
  };
}

/** A change of an interface of which the kernel's message was lost is noticed within this time. */
const INTERFACES_MS = 5000;

/** Says which node an event concerns, by its MAC or by who has its address. */
function withNode(event: Event, site: Site, holderOf: (ip: Ipv4) => Mac | undefined): Event {
  if (event.node !== undefined) return event;
  const holder = event.mac ?? (event.ip === undefined ? undefined : holderOf(event.ip));
  const node = holder ? site.nodeByMac.get(holder) : event.ip === undefined ? undefined : site.nodeByIp.get(event.ip);
  if (node) return { ...event, node: node.name };
  return holder && event.mac === undefined ? { ...event, mac: holder } : event;
}

/** A stranger's chatter is shown live and not kept: a flood of made-up machines must not push the nodes' boots out. */
function isWorthKeeping(event: Event): boolean {
  return event.node !== undefined || !event.kind.startsWith('dhcp.') || event.kind === 'dhcp.other-server';
}

function findingText({ place, message }: Finding): string {
  return `${formatPlace(place)}: ${message}`;
}
