import type { Menu } from '../site/model.ts';
import { entryKernelLine, nodeKernelLine } from './kernelLine.ts';
import type { MenuNode } from './pxelinux.ts';
import { type BootServer, bootUrl } from './server.ts';

/** iPXE starts over from here after a failure; long enough for a person to read the message. */
const RETRY_SECONDS = 10;

/**
 * The script that iPXE runs for a node: its own image, and the site's other entries behind a menu where there are any.
 * `initrd=NAME` on the kernel line is what iPXE under UEFI needs; under BIOS it does no harm.
 */
export function ipxeScript(siteName: string, menu: Menu, server: BootServer, asking: MenuNode): string {
  const base = bootUrl(server);
  const { node, mac, built } = asking;
  const start = menu.entries.length === 0 ? menu.default : 'menu';
  return [
    '#!ipxe',
    `# Made by Reveille for ${node.name}`,
    `goto ${start}`,
    ...(menu.entries.length === 0 ? [] : menuBlock(siteName, menu, node.name)),
    '',
    ':node',
    ...(built === undefined
      ? [`echo The image ${node.image} has not been built yet`, 'goto failed']
      : [
          `echo Reveille: ${node.name} boots ${node.image} (${built.sha256.slice(0, 12)})`,
          `kernel ${base}/images/${built.sha256}/vmlinuz ${nodeKernelLine(node, built, mac, server, 'initrd=initrd')} || goto failed`,
          `initrd --name initrd ${base}/images/${built.sha256}/initrd || goto failed`,
          'boot || goto failed',
        ]),
    ...menu.entries.flatMap((entry) => {
      const names = entry.initrd.map((_, index) => `initrd${index}`);
      const words = names.map((name) => `initrd=${name}`);
      return [
        '',
        `:${entry.name}`,
        `kernel ${fileUrl(base, entry.kernel)} ${entryKernelLine(entry, server, words)} || goto failed`,
        ...entry.initrd.map((path, index) => `initrd --name ${names[index]} ${fileUrl(base, path)} || goto failed`),
        'boot || goto failed',
      ];
    }),
    '',
    ':local',
    'exit',
    '',
    ':failed',
    `echo Trying again in ${RETRY_SECONDS} seconds`,
    `sleep ${RETRY_SECONDS}`,
    `chain --replace ${base}/ipxe/${mac}`,
    'goto failed',
    '',
  ].join('\n');
}

/** An iPXE without the menu commands falls through to the default. */
function menuBlock(siteName: string, menu: Menu, nodeName: string): string[] {
  return [
    '',
    ':menu',
    `menu ${words(siteName)} || goto ${menu.default}`,
    `item node ${nodeName}`,
    ...menu.entries.map((entry) => `item ${entry.name} ${words(entry.title)}`),
    'item local Boot from the next device',
    `choose --timeout ${Math.round(menu.timeoutSeconds * 1000)} --default ${menu.default} choice || goto ${menu.default}`,
    `goto \${choice}`,
  ];
}

function fileUrl(base: string, path: string): string {
  return `${base}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Text that a script line shows: on one line, and without what iPXE would expand. */
function words(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('$', '').trim();
}
