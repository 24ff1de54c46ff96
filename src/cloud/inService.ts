import { formatOff } from '../words/units.ts';
import type { CloudView, ComputeService, Hypervisor } from './view.ts';

/** A node as it should be known to the cloud, and the boot that is to come into service. */
export type Expected = {
  readonly node: string;
  /** Its address: what a machine calls itself that has no name. */
  readonly ip?: string;
  /** When the boot began, milliseconds since the epoch: what is older speaks of an earlier life of the machine. */
  readonly bootedAt: number;
  /** Neutron's agents among the node's services, by their binaries. */
  readonly networkAgents: readonly string[];
};

/** Whether a boot has come into service, or what is still missing, as a code for programs and in words. */
export type Standing =
  | { readonly kind: 'in-service'; readonly enabled: boolean; readonly disabledReason?: string }
  | {
      readonly kind: 'missing';
      readonly what:
        | 'cloud'
        | 'compute-service'
        | 'other-name'
        | 'compute-report'
        | 'compute-down'
        | 'compute-disabled-itself'
        | 'hypervisor'
        | 'hypervisor-down'
        | 'provider'
        | 'network-agent'
        | 'network-agent-report';
      readonly words: string;
      /** What the operator may look at. */
      readonly hint: string;
    };

/** Clocks of cloud and server may differ by this much before an update counts as older than the boot. */
const CLOCKS_MS = 2000;

/** Whether a host of the cloud is this node: by its name, alone or with a domain. */
export function isHostOf(host: string, node: string): boolean {
  return host === node || host.startsWith(`${node}.`);
}

/**
 * Holds what the cloud says against what a boot should have brought. A record alone proves nothing: Nova keeps services of
 * machines that are off, and calls them up for a minute more. Only what reported after the boot began counts.
 */
export function standingOf(view: CloudView, expected: Expected): Standing {
  const standing = standingByTimes(view, expected);
  if (standing.kind === 'in-service' || view.clockAheadMs === 0) return standing;
  const off = `the cloud's clock is ${formatOff(view.clockAheadMs)} this server's`;
  return { ...standing, hint: `${standing.hint}; ${off}` };
}

type Missing = Standing & { readonly kind: 'missing' };
/** Whether something was told since the boot began. */
type Since = (at: number | undefined) => boolean;

function standingByTimes(view: CloudView, expected: Expected): Standing {
  const { node, bootedAt } = expected;
  const since: Since = (at) => at !== undefined && at - view.clockAheadMs >= bootedAt - CLOCKS_MS;
  const isThis = ({ host }: { readonly host: string }) => isHostOf(host, node);

  const service = lastToReport(view.services.filter(isThis), ({ updatedAt }) => updatedAt);
  if (!service || !since(service.updatedAt)) {
    return strayService(view, expected, since) ?? (service ? silent(node) : unknown(node));
  }
  const hypervisors = view.hypervisors.filter(isThis);
  const hypervisor = hypervisors.find(({ host }) => host === service.host) ?? hypervisors[0];
  return (
    brokenService(service, node) ??
    brokenHypervisor(hypervisor, node) ??
    (hypervisor && brokenProvider(view, hypervisor)) ??
    brokenAgent(view, expected, since) ?? {
      kind: 'in-service',
      enabled: service.enabled,
      ...(service.disabledReason === undefined ? {} : { disabledReason: service.disabledReason }),
    }
  );
}

/** A service that began to report under another name: one that machines without a name have, or at the node's own address. */
function strayService(view: CloudView, { node, ip }: Expected, since: Since): Missing | undefined {
  const names = [node, 'localhost', '(none)', ...(ip === undefined ? [] : [ip, `ip-${ip.replaceAll('.', '-')}`])];
  const isAstray = ({ host }: ComputeService) => {
    const lower = host.toLowerCase();
    const address = view.hypervisors.find((one) => one.host === host)?.ip;
    if (address !== undefined && ip !== undefined) return address === ip;
    return names.some((name) => isHostOf(lower, name.toLowerCase()));
  };
  const astray = view.services.find((one) => !isHostOf(one.host, node) && isAstray(one) && since(one.updatedAt));
  return (
    astray &&
    missing(
      'other-name',
      `a nova-compute registered as ${astray.host} since this boot began, not as ${node}`,
      `see host under [DEFAULT] in the node's nova.conf, and name nova-compute under the profile's services, so that it waits for the name; then remove the stray service: openstack compute service delete ${astray.id}`,
    )
  );
}

