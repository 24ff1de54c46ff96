import { formatIpv4 } from '../net/ipv4.ts';
import { bootif, type Mac } from '../net/mac.ts';
import type { MenuEntry, SiteNode } from '../site/model.ts';
import { type BootServer, serverUrl } from './server.ts';

/**
 * The kernel line of a node's own image, without `initrd=`, which each loader says in its own way. The agent on the node
 * reads the `reveille.` words and BOOTIF. `rootfstype=ramfs` lets the root grow past half of the RAM, where a tmpfs
 * would stop. `TFTP=` is last because scripts in old images read to the end of the line.
 */
export function nodeKernelLine(node: SiteNode, mac: Mac, server: BootServer, initrd: string): string {
  return [
    initrd,
    ...node.kernelArgs,
    'rw',
    'rootfstype=ramfs',
    `BOOTIF=${bootif(mac)}`,
    `reveille.server=${serverUrl(server)}`,
    `reveille.node=${node.name}`,
    ...(node.services.length > 0 ? [`reveille.hold=${node.services.join(',')}`] : []),
    `TFTP=${formatIpv4(server.ip)}`,
  ].join(' ');
}

/** The kernel line of one of the menu's other entries. */
export function entryKernelLine(entry: MenuEntry, server: BootServer, initrd: readonly string[]): string {
  return [...initrd, ...entry.args, `TFTP=${formatIpv4(server.ip)}`].join(' ');
}
