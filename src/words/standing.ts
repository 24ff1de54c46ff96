import type { CloudInService, CloudMissing, CloudStanding, EarlierStanding } from '../model/cloudStanding.ts';
import { formatOff } from './units.ts';

/** Whether the cloud has a node in service, or what is missing: `Nova knows no compute service on node01`. */
export function standingText(standing: CloudStanding | EarlierStanding): string {
  if ('earlier' in standing) return standing.earlier.words;
  return standing.standing === 'in-service' ? inServiceText(standing) : missingText(standing);
}

/** What an operator may look at where a node is not in service. */
export function standingHint(standing: CloudStanding | EarlierStanding): string | undefined {
  if ('earlier' in standing) return standing.earlier.hint;
  if (standing.standing === 'in-service') return undefined;
  const hint = hintOf(standing);
  if (standing.cloudAheadMs === undefined) return hint;
  return `${hint}; the cloud's clock is ${formatOff(standing.cloudAheadMs)} this server's`;
}

function inServiceText({ enabled, disabledReason }: CloudInService): string {
  if (enabled) return 'in service';
  return `in service, and disabled${disabledReason === undefined ? '' : ` (${disabledReason})`}`;
}

function missingText(missing: CloudMissing): string {
  const { node } = missing;
  switch (missing.standing) {
    case 'cloud':
      return `the cloud cannot be asked: ${missing.message}`;
    case 'compute-service':
      return `Nova knows no compute service on ${node}`;
    case 'compute-report':
      return `nova-compute on ${node} has not reported since this boot began`;
    case 'compute-down':
      return `nova-compute on ${node} reported since this boot began, and no more: Nova calls it down`;
    case 'compute-disabled-itself':
      return `nova-compute on ${node} has disabled itself: ${missing.cause}`;
    case 'other-name':
      return `a nova-compute registered as ${missing.host} since this boot began, not as ${node}`;
    case 'hypervisor':
      return `${node} reports, and has no hypervisor yet: it is not mapped to a cell`;
    case 'hypervisor-down':
      return `the hypervisor of ${node} is down`;
    case 'provider': {
      const { name, other } = missing;
      if (other === undefined) return `Placement has no resource provider ${name}`;
      return other.name === name
        ? `Placement has the name ${name} for another resource provider (${other.id}), left of an earlier life of the node`
        : `Placement has the resource provider ${other.name}, and the hypervisor is called ${name}`;
    }
    case 'network-agent':
      return `Neutron knows no ${missing.agent} on ${node}`;
    case 'network-agent-report': {
      const since = missing.reported
        ? 'reported since this boot began, and no more: Neutron calls it dead'
        : 'has not reported since this boot began';
      return `${missing.agent} on ${node} ${since}`;
    }
  }
}

function hintOf(missing: CloudMissing): string {
  switch (missing.standing) {
    case 'cloud':
      return missing.advice ?? 'see cloud: in site.yaml and the clouds.yaml that it names';
    case 'compute-service':
      return 'nova-compute registers by the message queue: see its log on the node, and transport_url in its nova.conf';
    case 'compute-report':
      return 'it cannot reach the message queue, or has not started: see its log on the node';
    case 'compute-down':
      return 'see its log and `systemctl status nova-compute` on the node; where several controllers serve the cloud, compare their clocks';
    case 'compute-disabled-itself':
      return 'see libvirtd on the node; the service enables itself as soon as it has libvirt again';
    case 'other-name':
      return `see host under [DEFAULT] in the node's nova.conf, and name nova-compute under the profile's services, so that it waits for the name; then remove the stray service: openstack compute service delete ${missing.service}`;
    case 'hypervisor':
      return 'run nova-manage cell_v2 discover_hosts on the controller, or set discover_hosts_in_cells_interval under [scheduler] there';
    case 'hypervisor-down':
      return 'see libvirtd on the node';
    case 'provider': {
      const id = missing.other?.id;
      return id === undefined
        ? 'see [placement] in the nova.conf of the node: a wrong password shows in its log as 401'
        : `delete it once it has no allocations: openstack resource provider show --allocations ${id}, then openstack resource provider delete ${id}`;
    }
    case 'network-agent':
      return "see the agent's log on the node";
    case 'network-agent-report':
      // neutron-server drops reports with a time before its own start, and logs that at debug level only.
      return "see the agent's log on the node; reports of a node whose clock is far behind are dropped: compare clocks";
  }
}
