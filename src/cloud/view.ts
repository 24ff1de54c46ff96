import { z } from 'zod';
import { ReveilleError } from '../errors.ts';
import type { CloudSession } from './session.ts';

/** A service of Nova on a host, as `openstack compute service list` shows it. */
export type ComputeService = {
  readonly id: string;
  readonly host: string;
  readonly up: boolean;
  readonly enabled: boolean;
  /** Why it is disabled, in the words of the one who disabled it. */
  readonly disabledReason?: string;
  /** When it last reported, milliseconds since the epoch by the cloud's clock; absent if it never did. */
  readonly updatedAt?: number;
};

export type Hypervisor = {
  readonly id: string;
  /** What libvirt calls the machine: its full host name. */
  readonly name: string;
  /** The host of the compute service that it belongs to. */
  readonly host: string;
  /** Its address as its nova.conf has it (`my_ip`), in whatever form. */
  readonly ip?: string;
  readonly up: boolean;
};

/** A Neutron agent that wires instances: linuxbridge, openvswitch and the like. */
export type NetworkAgent = {
  readonly id: string;
  readonly host: string;
  readonly binary: string;
  readonly alive: boolean;
  readonly heartbeatAt?: number;
};

/** What Placement counts the resources of: for a hypervisor, one of the same id and name. */
export type Provider = { readonly id: string; readonly name: string };

/** The cloud's records of its compute nodes at one moment. */
export type CloudView = {
  readonly services: readonly ComputeService[];
  readonly hypervisors: readonly Hypervisor[];
  readonly agents: readonly NetworkAgent[];
  /** The resource providers that Placement has. */
  readonly providers: readonly Provider[];
  /** How much the cloud's clock is ahead of this machine's (behind: negative), in milliseconds. */
  readonly clockAheadMs: number;
};

const time = z
  .string()
  .nullish()
  // Nova and Neutron give UTC without a zone.
  .transform((text) => (text ? Date.parse(`${text.replace(' ', 'T').replace(/(Z|\+00:00)$/, '')}Z`) : undefined));

const servicesSchema = z.object({
  services: z.array(
    z.object({
      id: z.union([z.string(), z.number()]).transform(String),
      binary: z.string(),
      host: z.string(),
      state: z.string(),
      status: z.string(),
      disabled_reason: z.string().nullish(),
      updated_at: time,
    }),
  ),
});
const hypervisorsSchema = z.object({
  hypervisors: z.array(
    z.object({
      id: z.union([z.string(), z.number()]).transform(String),
      hypervisor_hostname: z.string(),
      host_ip: z.string().nullish(),
      state: z.string(),
      service: z.object({ host: z.string() }),
    }),
  ),
});
const agentsSchema = z.object({
  agents: z.array(
    z.object({
      id: z.string(),
      host: z.string(),
      binary: z.string(),
      alive: z.boolean(),
      heartbeat_timestamp: time,
    }),
  ),
});
const providersSchema = z.object({ resource_providers: z.array(z.object({ uuid: z.string(), name: z.string() })) });

/** The microversion with UUIDs as ids of services and hypervisors (Nova since Pike). */
export const COMPUTE_VERSION = '2.53';
/** A cloud may have no Neutron agents (OVN) that wire nodes: these are the ones that do. */
const WIRING = /^neutron-(linuxbridge|openvswitch|macvtap|sriov-nic)-agent$/;

/** Asks the cloud about all of its compute nodes: four calls at once. */
export async function readCloudView(session: CloudSession): Promise<CloudView> {
  const [services, hypervisors, agents, providers] = await Promise.all([
    session.call('compute', '/os-services?binary=nova-compute', { microversion: COMPUTE_VERSION }),
    session.call('compute', '/os-hypervisors/detail', { microversion: COMPUTE_VERSION }),
    session.call('network', '/v2.0/agents'),
    session.call('placement', '/resource_providers', { microversion: '1.14' }),
  ]);
  return {
    services: read(servicesSchema, services, 'compute').services.map(
      ({ id, host, state, status, disabled_reason, updated_at }) => ({
        id,
        host,
        up: state === 'up',
        enabled: status === 'enabled',
        ...(disabled_reason ? { disabledReason: disabled_reason } : {}),
        ...(updated_at === undefined ? {} : { updatedAt: updated_at }),
      }),
    ),
    hypervisors: read(hypervisorsSchema, hypervisors, 'compute').hypervisors.map((one) => ({
      id: one.id,
      name: one.hypervisor_hostname,
      host: one.service.host,
      ...(one.host_ip ? { ip: one.host_ip } : {}),
      up: one.state === 'up',
    })),
    agents: read(agentsSchema, agents, 'network')
      .agents.filter(({ binary }) => WIRING.test(binary))
      .map(({ id, host, binary, alive, heartbeat_timestamp }) => ({
        id,
        host,
        binary,
        alive,
        ...(heartbeat_timestamp === undefined ? {} : { heartbeatAt: heartbeat_timestamp }),
      })),
    providers: read(providersSchema, providers, 'placement').resource_providers.map(({ uuid, name }) => ({
      id: uuid,
      name,
    })),
    clockAheadMs: session.clockAheadMs(),
  };
}

/** What a service answered, held against what we know of its form. Throws CLOUD_REFUSED. */
export function read<T>(schema: z.ZodType<T>, answer: unknown, service: string): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ReveilleError(
    'CLOUD_REFUSED',
    `the ${service} service answers in another form than known: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}
