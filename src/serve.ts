import { setImmediate } from 'node:timers/promises';
import { ApiTokens } from './access/apiTokens.ts';
import { formatPlace, troubleOf } from './errors.ts';
import { guarded } from './faults.ts';
import { HttpPorts } from './http/machinesServer.ts';
import { inTurn } from './inTurn.ts';
import type { LogFormat } from './log/log.ts';
import type { Event, ServedAs } from './model/event.ts';
import type { Finding } from './model/finding.ts';
import type { Network } from './model/network.ts';
import { InterfaceWatch } from './net/interfaceWatch.ts';
import { hearLinkNews } from './net/linkNews.ts';
import { Orders } from './node/orders.ts';
import { missingFor } from './readiness.ts';
import { Rolls } from './roll/run.ts';
import { type ApiService, startApi } from './serve/api.ts';
import { openBundles } from './serve/bundles.ts';
import type { Core } from './serve/core.ts';
import { openImages } from './serve/images.ts';
import { listenToEvents } from './serve/listeners.ts';
import { operatorsView, startOperators } from './serve/operators.ts';
import { openRecords } from './serve/records.ts';
import { openCloud, runRolls, watchCloud } from './serve/rolls.ts';
import { openTokens } from './serve/tokens.ts';
import { startDhcp, startFileServers, type Wire } from './serve/wire.ts';
import { serverAddresses } from './serverAddresses.ts';
import type { Service } from './service.ts';
import { siteInvalid } from './site/invalid.ts';
import { followSiteAside, type SiteThread } from './siteFollower.ts';
import { Supervisor } from './supervisor.ts';
import { EventBus } from './timeline/bus.ts';
import { EventIds } from './timeline/eventIds.ts';
import { Histories } from './timeline/histories.ts';
import { withNode } from './timeline/identify.ts';

export type ServeOptions = {
  readonly siteFolder: string;
  readonly stateFolder: string;
  /** Reads the site already, if it was started before. */
  readonly siteThread?: SiteThread;
  /** Hears every event, and how the site has standard output written. */
  readonly listener: (event: Event, format: LogFormat) => void;
  /** Ends the process at once: an exception leaves it unclear which leases are on disk. */
  readonly end: () => void;
};

/**
 * Starts the whole server: follows the site, answers DHCP, TFTP and HTTP, keeps state and timeline. Resolves once all of it
 * runs; rejects with everything closed again. Disposing it stops it.
 */
