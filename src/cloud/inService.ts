import type { CloudInService, CloudMissing, CloudStanding } from '../model/cloudStanding.ts';
import type { CloudView, ComputeService, Hypervisor } from './view.ts';

/** A node as it should be known to the cloud, and the boot that is to come into service. */
export type Expected = {
  readonly node: string;
  /** Its address: what a machine calls itself that has no name. */
  readonly ip?: string;
  /** When the boot began, milliseconds since the epoch: older records are of an earlier boot. */
  readonly bootedAt: number;
  /** Neutron's agents among the node's services, by their binaries. */
  readonly networkAgents: readonly string[];
};

/** Clocks of cloud and server may differ by this much before an update counts as older than the boot. */
const CLOCKS_MS = 2000;

/** Whether a host of the cloud is this node: by its name, alone or with a domain. */
export function isHostOf(host: string, node: string): boolean {
  return host === node || host.startsWith(`${node}.`);
}

/**
 * Compares the cloud's records with what a boot should have brought. A record alone proves nothing: Nova keeps services of
 * machines that are off, and calls them up for a minute more. Only what reported after the boot began counts.
 */
export function standingOf(view: CloudView, expected: Expected): CloudStanding {
  const standing = standingByTimes(view, expected);
  if (standing.standing === 'in-service' || view.clockAheadMs === 0) return standing;
  return { ...standing, cloudAheadMs: view.clockAheadMs };
}

/** Whether a report came since the boot began. */
type Since = (at: number | undefined) => boolean;

function standingByTimes(view: CloudView, expected: Expected): CloudInService | CloudMissing {
  const { node, bootedAt } = expected;
  const since: Since = (at) => at !== undefined && at - view.clockAheadMs >= bootedAt - CLOCKS_MS;
  const isThis = ({ host }: { readonly host: string }) => isHostOf(host, node);

  const service = lastToReport(view.services.filter(isThis), ({ updatedAt }) => updatedAt);
  if (!service || !since(service.updatedAt)) {
    const stray = strayService(view, expected, since);
    return stray ?? { standing: service ? 'compute-report' : 'compute-service', node };
  }
  const hypervisors = view.hypervisors.filter(isThis);
  const hypervisor = hypervisors.find(({ host }) => host === service.host) ?? hypervisors[0];
  return (
    brokenService(service, node) ??
    brokenHypervisor(hypervisor, node) ??
    (hypervisor && brokenProvider(view, hypervisor, node)) ??
    brokenAgent(view, expected, since) ?? {
      standing: 'in-service',
      node,
      enabled: service.enabled,
      ...(service.disabledReason === undefined ? {} : { disabledReason: service.disabledReason }),
    }
  );
}

/** A service that began to report under another name: one that machines without a name have, or at the node's own address. */
function strayService(view: CloudView, { node, ip }: Expected, since: Since): CloudMissing | undefined {
  const names = [node, 'localhost', '(none)', ...(ip === undefined ? [] : [ip, `ip-${ip.replaceAll('.', '-')}`])];
  const isAstray = ({ host }: ComputeService) => {
    const lower = host.toLowerCase();
    const address = view.hypervisors.find((one) => one.host === host)?.ip;
    if (address !== undefined && ip !== undefined) return address === ip;
    return names.some((name) => isHostOf(lower, name.toLowerCase()));
  };
  const astray = view.services.find((one) => !isHostOf(one.host, node) && isAstray(one) && since(one.updatedAt));
  return astray && { standing: 'other-name', node, host: astray.host, service: astray.id };
}

/** What Nova's driver of libvirt puts before the reason where it disables its own service. */
const BY_ITSELF = 'AUTO: ';

function brokenService(service: ComputeService, node: string): CloudMissing | undefined {
  if (!service.up) return { standing: 'compute-down', node };
  if (service.enabled || !service.disabledReason?.startsWith(BY_ITSELF)) return undefined;
  return { standing: 'compute-disabled-itself', node, cause: service.disabledReason.slice(BY_ITSELF.length) };
}

function brokenHypervisor(hypervisor: Hypervisor | undefined, node: string): CloudMissing | undefined {
  if (!hypervisor) return { standing: 'hypervisor', node };
  return hypervisor.up ? undefined : { standing: 'hypervisor-down', node };
}

/** A provider has the id and the name of its hypervisor. One that has only the name belongs to another hypervisor, and blocks this one. */
function brokenProvider({ providers }: CloudView, { id, name }: Hypervisor, node: string): CloudMissing | undefined {
  if (providers.some((one) => one.id === id)) return undefined;
  const short = (full: string) => full.split('.')[0];
  const other = providers.find((one) => one.name === name) ?? providers.find((one) => short(one.name) === short(name));
  return { standing: 'provider', node, name, ...(other === undefined ? {} : { other }) };
}

/** A node that changed its agent leaves the record of the other behind: only those among its services count. */
function brokenAgent({ agents }: CloudView, { node, networkAgents }: Expected, since: Since): CloudMissing | undefined {
  for (const binary of networkAgents) {
    const ofNode = agents.filter((one) => one.binary === binary && isHostOf(one.host, node));
    const agent = lastToReport(ofNode, ({ heartbeatAt }) => heartbeatAt);
    if (!agent) return { standing: 'network-agent', node, agent: binary };
    const reported = since(agent.heartbeatAt);
    if (!agent.alive || !reported) return { standing: 'network-agent-report', node, agent: binary, reported };
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
