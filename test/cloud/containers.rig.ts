import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { buildImages } from '../../src/cli/demoStage.ts';
import { runningStatus } from '../../src/cli/status.ts';
import type { Call, ServiceType } from '../../src/cloud/session.ts';
import { defaultCache } from '../../src/image/cache.ts';
import { openShelf } from '../../src/image/shelf.ts';
import { startController, writeAccess } from '../../src/lab/cloud/controller.ts';
import { controllerRoot } from '../../src/lab/cloud/controllerRoot.ts';
import { copySite } from '../../src/lab/cloud/open.ts';
import { type OpenRack, openRack } from '../../src/lab/open.ts';
import { type Ipv4, parseIpv4 } from '../../src/model/ipv4.ts';
import type { Status } from '../../src/timeline/status.ts';
import { PROGRAM, untilTrue } from '../interop/program.rig.ts';
import { type Container, mountRoot, wakeContainer } from './container.rig.ts';

/**
 * A node of the example's profile `compute`, or of `alone`, which lacks Neutron's agent: what the site says of it, and files
 * laid over its image.
 */
export type ContainerNode = {
  readonly site?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
};

/** The example of a cloud with its controller and our server, and nodes that are containers. */
export type ContainerCloud = {
  readonly rack: OpenRack;
  wake(name: string): Promise<Container>;
  status(): Promise<Status>;
  /** Takes the mistake of a node out of the site and has the node fetch its files. */
  mend(name: string): Promise<void>;
  /** Calls an API of the cloud as its administrator. */
  call(service: ServiceType, path: string, call?: Call): Promise<unknown>;
  close(): Promise<void>;
};

const EXAMPLE = join(import.meta.dirname, '../../examples/cloud');
const IMAGE = 'bookworm-nova';
const ASK = join(import.meta.dirname, 'askCloud.ts');

/** Builds what is missing, starts controller and server, and leaves the nodes switched off. */
export async function openContainers(nodes: Readonly<Record<string, ContainerNode>>): Promise<ContainerCloud> {
  const cache = defaultCache(process.env, process.getuid?.());
  const state = await mkdtemp(join(tmpdir(), 'reveille-containers-'));
  const site = await copySite(EXAMPLE, state);
  const built = join(cache, 'demo-cloud');
  await mkdir(built, { recursive: true });
  const images = openShelf(join(built, 'images'));
  await buildImages(site, built, cache, 'minutes');
  await symlink(join(built, 'images'), join(state, 'images'));
  const root = await controllerRoot(cache, () => {});

  const bridges = [{ name: 'br0', addresses: [{ ip: address('10.0.0.2'), prefix: 24 }] }];
  const rack = await openRack({ bridges, machines: [] }, { folder: join(state, 'lab'), accelerator: 'tcg' });
  const awake: Container[] = [];
  const close = async () => {
    await Promise.all(awake.map((container) => container.end()));
    await rack.close();
    await rm(state, { recursive: true, force: true });
  };
  try {
    const place = { root, folder: join(state, 'lab/controller'), address: { ip: address('10.0.0.10'), prefix: 24 } };
    const { cloudsFile, passwords } = await writeAccess(place);
    await startController(rack, { ...place, bridge: 'br0', onService: () => {} });
    await mkdir(join(site.root, 'secrets'), { recursive: true });
    for (const [name, value] of Object.entries(passwords)) await writeFile(join(site.root, 'secrets', name), value);
    await cp(cloudsFile, join(site.root, 'clouds.yaml'));
    const file = join(site.root, 'site.yaml');
    const places = await writeNodes(file, nodes);
    await rack.startServer({ site: site.root, state });
    const status = async () => await runningStatus(state);
    const { bootUrl } = await status();
    const lower = join(state, 'lab/root');
    await mountRoot(rack, (await images.current(IMAGE))?.root?.path ?? '', lower);
    return {
      rack,
      status,
      close,
      mend: async (name) => {
        const { profiles } = nodes[name]?.site ?? {};
        await writeNodes(file, { ...nodes, [name]: profiles === undefined ? {} : { site: { profiles } } });
        // The server reads the site when it changes.
        await untilTrue(async () => {
          const files = (await status()).nodes.find((node) => node.name === name)?.files;
          return files?.current !== files?.applied;
        });
        const { code, stdout, stderr } = await rack.exec([PROGRAM, 'sync', name, '--state', state]);
        if (code !== 0) throw new Error(`${stdout}${stderr}`);
      },
      call: async (service, path, call = {}) => {
        const asked = [process.execPath, ASK, cloudsFile, service, path, JSON.stringify(call)];
        const { code, stdout, stderr } = await rack.exec(asked);
        if (code !== 0) throw new Error(stderr);
        return JSON.parse(stdout);
      },
      wake: async (name) => {
        const place = places.get(name);
        if (!place) throw new Error(`no node ${name}`);
        // The kernel line that its loader would have given it.
        const { stdout } = await rack.exec(['curl', '--silent', `${bootUrl}/ipxe/${place.mac}`]);
        const kernelLine = /\/vmlinuz (.*) \|\| goto/.exec(stdout)?.[1];
        if (kernelLine === undefined) throw new Error(`no boot script for ${name}: ${stdout}`);
        const files = nodes[name]?.files ?? {};
        const at = { name, ...place, kernelLine, root: lower, folder: join(state, 'lab'), files };
        const container = await wakeContainer(rack, at);
        awake.push(container);
        return container;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type ExampleSite = {
  readonly profiles: Record<string, { readonly services?: readonly string[] | undefined }>;
  nodes: Record<string, unknown>;
};

/** Gives each node a MAC and an IP address and puts it into the example's site in place of its own. */
async function writeNodes(file: string, nodes: Readonly<Record<string, ContainerNode>>) {
  const site = parse(await readFile(file, 'utf8')) as ExampleSite;
  const places = new Map<string, { readonly mac: string; readonly address: string }>();
  const { compute } = site.profiles;
  site.profiles.alone = {
    ...compute,
    services: compute?.services?.filter((name) => !name.startsWith('neutron-')),
  };
  site.nodes = { controller: site.nodes.controller };
  Object.entries(nodes).forEach(([name, node], index) => {
    const number = 50 + index;
    const mac = `52:54:00:00:00:${number}`;
    site.nodes[name] = { mac, ip: `10.0.0.${number}`, profiles: ['compute'], ...node.site };
    places.set(name, { mac, address: `10.0.0.${number}/24` });
  });
  await writeFile(file, stringify(site));
  return places;
}

function address(text: string): Ipv4 {
  const ip = parseIpv4(text);
  if (ip === undefined) throw new Error(text);
  return ip;
}