export async function serve({
  siteFolder,
  stateFolder,
  siteThread,
  listener,
  end,
}: ServeOptions): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();

  // Set once the services run; an edit may come before that.
  let identify = (event: Event): Event => event;
  let reload = async (): Promise<void> => {};
  const ids = new EventIds();
  const bus = new EventBus({
    ids,
    identify: (event) => identify(event),
    faulted: (error) => supervisor.sinkOf('events')(error),
  });
  const { emit } = bus;
  const trouble = (error: unknown) => emit({ kind: 'server.trouble', ...troubleOf(error) });
  const supervisor = new Supervisor({ emit, end });
  opened.defer(() => supervisor.close());
  const inOrder = inTurn();
  const takeOver = () => void inOrder(() => reload()).catch(trouble);
  const loaded = await supervisor.part('site', () =>
    followSiteAside(
      siteFolder,
      stateFolder,
      {
        onLoaded: (site) => {
          emit({ kind: 'site.loaded', networks: site.networks.size, nodes: site.nodes.size });
          takeOver();
        },
        onRejected: (findings) => emit({ kind: 'site.rejected', errors: findings.map(findingText) }),
        faulted: supervisor.sinkOf('site'),
      },
      siteThread,
    ),
  );
  if (!loaded.ok) throw siteInvalid(siteFolder, loaded.findings);
  const { followed } = loaded;
  opened.defer(() => followed.close());
  supervisor.measure('site', () => followed.gauges());
  const site = () => followed.current();

  const core: Core = { stateFolder, supervisor, bus, ids, trouble, site, opened };
  const records = await openRecords(core);
  const { daemons } = listenToEvents(core, records, listener);
  const tokens = await openTokens(core, records);
  const rolls = await Rolls.open(records.store.rolls, emit, Date.now);
  supervisor.measure('rolls', () => rolls.gauges());
  const images = openImages(core, rolls);
  const interfaces = new InterfaceWatch();
  const ports = new HttpPorts(() => site().http.port);
  const addresses = serverAddresses(site, () => interfaces.addresses, ports);
  const wire: Wire = { interfaces, addresses, ports };
  const bundles = await openBundles(core, records, addresses, ports);
  const orders = new Orders();
  supervisor.measure('orders', () => orders.gauges());

  const dhcp = await startDhcp(core, records, wire);
  identify = (event) => withNode(event, site(), (ip) => dhcp.running?.holderOf(ip));
  const files = {
    site,
    serverOf: addresses.serverOf,
    networkOf: addresses.networkOf,
    imageOf: images.imageOf,
    imageFile: images.file,
    // A state that is down is reported elsewhere: the node boots with another machine-id.
    machineIdOf: (node: string) =>
      records.identities.of(node).then(
        ({ machineId }) => machineId,
        () => undefined,
      ),
  };
  const { tftp, http } = await startFileServers(core, records, wire, rolls, dhcp, files, bundles, tokens, orders);
  const withCloud = openCloud(core);
  const operatorsRolls = runRolls(core, records, rolls, images.shelf, bundles, orders, withCloud);
  const apiTokens = opened.use(await ApiTokens.open({ store: records.store.apiTokens, now: Date.now }));
  let api: Service<ApiService> | undefined;
  const serving = () => api?.running?.serving;
  const view = operatorsView(
    core,
    records,
    followed,
    addresses,
    dhcp,
    bundles,
    orders,
    operatorsRolls,
    images.all,
    apiTokens,
    serving,
  );
  await startOperators(core, view);
  api = await startApi(core, apiTokens, addresses, view);
  watchCloud(core, records, orders, withCloud);

  const histories = new Histories(records.timeline, site());
  /** A broken template leaves its nodes without a bundle: it is reported, and the rest goes on. */
  const reportBadTemplates = async (): Promise<void> => {
    for (const finding of await followed.badTemplates())
      emit({ kind: 'server.trouble', code: 'TEMPLATE_INVALID', message: findingText(finding) });
  };
  reload = async () => {
    interfaces.look();
    daemons.configure(site().log);
    // The port first: what DHCP and TFTP send names it.
    await http.reload().catch(trouble);
    await Promise.all([dhcp.reload(), tftp.reload()]);
    await api?.reload().catch(trouble);
    const steps = [
      () => histories.follow(site(), records.strangers.list()),
      () => bundles.files.siteChanged(),
      () => tokens.siteChanged(site()),
    ];
    // Each takes milliseconds where there are thousands of nodes; requests are answered in between.
    for (const step of steps) {
      await setImmediate();
      step();
    }
    void reportBadTemplates().catch(trouble);
  };
  const followInterfaces = () => {
    const before = { servers: addresses.serversState(), links: addresses.linksState(interfaces) };
    if (!interfaces.look()) return;
    if (addresses.serversState() !== before.servers) takeOver();
    else if (addresses.linksState(interfaces) !== before.links)
      void Promise.all([dhcp.reload(), tftp.reload()]).catch(trouble);
  };
  const looking = guarded(supervisor.sinkOf('interfaces'), followInterfaces);
  const watching = setInterval(looking, INTERFACES_MS).unref();
  opened.defer(() => clearInterval(watching));
  const news = supervisor.part('interfaces', () => hearLinkNews(looking, supervisor.sinkOf('interfaces')));
  opened.defer(() => news.close());
  emit({
    kind: 'server.started',
    httpPort: ports.current,
    serves: [...addresses.site().networks.values()].map(servedAs),
  });
  for (const missing of await missingFor(site(), images.shelf)) emit({ kind: 'server.trouble', ...missing });
  takeOver();
  return opened.move();
}

/** A change of an interface of which the kernel's message was lost is noticed within this time. */
const INTERFACES_MS = 5000;

function servedAs({ name, interface: device, server }: Network): ServedAs {
  return {
    network: name,
    ...(device === undefined ? {} : { interface: device }),
    ...(server === undefined ? {} : { server }),
  };
}

function findingText({ place, message }: Finding): string {
  return `${formatPlace(place)}: ${message}`;
}
