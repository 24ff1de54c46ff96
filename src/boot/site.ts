import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Menu } from '../model/menu.ts';
import type { Network } from '../model/network.ts';
import type { WireNode } from '../model/node.ts';

/** What boot files are made of. */
export type BootSite = {
  readonly name: string;
  /** Absolute path of the site folder. */
  readonly root: string;
  readonly networks: ReadonlyMap<string, Network>;
  readonly nodeByMac: ReadonlyMap<Mac, WireNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, WireNode>;
  readonly menu: Menu;
  /** `root`: absolute path of the operator's own files; absent where there are none. */
  readonly tftp: { readonly root?: string };
};
