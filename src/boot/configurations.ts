import type { BootServer } from '../model/bootServer.ts';
import type { Menu } from '../model/menu.ts';
import { ipxeScript } from './ipxe.ts';
import type { MenuNode } from './menuNode.ts';
import type { Configuration } from './methods.ts';
import { pxelinuxConfig } from './pxelinux.ts';

/** Makes what a loader reads for a node. */
export type Render = (siteName: string, menu: Menu, server: BootServer, asking: MenuNode) => string;

export const CONFIGURATIONS: { readonly [C in Configuration]: Render } = {
  pxelinux: pxelinuxConfig,
  ipxe: ipxeScript,
};
