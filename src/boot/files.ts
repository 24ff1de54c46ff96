import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileFacts, FileRole } from '../model/bootFile.ts';
import type { BootServer } from '../model/bootServer.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { parseMac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { WireNode } from '../model/node.ts';
import { CONFIGURATIONS } from './configurations.ts';
import { fileInside, seeInside } from './confine.ts';
import { type ImageFileName, imageFileName, ROLE_IN_IMAGE } from './image.ts';
import { type MenuNode, type MenuNodeFrom, menuNode } from './menuNode.ts';
import { type Configuration, isLoaderName, METHODS, packagedFile } from './methods.ts';
import { pxelinuxConfig } from './pxelinux.ts';
import type { BootSite } from './site.ts';
import type { BootFile, FileSource } from './source.ts';

/** What the boot files are made from. Each is asked anew at every request, so that an edit shows at once. */
export type BootFilesFrom = MenuNodeFrom & {
  readonly site: () => BootSite;
  /** The network's own server address, declared or found on the interface. */
  readonly serverOf: (network: Network) => BootServer | undefined;
  /** The network that an address is in: it decides for clients that the site does not list. */
  readonly networkOf: (ip: Ipv4) => Network | undefined;
  /** A file of the image of this SHA-256, with the file's own SHA-256. */
  readonly imageFile: (sha256: string, which: ImageFileName) => Promise<ImageFile | undefined>;
};

export type ImageFile = { readonly path: string; readonly sha256: string };

/**
 * Everything that can be fetched by TFTP, looked up in this order: generated pxelinux configuration, images, the nodes'
 * folders, the operator's own files, and last the loaders from Debian's packages, so that an operator's copy of a
 * loader wins.
 */
export function tftpFiles(from: BootFilesFrom, methods = METHODS): FileSource {
  return async (name, client) =>
    (await generatedConfig(from, name, client)) ??
    (await imageFile(from, name, 'tftp')) ??
    (await nodeFolderFile(from.site(), name)) ??
    (await operatorFile(from.site(), name)) ??
    (await packaged(name, 'tftp', methods));
}

/**
 * What can be fetched by HTTP below `/boot/`: what lies on disk (`httpDiskFiles`), and for each method that gives a configuration its folder, by MAC
 * address.
 */
export function httpFiles(from: BootFilesFrom, methods = METHODS): FileSource {
  const onDisk = httpDiskFiles({ tftp: () => from.site().tftp, imageFile: from.imageFile }, methods);
  return async (name, client) => {
    if (isOnDisk(name)) return onDisk(name, client);
    const [folder, ...rest] = name.split('/');
    for (const method of methods) {
      if (method.gives !== 'configuration' || method.folder !== folder) continue;
      const site = from.site();
      const mac = parseMac(rest.join('/'));
      const asking = mac && (await menuNode(from, site.nodeByMac.get(mac), mac));
      const made = asking && configurationFor(asking, method.configuration, { site, from, client });
      return made && { ...made, mac };
    }
    return undefined;
  };
}

export type HttpDiskFilesFrom = Pick<BootFilesFrom, 'imageFile'> & { readonly tftp: () => BootSite['tftp'] };

/**
 * The part of `httpFiles` that no node and no network decides on: `images/<sha256>/` with squashfs roots too, `files/` with the operator's own
 * files and the packaged loaders that firmware fetches by HTTP.
 */
export function httpDiskFiles(from: HttpDiskFilesFrom, methods = METHODS): FileSource {
  return async (name) => {
    if (name.startsWith('images/')) return imageFile(from, name, 'http');
    const file = name.slice('files/'.length);
    return (await operatorFile({ tftp: from.tftp() }, file)) ?? (await packaged(file, 'http', methods));
  };
}

/** Whether `httpDiskFiles` knows what is at this name. */
export function isOnDisk(name: string): boolean {
  return name.startsWith('images/') || name.startsWith('files/');
}

/** Only the operator's own files below `tftp.root`. */
async function operatorFile(site: Pick<BootSite, 'tftp'>, name: string): Promise<BootFile | undefined> {
  if (site.tftp.root === undefined || name === '') return undefined;
  const file = await seeInside(site.tftp.root, name);
  return file && { kind: 'file', ...file, role: roleByName(name) };
}

