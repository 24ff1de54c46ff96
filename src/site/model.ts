import type { Firmware } from '../boot/client.ts';
import type { BytePattern } from '../dhcp/bytePattern.ts';
import type { Place } from '../errors.ts';
import type { LogSettings } from '../log/log.ts';
import type { Ipv4, Ipv4Range, Subnet } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { MacPrefix } from '../net/macPrefix.ts';

/** A value that an operator may write under `vars:`. */
export type Var = string | number | boolean | null | readonly Var[] | { readonly [key: string]: Var };
export type Vars = { readonly [name: string]: Var };

/** Which loader a machine's firmware is given; `auto` picks by firmware. */
export type LoaderChoice = 'auto' | 'pxelinux' | 'ipxe' | 'grub' | 'http';

/**
 * For how long addresses are lent, in seconds: to a client that has no wish, and between what bounds a wish is granted. A layer
 * that says a lease time does away with the bounds of the layers before it; without one, the longest is what a client
 * without a wish gets.
 */
export type Lending = {
  readonly leaseSeconds?: number;
  readonly minLeaseSeconds?: number;
  readonly maxLeaseSeconds?: number;
};

/** A boot server and a boot file that the operator names. */
export type BootFrom = { readonly nextServer?: Ipv4; readonly bootFile?: string };

/** A range of addresses that are lent. */
export type Pool = BootFrom &
  Lending & {
    readonly range: Ipv4Range;
    /** `known` (nodes of the site), `unknown` (strangers), `any`, or names of classes; any of them suffices. */
    readonly allow: readonly string[];
    /** The same words; none of these may draw from it, whatever `allow` says. */
    readonly deny: readonly string[];
    readonly options: RawOptions;
  };

/** Who belongs to a class: each condition that is there has to hold, by any of its values. */
export type Conditions = {
  readonly macs?: readonly MacPrefix[];
  /** Options 60 and 77, and sub-options 1 and 2 of option 82. */
  readonly vendorClass?: readonly BytePattern[];
  readonly userClass?: readonly BytePattern[];
  readonly circuitId?: readonly BytePattern[];
  readonly remoteId?: readonly BytePattern[];
  /** Kinds of firmware, or numbers of option 93. */
  readonly arch?: readonly (Firmware | number)[];
};

/** A group of machines by what they say of themselves, and what its members get. */
export type SiteClass = BootFrom &
  Lending & {
    readonly name: string;
    readonly conditions: Conditions;
    readonly options: RawOptions;
  };

/** One classless static route (option 121): a destination and the router to it. */
export type Route = { readonly to: Subnet; readonly via: Ipv4 };

/** DHCP options by number, each already in wire form, as a network, profile or node declares them. */
export type RawOptions = ReadonlyMap<number, Uint8Array>;

/** One subnet, everything declared or defaulted. Times are in seconds. */
export type Network = BootFrom &
  Lending & {
    readonly name: string;
    /** Where requests arrive directly. Absent for a network that only relays reach. */
    readonly interface?: string;
    readonly subnet: Subnet;
    /** The server's own address for this network; absent until an interface's address fills it in (see `withServers`). */
    readonly server?: Ipv4;
    readonly gateway?: Ipv4;
    readonly broadcast: Ipv4;
    readonly dns: readonly Ipv4[];
    readonly ntp: readonly Ipv4[];
    readonly domain?: string;
    readonly search: readonly string[];
    readonly mtu?: number;
    readonly routes: readonly Route[];
    /** Where relays of this network speak from, besides addresses of subnets of the site. */
    readonly relays: readonly Ipv4Range[];
    readonly leaseSeconds: number;
    readonly pools: readonly Pool[];
    readonly options: RawOptions;
  };

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
  /** What the firmware boots as when it is told to boot from the network; absent: left to the BMC. */
  readonly bootMode?: 'bios' | 'uefi';
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

export type MenuEntry = {
  readonly name: string;
  readonly title: string;
  /** Paths below `tftp.root`. */
  readonly kernel: string;
  readonly initrd: readonly string[];
  readonly args: readonly string[];
  /** The bits of pxelinux' IPAPPEND. */
  readonly ipappend?: number;
};

/** What boots unasked where a node has no `boot` is `default`: `node` (its own image), `local` or the name of an entry. */
export type Menu = {
  readonly timeoutSeconds: number;
  readonly default: string;
  readonly entries: readonly MenuEntry[];
};

