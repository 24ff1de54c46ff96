import type { LogSettings } from '../log/log.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Menu } from '../model/menu.ts';
import type { DhcpSettings, Network, SiteClass } from '../model/network.ts';
import type { SiteNode, Vars } from '../model/node.ts';
import type { Recipe } from '../model/recipe.ts';
import type { SecretSource } from '../model/secret.ts';

/** How the operators' API is served over TCP. Paths are absolute. */
export type ApiSettings = {
  readonly port: number;
  /** Absent: on all addresses. */
  readonly address?: Ipv4;
  readonly tls: 'auto' | 'off' | { readonly certificate: string; readonly key: string };
  readonly metrics: { readonly open: boolean; readonly nodes: boolean };
};

/** A valid site. */
export type Site = {
  readonly name: string;
  /** Absolute path of the site folder. */
  readonly root: string;
  readonly networks: ReadonlyMap<string, Network>;
  /** In the order of the site: if two set different values, the later one takes precedence. */
  readonly classes: ReadonlyMap<string, SiteClass>;
  readonly nodes: ReadonlyMap<string, SiteNode>;
  readonly nodeByMac: ReadonlyMap<Mac, SiteNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, SiteNode>;
  /** Addresses reserved for nodes of ranges whose MAC addresses are not known yet, with their names. */
  readonly awaited: ReadonlyMap<Ipv4, string>;
  readonly images: ReadonlyMap<string, Recipe>;
  readonly vars: Vars;
  /** By name; variables refer to them as `{{ secrets.NAME }}`. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly menu: Menu;
  readonly tftp: {
    /** Absolute path of the operator's own files; absent if there are none. */
    readonly root?: string;
    readonly singlePort: boolean;
    readonly maxTransfers: number;
    readonly maxTransfersPerClient: number;
  };
  readonly http: { readonly port: number };
  /** The operators' API on a TCP port; absent: on the Unix socket only. */
  readonly api?: ApiSettings;
  readonly dhcp: DhcpSettings;
  readonly log: LogSettings;
  /** The cloud that the nodes serve. `name` absent: the environment's OS_CLOUD; `file` is absolute. */
  readonly cloud?: { readonly name?: string; readonly file?: string };
  /** How often running nodes ask whether their files changed; 0: only on `reveille sync`. */
  readonly refreshSeconds: number;
};
