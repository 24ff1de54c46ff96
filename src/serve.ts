import { ApiTokens } from './access/apiTokens.ts';
import { formatPlace, troubleOf } from './errors.ts';
import { HttpPorts } from './http/machinesServer.ts';
import type { LogFormat } from './log/log.ts';
import type { Event, EventSink, ServedAs } from './model/event.ts';
import type { Finding } from './model/finding.ts';
import type { Network } from './model/network.ts';
import { InterfaceWatch } from './net/interfaceWatch.ts';
import { Orders } from './node/orders.ts';
import { missingFor } from './readiness.ts';
import { Rolls } from './roll/run.ts';
import { type ApiService, startApi } from './serve/api.ts';
import { openBundles } from './serve/bundles.ts';
import type { Core } from './serve/core.ts';
import { Edits } from './serve/edits.ts';
import { openImages } from './serve/images.ts';
import { followInterfaces } from './serve/interfaces.ts';
import { listenToEvents } from './serve/listeners.ts';
import { operatorsView, startOperators } from './serve/operators.ts';
import { openRecords } from './serve/records.ts';
import { openCloud, runRolls, watchCloud } from './serve/rolls.ts';
import { openTokens } from './serve/tokens.ts';
import { startDhcp, startHttp, startTftp, type Wire } from './serve/wire.ts';
import { serverAddresses } from './serverAddresses.ts';
import type { Service } from './service.ts';
import { siteInvalid } from './site/invalid.ts';
import { followSiteAside, type SiteFollower, type SiteThread } from './siteFollower.ts';
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
  const edits = new Edits(trouble);
  const loaded = await supervisor.part('site', () =>
    followSiteAside(
      siteFolder,
      stateFolder,
      {
        onLoaded: (site) => {
          emit({ kind: 'site.loaded', networks: site.networks.size, nodes: site.nodes.size });
          edits.takeOver();
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
  const tftp = await startTftp(core, records, wire, rolls, dhcp);
  const http = await startHttp(core, wire, { dhcp, files, bundles, tokens, orders });
  const withCloud = openCloud(core);
  const operatorsRolls = runRolls(core, records, rolls, images.shelf, bundles, orders, withCloud);
  const apiTokens = opened.use(await ApiTokens.open({ store: records.store.apiTokens, now: Date.now }));
  let api: Service<ApiService> | undefined;
  const serving = () => api?.running?.serving;
  const view = operatorsView(core, records, {
    followed,
    addresses,
    dhcp,
    bundles,
    orders,
    rolls: operatorsRolls,
    shelf: images.all,
    tokens: apiTokens,
    api: serving,
  });
  await startOperators(core, view);
  api = await startApi(core, apiTokens, addresses, view);
  watchCloud(core, records, orders, withCloud);

  const histories = new Histories(records.timeline, site());
  edits.follow(() => interfaces.look());
  edits.follow(() => daemons.configure(site().log));
  // The port first: what DHCP and TFTP send names it.
  edits.follow(() => http.reload());
  edits.follow(() => Promise.all([dhcp.reload(), tftp.reload()]));
  edits.follow(() => api?.reload());
  edits.follow(() => histories.follow(site(), records.strangers.list()));
  edits.follow(() => bundles.files.siteChanged());
  edits.follow(() => tokens.siteChanged(site()));
  edits.follow(() => void reportBadTemplates(followed, emit).catch(trouble));
  followInterfaces(core, wire, {
    addressesChanged: () => edits.takeOver(),
    linksChanged: () => void Promise.all([dhcp.reload(), tftp.reload()]).catch(trouble),
  });
  emit({
    kind: 'server.started',
    httpPort: ports.current,
    serves: [...addresses.site().networks.values()].map(servedAs),
  });
  for (const missing of await missingFor(site(), images.shelf)) emit({ kind: 'server.trouble', ...missing });
  edits.takeOver();
  return opened.move();
}

/** A broken template leaves its nodes without a bundle: it is reported, and the rest goes on. */
async function reportBadTemplates(followed: Pick<SiteFollower, 'badTemplates'>, emit: EventSink): Promise<void> {
  for (const finding of await followed.badTemplates())
    emit({ kind: 'server.trouble', code: 'TEMPLATE_INVALID', message: findingText(finding) });
}

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
