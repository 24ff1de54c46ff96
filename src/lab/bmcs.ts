import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import type { SiteSecrets } from '../node/siteSecrets.ts';
import type { Site } from '../site/site.ts';
import { startIpmiSim, type VirtualBmc } from './ipmiSim.ts';
import type { OpenRack } from './open.ts';
import type { Rack } from './rack.ts';

/** A BMC without the machine behind it. */
export type LabBmc = Omit<VirtualBmc, 'chassis'>;

/**
 * The BMCs of a rack: those of its machines that the site reaches over IPMI by an address. Others are not simulated. Throws
 * SECRET_MISSING.
 */
export async function bmcsOf(rack: Rack, site: Site, secrets: SiteSecrets): Promise<readonly LabBmc[]> {
  const bmcs = rack.machines.map(async ({ name }): Promise<readonly LabBmc[]> => {
    const bmc = site.nodes.get(name)?.bmc;
    if (bmc?.kind !== 'ipmi' || parseIpv4(bmc.address) === undefined) return [];
    const { address, port, user } = bmc;
    const { vars } = await secrets.reveal({ password: bmc.password });
    return [{ name, address, port, user, password: String(vars.password) }];
  });
  return (await Promise.all(bmcs)).flat();
}

const CHASSIS = join(import.meta.dirname, 'chassis.ts');

/**
 * Starts BMCs inside a rack, at their addresses; each switches its machine by a request to the rack at `socket`. They end with
 * the rack. Throws TOOL_MISSING or LAB_FAILED.
 */
export async function startBmcs(
  rack: Pick<OpenRack, 'exec' | 'spawn'>,
  bmcs: readonly LabBmc[],
  { folder, socket }: { readonly folder: string; readonly socket: string },
): Promise<void> {
  for (const address of new Set(bmcs.map((bmc) => bmc.address))) {
    const given = await rack.exec(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo']);
    if (given.code === 0) continue;
    throw new ReveilleError('LAB_FAILED', `the rack cannot have a BMC at ${address}: ${given.stderr.trim()}`);
  }
  const start = (bmc: LabBmc) => {
    const chassis = [process.execPath, CHASSIS, socket, bmc.name].map(quoted).join(' ');
    return startIpmiSim({ ...bmc, chassis }, folder, rack.spawn);
  };
  await Promise.all(bmcs.map(start));
}

/** A word quoted for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
