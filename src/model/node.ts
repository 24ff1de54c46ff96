import type { Place } from '../errors.ts';
import type { FirmwareMode } from './firmware.ts';
import type { Ipv4 } from './ipv4.ts';
import type { Mac } from './mac.ts';
import type { BootFrom, RawOptions } from './network.ts';

/** A value that an operator may write under `vars:`. */
export type Var = string | number | boolean | null | readonly Var[] | { readonly [key: string]: Var };
export type Vars = { readonly [name: string]: Var };

/** Which loader a machine's firmware is given; `auto` picks by firmware. */
export const LOADER_CHOICES = ['auto', 'pxelinux', 'ipxe', 'grub', 'http'] as const;
export type LoaderChoice = (typeof LOADER_CHOICES)[number];

/** Who gave a node an overlay, in words (`profile compute`, `node node01`), and where that stands. */
export type OverlayOrigin = { readonly by: string; readonly place: Place };

/** What takes the place of a token in a file of the node; `value` is a template. */
export type Replacement = {
  readonly path: string;
  readonly token: string;
  readonly value: string;
  /** Who says so, in words: `profile compute`, `node node01`. */
  readonly by: string;
  readonly place: Place;
};

/** How a machine's baseboard management controller is reached. `password` names a secret and never holds one. */
export type Bmc = {
  /** IP address or host name. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The firmware's mode when the BMC makes it boot from the network; absent: left to the BMC. */
  readonly bootMode?: FirmwareMode;
} & (
  | {
      readonly kind: 'ipmi';
      readonly interface: 'lanplus' | 'lan';
      readonly privilege: 'operator' | 'administrator';
      readonly cipher?: number;
    }
  | {
      readonly kind: 'redfish';
      /** Id of the system; absent: the service has only one. */
      readonly system?: string;
      readonly verify: boolean;
      /** Absolute path of the certificates to trust. */
      readonly ca?: string;
    }
);

/** What a profile or a node says of the machine's role. */
export type RoleSettings = BootFrom & {
  /** Name of the image to boot. A machine with neither image nor `boot` is only given an address. */
  readonly image?: string;
  /** Instead of an image: the menu entry to boot, or `local` for the next boot device. */
  readonly boot?: string;
  readonly kernelArgs: readonly string[];
  readonly overlays: readonly string[];
  /** By overlay, who named it first. */
  readonly overlayOrigins: ReadonlyMap<string, OverlayOrigin>;
  readonly replace: readonly Replacement[];
  readonly services: readonly string[];
  /** How many seconds settings.sh may run; 0: for ever; absent: as long as the agent lets it. */
  readonly settingsSeconds?: number;
  readonly vars: Vars;
  readonly options: RawOptions;
};

/** A node with its profiles merged in order and its own settings last. */
export type SiteNode = RoleSettings & {
  readonly name: string;
  readonly macs: readonly [Mac, ...Mac[]];
  readonly ip?: Ipv4;
  /** The network that `ip` lies in, or that the node is said to belong to; absent where the site says neither. */
  readonly network?: string;
  readonly profiles: readonly string[];
  readonly loader: LoaderChoice;
  readonly bmc?: Bmc;
  /** The node's own folders below `nodes/` that exist, by address with dashes first, by name second. */
  readonly folders: readonly string[];
};

/** What the services that answer packets read of a node: nothing of the files that it is given once it runs. */
export type WireNode = Omit<
  SiteNode,
  'overlays' | 'overlayOrigins' | 'replace' | 'settingsSeconds' | 'vars' | 'bmc' | 'folders' | 'profiles'
>;
