import type { BootServer } from '../model/bootServer.ts';
import type { Menu } from '../model/menu.ts';
import type { BootImage } from './image.ts';
import { entryKernelLine, nodeKernelLine } from './kernelLine.ts';
import { defaultEntry, type MenuNode } from './menuNode.ts';

/**
 * The configuration that pxelinux reads (syslinux.cfg(5) form): the node's own image, where a node is asking, then the
 * site's other entries. No menu is shown where it would wait for no time at all. A machine that has nothing of its own to boot goes on to its next boot device.
 */
export function pxelinuxConfig(siteName: string, menu: Menu, server: BootServer, asking?: MenuNode): string {
  const labels = [
    ...(asking?.built === undefined ? [] : [nodeLabel(asking, asking.built, server)]),
    ...menu.entries.map((entry) => [
      `label ${entry.name}`,
      `  menu label ${oneLine(entry.title)}`,
      `  kernel ${entry.kernel}`,
      `  append ${entryKernelLine(entry, server, initrdWord(entry.initrd))}`,
      ...(entry.ipappend === undefined ? [] : [`  ipappend ${entry.ipappend}`]),
    ]),
    ['label local', '  menu label Boot from the next device', '  localboot -1'],
  ];
  const bootable = new Set(labels.map(([label]) => label?.slice('label '.length)));
  const wanted = defaultEntry(menu, asking?.node);
  const chosen = bootable.has(wanted) ? wanted : 'local';
  return [
    `# Made by Reveille for ${asking ? asking.node.name : 'machines that the site does not list'}; edits are lost.`,
    ...serialLine(menu.entries.find(({ name }) => name === chosen)?.args ?? asking?.node.kernelArgs ?? []),
    ...(menu.entries.length > 0 && menu.timeoutSeconds > 0 ? ['ui menu.c32', `menu title ${oneLine(siteName)}`] : []),
    'prompt 0',
    `timeout ${Math.max(1, Math.round(menu.timeoutSeconds * 10))}`,
    `default ${chosen}`,
    ...labels.flatMap((label) => ['', ...label]),
    '',
  ].join('\n');
}

function nodeLabel(asking: MenuNode, built: BootImage, server: BootServer): string[] {
  return [
    'label node',
    `  menu label ${asking.node.name}: ${asking.node.image}`,
    `  kernel images/${built.sha256}/vmlinuz`,
    `  append ${nodeKernelLine(asking, built, server, `initrd=images/${built.sha256}/initrd`)}`,
  ];
}

function initrdWord(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`initrd=${paths.join(',')}`];
}

/** pxelinux talks on the serial line that the kernel will talk on. */
function serialLine(kernelArgs: readonly string[]): string[] {
  for (const arg of kernelArgs) {
    const console = /(?:^|\s)console=ttyS([0-3])(?:,([0-9]+))?/.exec(arg);
    if (console) return [`serial ${console[1]} ${console[2] ?? '115200'}`];
  }
  return [];
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