/** What one of the operator's own files is to a boot. */
function roleByName(name: string): FileRole {
  if (/(^|\/)pxelinux\.cfg\//.test(name)) return 'script';
  return isLoaderName(name) ? 'loader' : 'file';
}

/** The configuration of a node, for the client that asks; `undefined` where this machine has no address for the node's network. */
function configurationFor(
  asking: MenuNode,
  by: Configuration,
  { site, from, client }: { readonly site: BootSite; readonly from: BootFilesFrom; readonly client: Ipv4 },
): BootFile | undefined {
  const server = serverFor(from, site.networks.get(asking.node.network ?? '') ?? from.networkOf(client));
  return server && script(CONFIGURATIONS[by](site.name, site.menu, server, asking));
}

function serverFor(from: BootFilesFrom, network: Network | undefined): BootServer | undefined {
  return network && from.serverOf(network);
}

/**
 * `pxelinux.cfg/01-<mac>` and `pxelinux.cfg/<ip in hex>` belong to the node they name; `default` to the node whose
 * address asks, else to machines that the site does not list, which get the site's menu if it has entries. For any other name the
 * operator's own files are looked through.
 */
async function generatedConfig(from: BootFilesFrom, name: string, client: Ipv4): Promise<BootFile | undefined> {
  const file = /^pxelinux\.cfg\/(.+)$/.exec(name)?.[1];
  if (file === undefined) return undefined;
  const site = from.site();
  const asking = await menuNode(from, nodeOfConfig(site, file, client), macOfConfig(file));
  if (asking) return configurationFor(asking, 'pxelinux', { site, from, client });
  if (file !== 'default') return undefined;
  const own = await operatorFile(site, name);
  if (own && site.menu.entries.length === 0) return own;
  const server = serverFor(from, from.networkOf(client));
  return server && script(pxelinuxConfig(site.name, site.menu, server));
}

function macOfConfig(file: string) {
  return file.startsWith('01-') ? parseMac(file.slice('01-'.length)) : undefined;
}

function nodeOfConfig(site: BootSite, file: string, client: Ipv4): WireNode | undefined {
  const mac = macOfConfig(file);
  if (mac) return site.nodeByMac.get(mac);
  if (/^[0-9A-Fa-f]{8}$/.test(file)) return site.nodeByIp.get(Number.parseInt(file, 16) as Ipv4);
  return file === 'default' ? site.nodeByIp.get(client) : undefined;
}

/** A squashfs root is not given by TFTP, which cannot go on where a transfer was cut. */
async function imageFile(
  from: Pick<BootFilesFrom, 'imageFile'>,
  name: string,
  transport: 'tftp' | 'http',
): Promise<BootFile | undefined> {
  const [, sha256, file = ''] = /^images\/([0-9a-f]{64})\/([a-z.]+)$/.exec(name) ?? [];
  const which = imageFileName(file);
  if (sha256 === undefined || which === undefined || (which === 'root.squashfs' && transport === 'tftp'))
    return undefined;
  const shelved = await from.imageFile(sha256, which);
  return (
    shelved && { kind: 'file', path: shelved.path, sha256: shelved.sha256, role: ROLE_IN_IMAGE[which], image: sha256 }
  );
}

/** Scripts in old images fetch these and do not identify themselves: served whatever their modes, as long as they lie in `nodes/`. */
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

async function packaged(
  name: string,
  transport: 'tftp' | 'http',
  methods: typeof METHODS,
): Promise<BootFile | undefined> {
  const path = packagedFile(name, transport, methods);
  return path === undefined ? undefined : found(await fileInside(dirname(path), basename(path)), { role: 'loader' });
}

function found(path: string | undefined, facts: FileFacts): BootFile | undefined {
  return path === undefined ? undefined : { kind: 'file', path, ...facts };
}

function script(content: string): BootFile {
  return { kind: 'bytes', bytes: Buffer.from(content), role: 'script' };
}
