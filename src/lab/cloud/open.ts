import { existsSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ReveilleError } from '../../errors.ts';
import type { RootStep } from '../../image/mmdebstrap.ts';
import type { Ipv4 } from '../../model/ipv4.ts';
import { siteInvalid } from '../../site/invalid.ts';
import { loadSite } from '../../site/load.ts';
import type { Site } from '../../site/site.ts';
import { labFolder } from '../hold.ts';
import { type LabServer, type OpenRack, openRack } from '../open.ts';
import { DEFAULT_SHAPE, rackOfSite } from '../siteRack.ts';
import { type Access, type Controller, startController, writeAccess } from './controller.ts';
import { controllerRoot } from './controllerRoot.ts';
import { type CloudOperator, openOperator } from './operator.ts';

/** A rack with a real controller and the real server in it; its machines are off at first. */
export type LabCloud = {
  readonly rack: OpenRack;
  readonly site: Site;
  readonly server: LabServer;
  readonly access: Access;
  readonly controller: Controller;
  readonly operator: CloudOperator;
  /** Ends machines, server and controller. */
  close(): Promise<void>;
};

export type LabCloudOptions = {
  /** State folder; its shelf holds the images of the site. */
  readonly state: string;
  readonly cache: string;
  readonly memoryMb: number;
  readonly onStep: (step: RootStep) => void;
  /** Runs before the controller starts; the server answers already. */
  readonly meanwhile?: (rack: OpenRack) => Promise<void>;
};

/** The node of the site whose address the controller takes. */
const CONTROLLER = 'controller';

/** Distinguishes a copy from another folder with the name `site`. */
const MARK = '.lab-copy';

/**
 * Copies the site to where a lab cloud serves it from, `<state>/site`, and loads it: the lab's passwords must not come into the
 * operator's own folder. An earlier copy is replaced. Throws SITE_INVALID; LAB_FAILED if one of the folders is inside the other;
 * FOLDER_TAKEN if `<state>/site` is no copy.
 */
export async function copySite(from: string, state: string): Promise<Site> {
  const folder = join(resolve(state), 'site');
  if (`${folder}/`.startsWith(`${resolve(from)}/`) || `${resolve(from)}/`.startsWith(`${folder}/`)) {
    throw new ReveilleError('LAB_FAILED', `the lab cloud would copy the site ${from} into itself`, {
      hint: 'choose a state folder outside of the site',
    });
  }
  if (existsSync(folder) && !existsSync(join(folder, MARK))) {
    throw new ReveilleError('FOLDER_TAKEN', `${folder} is there already, and is no copy of a lab's`, {
      hint: 'choose a state folder of its own for the lab',
    });
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, MARK), '');
  await cp(from, folder, { recursive: true });
  const loaded = await loadSite(folder);
  if (loaded.ok) return loaded.site;
  throw siteInvalid(folder, loaded.findings);
}

/**
 * Builds what is missing of the controller and starts rack, server and controller. Throws a ReveilleError after it has ended what
 * it started.
 */
export async function openLabCloud(site: Site, options: LabCloudOptions): Promise<LabCloud> {
  const { state, cache, memoryMb, onStep, meanwhile } = options;
  const address = controllerAddress(site);
  const place = { root: await controllerRoot(cache, onStep), folder: join(labFolder(state), 'controller'), address };
  const rack = await openRack(rackOfSite(site, { ...DEFAULT_SHAPE, memoryMb, nics: 2 }), { folder: labFolder(state) });
  try {
    const access = await writeAccess(place);
    await handOver(access, site.root);
    const server = await rack.startServer({ site: site.root, state });
    await meanwhile?.(rack);
    const bridge = rack.rack.bridges[0]?.name ?? '';
    const onService = (name: string) => onStep({ doing: `${name} answers` });
    const controller = await startController(rack, { ...place, bridge, onService });
    const operator = openOperator(rack, access.cloudsFile, join(state, 'images'));
    return {
      rack,
      site,
      server,
      access,
      controller,
      operator,
      close: async () => {
        operator.close();
        await server.stop();
        await controller.stop();
        await rack.close();
      },
    };
  } catch (error) {
    await rack.close();
    throw error;
  }
}

function controllerAddress(site: Site): { readonly ip: Ipv4; readonly prefix: number } {
  const node = site.nodes.get(CONTROLLER);
  const network = site.networks.get(node?.network ?? '');
  if (node?.ip !== undefined && network) return { ip: node.ip, prefix: network.subnet.prefix };
  throw new ReveilleError('LAB_FAILED', `the site ${site.name} has no node "${CONTROLLER}" with an address`, {
    hint: `add nodes: ${CONTROLLER}: { mac: 52:54:00:00:00:10, ip: ... }`,
  });
}

/** Writes the controller's passwords and its clouds.yaml to the paths that the site names. */
async function handOver({ cloudsFile, passwords }: Access, site: string): Promise<void> {
  await mkdir(join(site, 'secrets'), { recursive: true, mode: 0o700 });
  for (const [name, value] of Object.entries(passwords)) {
    await writeFile(join(site, 'secrets', name), `${value}\n`, { mode: 0o600 });
  }
  await cp(cloudsFile, join(site, 'clouds.yaml'));
}