/** Where the root file system of an image comes from: packages of a suite, or a root that is there already. */
export type RecipeSource = { readonly kind: 'debian' | 'ubuntu'; readonly suite: string } | ForeignSource;

/** A root that is there already. `path` is absolute. */
export type ForeignSource =
  | { readonly kind: 'tar'; readonly path: string }
  /** `tag` chooses among the images of one archive. */
  | { readonly kind: 'oci'; readonly path: string; readonly tag?: string }
  /** `partition` is a partition's number or `GROUP/VOLUME`; absent: where the only root is. */
  | { readonly kind: 'disk'; readonly path: string; readonly partition?: string };

/** How to build an image, with every default filled in. */
export type Recipe = {
  readonly name: string;
  /** The recipe that it takes over; the lists below begin with those of that one. */
  readonly extends?: Recipe;
  readonly from: RecipeSource;
  /** apt source lines; absent: the machine's own apt configuration. */
  readonly mirrors?: readonly string[];
  /** Absolute path of the keys that sign the apt sources; absent: the distribution's own. */
  readonly keyring?: string;
  readonly packages: readonly string[];
  /** Packages to purge after installation. */
  readonly removePackages: readonly string[];
  /** Absolute paths or globs of paths to leave out of the initrd. */
  readonly removePaths: readonly string[];
  /** Absolute paths or globs that the standard list of dropped paths must spare. */
  readonly keepPaths: readonly string[];
  /** Whether the standard list of dropped paths (docs, locales, caches, firmware) applies. */
  readonly slim: boolean;
  /** Shell lines run inside the root, in order, as root. */
  readonly run: readonly string[];
  /** Shell lines that must succeed inside the finished root, as it will be shipped. */
  readonly check: readonly string[];
  /** Absolute paths or globs of programs and libraries that may lack what they are linked to. */
  readonly ignoreMissing: readonly string[];
  /** Whether the initrd is the root, or a small one that fetches the root as squashfs. */
  readonly root: 'initramfs' | 'squashfs';
  /** Kernel modules for the small initrd besides the usual ones. */
  readonly initrdModules: readonly string[];
  readonly compress: 'zstd' | 'gzip' | 'auto';
  readonly place: Place;
};

export type Probe = 'arp' | 'icmp' | 'off';

export type DhcpSettings = {
  readonly probe: Probe;
  readonly probeMs: number;
  /** How many addresses machines that the site does not list may have at one switch port, and through one relay that names none. */
  readonly strangersPerPort: number;
  readonly strangersPerRelay?: number;
  /** How many of them may be new in one second on one wire; absent: 200, or an eighth of the addresses of the wire's pools. */
  readonly strangersPerSecond?: number;
};

/** Where a secret is kept: a file (absolute path), the server's environment, or what a shell line prints. */
export type SecretSource = (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'command'; readonly line: string }
) & {
  /** Whether it is a text of several lines. */
  readonly multiline?: boolean;
  /** Where the site declares it. */
  readonly place?: Place;
};

/** A whole site that loaded without error. */
export type Site = {
  readonly name: string;
  /** Absolute path of the site folder. */
  readonly root: string;
  readonly networks: ReadonlyMap<string, Network>;
  /** In the order of the site: where two say different things, the later one has its way. */
  readonly classes: ReadonlyMap<string, SiteClass>;
  readonly nodes: ReadonlyMap<string, SiteNode>;
  readonly nodeByMac: ReadonlyMap<Mac, SiteNode>;
  readonly nodeByIp: ReadonlyMap<Ipv4, SiteNode>;
  /** Addresses that are kept for nodes of ranges whose MAC addresses are not known yet, with their names. */
  readonly awaited: ReadonlyMap<Ipv4, string>;
  readonly images: ReadonlyMap<string, Recipe>;
  readonly vars: Vars;
  /** By name; variables refer to them as `{{ secrets.NAME }}`. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly menu: Menu;
  readonly tftp: {
    /** Absolute path of the operator's own files; absent where there are none. */
    readonly root?: string;
    readonly singlePort: boolean;
    readonly maxTransfers: number;
    readonly maxTransfersPerClient: number;
  };
  readonly http: { readonly port: number };
  readonly dhcp: DhcpSettings;
  readonly log: LogSettings;
  /** The cloud that the nodes serve. `name` absent: the environment's OS_CLOUD; `file` is absolute. */
  readonly cloud?: { readonly name?: string; readonly file?: string };
  /** How often running nodes ask whether their files changed; 0: only when told to. */
  readonly refreshSeconds: number;
};