function unknown(node: string): Missing {
  return missing(
    'compute-service',
    `Nova knows no compute service on ${node}`,
    'nova-compute registers by the message queue: see its log on the node, and transport_url in its nova.conf',
  );
}

function silent(node: string): Missing {
  return missing(
    'compute-report',
    `nova-compute on ${node} has not reported since this boot began`,
    'it cannot reach the message queue, or has not started: see its log on the node',
  );
}

/** What Nova's driver of libvirt puts before the reason where it disables its own service. */
const BY_ITSELF = 'AUTO: ';

function brokenService(service: ComputeService, node: string): Missing | undefined {
  if (!service.up) {
    return missing(
      'compute-down',
      `nova-compute on ${node} reported since this boot began, and no more: Nova calls it down`,
      'see its log and `systemctl status nova-compute` on the node; where several controllers serve the cloud, compare their clocks',
    );
  }
  if (!service.enabled && service.disabledReason?.startsWith(BY_ITSELF)) {
    return missing(
      'compute-disabled-itself',
      `nova-compute on ${node} has disabled itself: ${service.disabledReason.slice(BY_ITSELF.length)}`,
      'see libvirtd on the node; the service enables itself as soon as it has libvirt again',
    );
  }
  return undefined;
}

function brokenHypervisor(hypervisor: Hypervisor | undefined, node: string): Missing | undefined {
  if (!hypervisor) {
    return missing(
      'hypervisor',
      `${node} reports, and has no hypervisor yet: it is not mapped to a cell`,
      'run nova-manage cell_v2 discover_hosts on the controller, or set discover_hosts_in_cells_interval under [scheduler] there',
    );
  }
  return hypervisor.up
    ? undefined
    : missing('hypervisor-down', `the hypervisor of ${node} is down`, 'see libvirtd on the node');
}

/** A provider has the id and the name of its hypervisor. One of the same name alone is somebody else's, and keeps it out. */
function brokenProvider({ providers }: CloudView, { id, name }: Hypervisor): Missing | undefined {
  if (providers.some((one) => one.id === id)) return undefined;
  const short = (full: string) => full.split('.')[0];
  const other = providers.find((one) => one.name === name) ?? providers.find((one) => short(one.name) === short(name));
  if (other === undefined) {
    return missing(
      'provider',
      `Placement has no resource provider ${name}`,
      'see [placement] in the nova.conf of the node: a wrong password shows in its log as 401',
    );
  }
  return missing(
    'provider',
    other.name === name
      ? `Placement has the name ${name} for another resource provider (${other.id}), left of an earlier life of the node`
      : `Placement has the resource provider ${other.name}, and the hypervisor is called ${name}`,
    `delete it once it has no allocations: openstack resource provider show --allocations ${other.id}, then openstack resource provider delete ${other.id}`,
  );
}

/** A node that changed its agent leaves the record of the other behind: only those among its services count. */
function brokenAgent({ agents }: CloudView, { node, networkAgents }: Expected, since: Since): Missing | undefined {
  for (const binary of networkAgents) {
    const ofNode = agents.filter((one) => one.binary === binary && isHostOf(one.host, node));
    const agent = lastToReport(ofNode, ({ heartbeatAt }) => heartbeatAt);
    if (!agent) {
      return missing('network-agent', `Neutron knows no ${binary} on ${node}`, "see the agent's log on the node");
    }
    const reported = since(agent.heartbeatAt);
    if (agent.alive && reported) continue;
    return missing(
      'network-agent-report',
      `${binary} on ${node} ${reported ? 'reported since this boot began, and no more: Neutron calls it dead' : 'has not reported since this boot began'}`,
      // neutron-server drops reports that bear a time before its own start, and says so at debug level only.
      "see the agent's log on the node; reports of a node whose clock is far behind are dropped: compare clocks",
    );
  }
  return undefined;
}

/**
 * Of several records that may be the node's, the one that reported last: a host that goes from its short name to its full one leaves
 * the record of the other behind.
 */
export function lastToReport<T>(records: readonly T[], at: (record: T) => number | undefined): T | undefined {
  const time = (record: T) => at(record) ?? Number.NEGATIVE_INFINITY;
  return records.reduce<T | undefined>((best, one) => (best && time(best) >= time(one) ? best : one), undefined);
}

function missing(what: Missing['what'], words: string, hint: string): Missing {
  return { kind: 'missing', what, words, hint };
}
