import { formatOff } from '../timeline/words.ts';
import type { CloudView } from './view.ts';

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
  | { readonly kind: 'in-service'; readonly enabled: boolean }
  | {
      readonly kind: 'missing';
      readonly what:
        | 'cloud'
        | 'compute-service'
        | 'other-name'
        | 'compute-report'
        | 'compute-down'
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

function standingByTimes(view: CloudView, { node, ip, bootedAt, networkAgents }: Expected): Standing {
  const isThis = (host: string) => isHostOf(host, node);
  const since = (at: number | undefined) => at !== undefined && at - view.clockAheadMs >= bootedAt - CLOCKS_MS;

  const service = view.services.find(({ host }) => isThis(host));
  if (!service) {
    const names = [node, 'localhost', '(none)', ...(ip === undefined ? [] : [ip, `ip-${ip.replaceAll('.', '-')}`])];
    const isAstray = (host: string) => {
      const lower = host.toLowerCase();
      return names.some((name) => lower === name.toLowerCase() || lower.startsWith(`${name.toLowerCase()}.`));
    };
    const astray = view.services.find(({ host, updatedAt }) => isAstray(host) && since(updatedAt));
    if (astray) {
      return missing(
        'other-name',
        `a nova-compute registered as ${astray.host} since this boot began, not as ${node}`,
        `name nova-compute under the profile's services, so that it waits for the name, and set host in nova.conf; then remove the stray service: openstack compute service delete ${astray.id}`,
      );
    }
    return missing(
      'compute-service',
      `Nova knows no compute service on ${node}`,
      'nova-compute registers by the message queue: see its log on the node, and transport_url in its nova.conf',
    );
  }
  if (!since(service.updatedAt)) {
    return missing(
      'compute-report',
      `nova-compute on ${node} has not reported since this boot began`,
      'it cannot reach the message queue, or has not started: see its log on the node',
    );
  }
  if (!service.up) {
    return missing(
      'compute-down',
      `Nova calls the compute service on ${node} down`,
      'compare the clocks of node and controller',
    );
  }
  const hypervisor = view.hypervisors.find(({ host }) => isThis(host));
  if (!hypervisor) {
    return missing(
      'hypervisor',
      `${node} reports, and has no hypervisor yet: it is not mapped to a cell`,
      'run nova-manage cell_v2 discover_hosts on the controller, or set discover_hosts_in_cells_interval',
    );
  }
  if (!hypervisor.up)
    return missing('hypervisor-down', `the hypervisor of ${node} is down`, 'see libvirtd on the node');
  if (!view.providers.includes(hypervisor.name)) {
    const other = view.providers.find((name) => name.split('.')[0] === hypervisor.name.split('.')[0]);
    return missing(
      'provider',
      other === undefined
        ? `Placement has no resource provider ${hypervisor.name}`
        : `Placement has the resource provider ${other}, and the hypervisor is called ${hypervisor.name}`,
      other === undefined
        ? 'see [placement] in the nova.conf of the node: a wrong password shows in its log as 401'
        : 'a node that changed its name left its provider behind: openstack resource provider delete, once it has no allocations',
    );
  }
  // A node that changed its agent leaves the record of the other behind.
  for (const binary of networkAgents) {
    const agent = view.agents.find((one) => one.binary === binary && isThis(one.host));
    if (!agent) {
      return missing('network-agent', `Neutron knows no ${binary} on ${node}`, "see the agent's log on the node");
    }
    if (!agent.alive || !since(agent.heartbeatAt)) {
      return missing(
        'network-agent-report',
        `${binary} on ${node} has not reported since this boot began`,
        "see the agent's log on the node",
      );
    }
  }
  return { kind: 'in-service', enabled: service.enabled };
}

function missing(what: (Standing & { kind: 'missing' })['what'], words: string, hint: string): Standing {
  return { kind: 'missing', what, words, hint };
}
