import { ReveilleError } from '../errors.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { type Boot, failedByServices } from '../timeline/boots.ts';
import { cloudsFiles, readCloud } from './clouds.ts';
import type { Expected } from './inService.ts';
import { type CloudSession, openSession } from './session.ts';

const COMPUTE = /^nova-compute(\.service)?$/;
const NETWORK_AGENT = /^(neutron-(?:linuxbridge|openvswitch|macvtap|sriov-nic)-agent)(?:\.service)?$/;

/** Whether a node is to run instances: nova-compute is among its services. */
export function isComputeNode({ services }: Pick<SiteNode, 'services'>): boolean {
  return services.some((service) => COMPUTE.test(service));
}

/**
 * The nodes that should be in service now: those with nova-compute among their services whose newest boot is ready, or lacks
 * nothing but services.
 */
export function expectedInService(site: Site, newestBoot: (node: string) => Boot | undefined): readonly Expected[] {
  if (site.cloud === undefined) return [];
  return [...site.nodes.values()].flatMap(({ name, ip, services }) => {
    const boot = newestBoot(name);
    if (!boot || !isComputeNode({ services })) return [];
    if (boot.state !== 'ready' && !failedByServices(boot)) return [];
    const networkAgents = services.flatMap((service) => NETWORK_AGENT.exec(service)?.[1] ?? []);
    return [
      { node: name, ...(ip === undefined ? {} : { ip: formatIpv4(ip) }), bootedAt: boot.startedAt, networkAgents },
    ];
  });
}

/** Does something with a session of the site's cloud. Throws CLOUD_INVALID, CLOUD_UNREACHABLE or CLOUD_REFUSED. */
export type WithCloud = <T>(use: (session: CloudSession) => Promise<T>) => Promise<T>;

/**
 * The way to the site's cloud. The session lasts until the settings change or a call fails: then clouds.yaml is read anew, so
 * that a mended password counts at once.
 */
export function cloudOf(settings: () => Site['cloud'], env: NodeJS.ProcessEnv): WithCloud {
  let open: { readonly settings: string; readonly session: CloudSession } | undefined;
  return async (use) => {
    const { name = env.OS_CLOUD, file } = settings() ?? {};
    if (!name) {
      throw new ReveilleError('CLOUD_INVALID', 'no cloud is named', {
        hint: 'set cloud.name in site.yaml, or OS_CLOUD',
      });
    }
    const now = JSON.stringify([name, file]);
    if (open?.settings !== now) {
      const files = file === undefined ? cloudsFiles(env) : [file];
      open = { settings: now, session: openSession(await readCloud(name, files)) };
    }
    try {
      return await use(open.session);
    } catch (error) {
      open = undefined;
      throw error;
    }
  };
}
