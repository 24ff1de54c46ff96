import { type BootServer, bootUrl } from '../model/bootServer.ts';
import { bootif, type Mac } from '../model/mac.ts';
import type { Menu, MenuEntry } from '../model/menu.ts';
import type { WireNode } from '../model/node.ts';
import { entryKernelLine, nodeKernelLine } from './kernelLine.ts';
import { defaultEntry, type MenuNode } from './menuNode.ts';

/** iPXE starts over from here after a failure; long enough for a person to read the message. */
const RETRY_SECONDS = 10;

/**
 * The script that iPXE runs for a node: its own image, and the site's other entries behind a menu where there are any.
 * `initrd=NAME` on the kernel line is what iPXE under UEFI needs; under BIOS it does no harm.
 */
export function ipxeScript(siteName: string, menu: Menu, server: BootServer, asking: MenuNode): string {
  const base = bootUrl(server);
  const { node, mac } = asking;
  const chosen = defaultEntry(menu, node);
  const shown = menu.entries.length > 0 && menu.timeoutSeconds > 0;
  // Without the menu the others cannot be reached.
  const entries = shown ? menu.entries : menu.entries.filter(({ name }) => name === chosen);
  return [
    '#!ipxe',
    `# Made by Reveille for ${node.name}`,
    `goto ${shown ? 'menu' : chosen}`,
    ...(shown ? menuBlock(siteName, menu, chosen, node) : []),
    ...(node.image === undefined ? [] : nodeBlock(base, server, asking)),
    ...entries.flatMap((entry) => {
      const names = entry.initrd.map((_, index) => `initrd${index}`);
      const words = names.map((name) => `initrd=${name}`);
      return [
        '',
        `:${entry.name}`,
        `kernel ${fileUrl(base, entry.kernel)} ${[entryKernelLine(entry, server, words), ...appended(entry, mac)].join(' ')} || goto failed`,
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

function nodeBlock(base: string, server: BootServer, asking: MenuNode): string[] {
  const { node, built } = asking;
  return [
    '',
    ':node',
    ...(built === undefined
      ? [`echo The image ${node.image} has not been built yet`, 'goto failed']
      : [
          `echo Reveille: ${node.name} boots ${node.image} (${built.sha256.slice(0, 12)})`,
          `kernel ${base}/images/${built.sha256}/vmlinuz ${nodeKernelLine(asking, built, server, 'initrd=initrd')} || goto failed`,
          `initrd --name initrd ${base}/images/${built.sha256}/initrd || goto failed`,
          'boot || goto failed',
        ]),
  ];
}

/**
 * The words that pxelinux makes for the bits of IPAPPEND, made by iPXE from its own settings. Of the UUID iPXE shows the
 * usual form; pxelinux shows its bytes as they lie in memory, with those of the first three fields turned round.
 */
function appended({ ipappend = 0 }: MenuEntry, mac: Mac): string[] {
  return [
    ...(ipappend & 1 ? [`ip=\${netX/ip}:\${next-server}:\${netX/gateway}:\${netX/netmask}`] : []),
    ...(ipappend & 2 ? [`BOOTIF=${bootif(mac)}`] : []),
    ...(ipappend & 4 ? [`SYSUUID=\${uuid}`] : []),
  ];
}

/** An iPXE without the menu commands falls through to the default. */
function menuBlock(siteName: string, menu: Menu, chosen: string, node: WireNode): string[] {
  return [
    '',
    ':menu',
    `menu ${words(siteName)} || goto ${chosen}`,
    ...(node.image === undefined ? [] : [`item node ${node.name}`]),
    ...menu.entries.map((entry) => `item ${entry.name} ${words(entry.title)}`),
    'item local Boot from the next device',
    `choose --timeout ${Math.round(menu.timeoutSeconds * 1000)} --default ${chosen} choice || goto ${chosen}`,
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
