import { type BootServer, serverUrl } from '../model/bootServer.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { bootif } from '../model/mac.ts';
import type { MenuEntry } from '../model/menu.ts';
import type { BootImage } from './image.ts';
import type { MenuNode } from './menuNode.ts';

/**
 * The kernel line of a node's own image, without `initrd=`, which each loader writes in its own way. The agent on the node
 * reads the `reveille.` words and BOOTIF. systemd needs the machine-id before any file can be laid. `TFTP=` is last because scripts in old images read to the end of the line.
 */
export function nodeKernelLine(asking: MenuNode, image: BootImage, server: BootServer, initrd: string): string {
  const { node, mac, machineId } = asking;
  // With two of them it is not clear which counts: the operator's own stands.
  const named = machineId === undefined || node.kernelArgs.some((arg) => /(^|\s)systemd\.machine_id=/.test(arg));
  return [
    initrd,
    ...node.kernelArgs,
    'rw',
    ...rootWords(image),
    `BOOTIF=${bootif(mac)}`,
    `reveille.server=${serverUrl(server)}`,
    `reveille.node=${node.name}`,
    ...(node.services.length > 0 ? [`reveille.hold=${node.services.join(',')}`] : []),
    ...(named ? [] : [`systemd.machine_id=${machineId}`]),
    `TFTP=${formatIpv4(server.ip)}`,
  ].join(' ');
}

/**
 * How the machine comes to its root. Where the initrd is the root, `rootfstype=ramfs` lets it grow past half of the RAM,
 * where a tmpfs would stop. A squashfs root is fetched by the first initrd, from the server that the line names.
 */
function rootWords({ sha256, root }: BootImage): string[] {
  if (root === undefined) return ['rootfstype=ramfs'];
  return [
    `reveille.root=/boot/images/${sha256}/root.squashfs`,
    `reveille.rootsum=${root.sha256}`,
    `reveille.rootsize=${root.size}`,
  ];
}

/**
 * The kernel line of one of the menu's entries: the operator's words as written. A `TFTP=` among them stays where it
 * stands; else ours is added last.
 */
export function entryKernelLine(entry: MenuEntry, server: BootServer, initrd: readonly string[]): string {
  const named = entry.args.some((arg) => /(^|\s)TFTP=/.test(arg));
  return [...initrd, ...entry.args, ...(named ? [] : [`TFTP=${formatIpv4(server.ip)}`])].join(' ');
}
