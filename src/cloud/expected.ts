import { ReveilleError } from '../errors.ts';
import { formatIpv4 } from '../net/ipv4.ts';
import type { Site } from '../site/model.ts';
import type { Boot } from '../timeline/boots.ts';
import { cloudsFiles, readCloud } from './clouds.ts';
import type { Expected } from './inService.ts';
import { type CloudSession, openSession } from './session.ts';
import { type CloudView, readCloudView } from './view.ts';

const COMPUTE = /^nova-compute(\.service)?$/;
const NETWORK_AGENT = /^neutron-(linuxbridge|openvswitch|macvtap|sriov-nic)-agent(\.service)?$/;

/** The nodes that should be in service now: those with nova-compute among their services whose newest boot is ready. */
export function expectedInService(site: Site, newestBoot: (node: string) => Boot | undefined): readonly Expected[] {
  if (site.cloud === undefined) return [];
  return [...site.nodes.values()].flatMap(({ name, ip, services }) => {
    const boot = newestBoot(name);
    if (boot?.state !== 'ready' || !services.some((service) => COMPUTE.test(service))) return [];
    const networkAgent = services.some((service) => NETWORK_AGENT.test(service));
    return [
      { node: name, ...(ip === undefined ? {} : { ip: formatIpv4(ip) }), bootedAt: boot.startedAt, networkAgent },
    ];
  });
}

/**
 * Asks the site's cloud. Its session lasts until the settings change or a call fails: then clouds.yaml is read anew, so that a
 * mended password counts at once. Throws CLOUD_INVALID, CLOUD_UNREACHABLE or CLOUD_REFUSED.
 */
export function cloudView(settings: () => Site['cloud'], env: NodeJS.ProcessEnv): () => Promise<CloudView> {
  let open: { readonly settings: string; readonly session: CloudSession } | undefined;
  return async () => {
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
      return await readCloudView(open.session);
    } catch (error) {
      open = undefined;
      throw error;
    }
  };
}
