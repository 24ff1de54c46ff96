import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileFacts, FileRole } from '../model/bootFile.ts';
import type { BootServer } from '../model/bootServer.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { fileInside, seeInside } from './confine.ts';
import { type BootImage, type ImageFileName, imageFileName, ROLE_IN_IMAGE } from './image.ts';
import { loaderByFile, PXELINUX_MODULES } from './loaders.ts';
import { type MenuNode, pxelinuxConfig } from './pxelinux.ts';
import type { BootSite } from './site.ts';
import type { BootFile, FileSource } from './source.ts';

/** What the boot files are made from. Each is asked anew at every request, so that an edit shows at once. */
export type BootFilesFrom = {
  readonly site: () => BootSite;
  /** The network's own server address, declared or found on the interface. */
  readonly serverOf: (network: Network) => BootServer | undefined;
  /** The address that a client used to reach us decides for strangers: the server in the network they are in. */
  readonly networkOf: (ip: Ipv4) => Network | undefined;
  /** The image that a node boots: the one that it is pinned to, else what its image's name stands for. */
  readonly imageOf: (node: SiteNode) => Promise<BootImage | undefined>;
  /** The node's machine-id; `undefined` where it cannot be told now. Never rejects: a boot does not wait for the state. */
  readonly machineIdOf: (node: string) => Promise<string | undefined>;
  readonly imageFile: (sha256: string, which: ImageFileName) => Promise<string | undefined>;
};

/**
 * Everything that can be fetched by TFTP, looked up in this order: generated pxelinux configuration, images, the nodes'
 * folders, the operator's own files, and last the loaders from Debian's packages, so that an operator's copy of a
 * loader wins.
 */
export function bootFiles(from: BootFilesFrom): FileSource {
  return async (name, client) =>
    (await generatedConfig(from, name, client)) ??
    (await imageFile(from, name)) ??
    (await nodeFolderFile(from.site(), name)) ??
    (await operatorFile(from.site(), name)) ??
    (await packagedLoader(name));
}

/** Only the operator's own files below `tftp.root`. */
export async function operatorFile(site: BootSite, name: string): Promise<BootFile | undefined> {
  const file = site.tftp.root === undefined ? undefined : await seeInside(site.tftp.root, name);
  return file && { kind: 'file', ...file, role: roleByName(name) };
}

/** What one of the operator's own files is to a boot. */
function roleByName(name: string): FileRole {
  if (/(^|\/)pxelinux\.cfg\//.test(name)) return 'script';
  return /(\.c32|\.kpxe|\.efi|pxelinux\.0)$/.test(name) ? 'loader' : 'file';
}

/**
 * `pxelinux.cfg/01-<mac>` and `pxelinux.cfg/<ip in hex>` belong to the node they name; `default` to the node whose
 * address asks, else to strangers, who get the site's menu if it has entries. What the site has nothing to say about is
 * left to the operator's own files.
 */
async function generatedConfig(from: BootFilesFrom, name: string, client: Ipv4): Promise<BootFile | undefined> {
  const file = /^pxelinux\.cfg\/(.+)$/.exec(name)?.[1];
  if (file === undefined) return undefined;
  const site = from.site();
  const asking = await menuNode(from, nodeOfConfig(site, file, client), macOfConfig(file));
  if (asking) {
    const network = site.networks.get(asking.node.network ?? '') ?? from.networkOf(client);
    const server = network && from.serverOf(network);
    return server && script(pxelinuxConfig(site.name, site.menu, server, asking));
  }
  if (file !== 'default') return undefined;
  const own = await operatorFile(site, name);
  if (own && site.menu.entries.length === 0) return own;
  const network = from.networkOf(client);
  const server = network && from.serverOf(network);
  return server && script(pxelinuxConfig(site.name, site.menu, server));
}

function macOfConfig(file: string) {
  return file.startsWith('01-') ? parseMac(file.slice('01-'.length)) : undefined;
}

function nodeOfConfig(site: BootSite, file: string, client: Ipv4): SiteNode | undefined {
  const mac = macOfConfig(file);
  if (mac) return site.nodeByMac.get(mac);
  if (/^[0-9A-Fa-f]{8}$/.test(file)) return site.nodeByIp.get(Number.parseInt(file, 16) as Ipv4);
  return file === 'default' ? site.nodeByIp.get(client) : undefined;
}

/** A node that is told to boot and, where that is an image, what of it is built. */
export async function menuNode(
  from: Pick<BootFilesFrom, 'imageOf' | 'machineIdOf'>,
  node: SiteNode | undefined,
  mac = node?.macs[0],
): Promise<MenuNode | undefined> {
  if (node === undefined || mac === undefined || (node.image ?? node.boot) === undefined) return undefined;
  const built = node.image === undefined ? undefined : await from.imageOf(node);
  if (built === undefined) return { node, mac };
  const machineId = await from.machineIdOf(node.name);
  return { node, mac, built, ...(machineId === undefined ? {} : { machineId }) };
}

/** A squashfs root is not given by TFTP, which cannot go on where a transfer was cut. */
async function imageFile(from: BootFilesFrom, name: string): Promise<BootFile | undefined> {
  const [, sha256, file = ''] = /^images\/([0-9a-f]{64})\/([a-z.]+)$/.exec(name) ?? [];
  const which = imageFileName(file);
  if (sha256 === undefined || which === undefined || which === 'root.squashfs') return undefined;
  return found(await from.imageFile(sha256, which), { role: ROLE_IN_IMAGE[which], image: sha256 });
}

/** Old scripts fetch these without a word of who they are, whatever their modes, as long as they lie in `nodes/`. */
const FOR_SCRIPTS = /^(?:hosts|hostname|settings\.sh)$/;

/**
 * `10-0-0-51/hosts` or `node01/hosts`: what the site keeps below `nodes/`, links into the site followed, for plain TFTP clients. Anyone
 * on the network may ask: of the rest, what others cannot read on this machine is not there.
 */
async function nodeFolderFile(site: BootSite, name: string): Promise<BootFile | undefined> {
  const slash = name.indexOf('/');
  if (slash < 0) return undefined;
  const seen = await seeInside(site.root, `nodes/${name}`);
  if (seen === undefined) return undefined;
  const rest = name.slice(slash + 1);
  const own = FOR_SCRIPTS.test(rest) && (await seeInside(join(site.root, 'nodes'), name)) !== undefined;
  if (!own && !(await isOpen(join(site.root, 'nodes', name.slice(0, slash)), rest))) return undefined;
  return found(seen.path, { role: 'file' });
}

/** Whether others may read `name` below `folder`, and every folder on its way. */
async function isOpen(folder: string, name: string): Promise<boolean> {
  const parts = name.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const about = await stat(join(folder, ...parts.slice(0, i))).catch(() => undefined);
    if (about === undefined || (about.mode & 0o004) === 0) return false;
  }
  return true;
}

async function packagedLoader(name: string): Promise<BootFile | undefined> {
  const loader = loaderByFile(name);
  if (loader) return found(await fileInside(join(loader.path, '..'), loader.file), { role: 'loader' });
  return /^[A-Za-z0-9_-]+\.c32$/.test(name)
    ? found(await fileInside(PXELINUX_MODULES, name), { role: 'loader' })
    : undefined;
}

function found(path: string | undefined, facts: FileFacts): BootFile | undefined {
  return path === undefined ? undefined : { kind: 'file', path, ...facts };
}

function script(content: string): BootFile {
  return { kind: 'bytes', bytes: Buffer.from(content), role: 'script' };
}
