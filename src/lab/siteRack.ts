import { createHash } from 'node:crypto';
import { ReveilleError } from '../errors.ts';
import { formatIpv4, formatSubnet, type Ipv4, inRange } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import type { Bridge, LabFirmware, LabMachine, Nic, NicModel, Rack } from './rack.ts';

export type MachineShape = {
  readonly memoryMb: number;
  readonly nicModel: NicModel;
  readonly firmware: LabFirmware;
  /** Cards of each machine. A node's own MAC addresses come first; missing ones are made up. */
  readonly nics: number;
};

export const DEFAULT_SHAPE: MachineShape = { memoryMb: 1024, nicModel: 'virtio-net-pci', firmware: 'bios', nics: 1 };

/**
 * The virtual rack of a site: a bridge for each interface that its networks name, with the server's address in each of them, and
 * a machine for each node with an image. Throws LAB_FAILED for a site that no rack can represent.
 */
export function rackOfSite(site: Site, shape: MachineShape = DEFAULT_SHAPE): Rack {
  const bridges = new Map<string, Bridge>();
  for (const network of site.networks.values()) {
    if (network.interface === undefined) continue;
    const earlier = bridges.get(network.interface)?.addresses ?? [];
    const address = { ip: network.server ?? freeAddress(site, network), prefix: network.subnet.prefix };
    bridges.set(network.interface, { name: network.interface, addresses: [...earlier, address] });
  }
  const machines = [...site.nodes.values()]
    .filter((node) => (node.image ?? node.boot) !== undefined)
    .map((node) => machineOf(node, bridgeOf(site, node, [...bridges.keys()]), shape));
  if (machines.length === 0) {
    throw new ReveilleError(
      'LAB_FAILED',
      `the site ${site.name} has no node that boots an image, so the rack would be empty`,
    );
  }
  return { bridges: [...bridges.values()], machines };
}

/** The first host address that the site does not use, for a server whose address the site leaves to the interface. */
function freeAddress(site: Site, network: Network): Ipv4 {
  for (let ip = (network.subnet.base + 1) as Ipv4; ip < network.broadcast; ip = (ip + 1) as Ipv4) {
    const taken =
      ip === network.gateway ||
      network.dns.includes(ip) ||
      site.nodeByIp.has(ip) ||
      network.pools.some((pool) => inRange(pool.range, ip));
    if (!taken) return ip;
  }
  throw new ReveilleError('LAB_FAILED', `no address of ${formatSubnet(network.subnet)} is free for the server`, {
    hint: `Declare networks.${network.name}.server.`,
  });
}

function bridgeOf(site: Site, node: SiteNode, bridges: readonly string[]): string {
  const network = node.network === undefined ? undefined : site.networks.get(node.network);
  const bridge = network === undefined ? bridges[0] : network.interface;
  if (bridge !== undefined) return bridge;
  const where = node.ip === undefined ? '' : ` (${formatIpv4(node.ip)})`;
  throw new ReveilleError('LAB_FAILED', `${node.name}${where} lies in a network without an interface`, {
    hint: 'A rack has no relays: give the network an interface, or the lab a site without it.',
  });
}

function machineOf(node: SiteNode, bridge: string, shape: MachineShape): LabMachine {
  const nic = (mac: Mac): Nic => ({ mac, model: shape.nicModel, bridge });
  const [first, ...others] = node.macs;
  const made = Array.from({ length: Math.max(0, shape.nics - node.macs.length) }, (_, i) => madeUpMac(node.name, i));
  return {
    name: node.name,
    nics: [nic(first), ...[...others, ...made].map(nic)],
    memoryMb: shape.memoryMb,
    firmware: shape.firmware,
    uuid: uuidOf(first),
    serial: `LAB-${first.replaceAll(':', '').toUpperCase()}`,
  };
}

/** The same for the same node at every start; locally administered, so that no real card has it. */
function madeUpMac(node: string, index: number): Mac {
  const hash = createHash('sha256').update(`${node} ${index}`).digest('hex');
  const mac = parseMac(`52:55:${hash.slice(0, 8).replace(/..(?=.)/g, '$&:')}`);
  if (mac === undefined) throw new Error(`no MAC address for card ${index} of ${node}`);
  return mac;
}

/** A version 4 UUID, in the form of SMBIOS and option 97, made from the MAC address. */
export function uuidOf(mac: Mac): string {
  const hash = createHash('sha256').update(mac).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
