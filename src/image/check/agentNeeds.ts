import type { RootIndex } from '../index.ts';
import { type LinkedRoot, resolved } from './libraries.ts';

/** A family of distributions, by the names that it gives to packages. */
type Family = 'debian' | 'ubuntu' | 'fedora' | 'suse' | 'arch' | 'alpine';

/** By family; `any` is the name that all others use. A family that has no such package has an empty name. */
type Packages = { readonly any: string } & { readonly [F in Family]?: string };

/** What the agent does not work without: one of `commands` on its PATH, or one of `paths`. */
type Need = {
  readonly commands: readonly string[];
  readonly paths?: readonly string[];
  /** How it is named where it is missing; absent: by its command. */
  readonly what?: string;
  readonly packages: Packages;
};

/** What a finished image lacks for its agent to work, in words, and the package that has it where one is known. */
export type AgentLack = { readonly what: string; readonly package?: string };

/** The folders in which the agent looks for programs (talk.sh). */
const PATH = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin', 'sbin', 'bin'];

/**
 * The programs that the agent's shell programs call, by the package that has them. `test/interop/agent-needs.test.ts` runs a
 * whole boot on a machine that has these and nothing else.
 */
const TOOLS: readonly { readonly commands: string; readonly packages: Packages }[] = [
  { commands: 'sh', packages: { any: 'bash', debian: 'dash', alpine: 'busybox' } },
  {
    commands:
      'cat chmod chown cp cut date head ln ls mkdir mv readlink rm rmdir sha256sum sleep sort stat sync tail timeout touch tr uname wc env',
    packages: { any: 'coreutils' },
  },
  { commands: 'grep', packages: { any: 'grep' } },
  { commands: 'sed', packages: { any: 'sed' } },
  { commands: 'awk', packages: { any: 'gawk', debian: 'mawk' } },
  { commands: 'find xargs', packages: { any: 'findutils' } },
  { commands: 'tar', packages: { any: 'tar' } },
  { commands: 'gzip', packages: { any: 'gzip' } },
  { commands: 'setsid', packages: { any: 'util-linux', alpine: 'busybox' } },
  { commands: 'cmp', packages: { any: 'diffutils' } },
  { commands: 'ip', packages: { any: 'iproute2', fedora: 'iproute' } },
];

const NEEDS: readonly Need[] = [
  {
    what: 'systemd, whose unit starts the agent',
    commands: [],
    paths: ['usr/lib/systemd/systemd', 'lib/systemd/systemd'],
    packages: { any: 'systemd', debian: 'systemd-sysv', alpine: '' },
  },
  {
    what: 'a program that fetches over HTTP (curl, wget or busybox)',
    commands: ['curl', 'wget', 'busybox'],
    packages: { any: 'curl' },
  },
  ...TOOLS.flatMap(({ commands, packages }) =>
    commands.split(' ').map((command): Need => ({ commands: [command], packages })),
  ),
  {
    what: 'a DHCP client (systemd-networkd, NetworkManager, udhcpc or dhclient)',
    commands: ['udhcpc', 'dhclient', 'NetworkManager', 'dhcpcd', 'wicked', 'connmand'],
    paths: ['usr/lib/systemd/systemd-networkd', 'lib/systemd/systemd-networkd'],
    packages: {
      any: 'systemd',
      fedora: 'NetworkManager',
      suse: 'systemd-network',
      alpine: 'busybox',
    },
  },
];

/** The programs by name, of several that would do the first. */
export const AGENT_PROGRAMS: readonly string[] = NEEDS.flatMap(({ commands }) => commands.slice(0, 1));

/** Loads the drivers of what the machine has. A kernel whose drivers are all built in does without. */
const UDEV: Need = {
  what: 'udev, which loads the driver of the network card',
  commands: ['udevadm', 'udevd', 'mdev'],
  paths: ['usr/lib/systemd/systemd-udevd', 'lib/systemd/systemd-udevd'],
  packages: { any: 'systemd', debian: 'udev', fedora: 'systemd-udev', suse: 'udev', alpine: 'eudev' },
};

/** Packages of the kernel; Debian's cloud kernel has the drivers of virtual machines alone. */
const KERNEL: Packages = {
  any: 'linux-image-amd64',
  ubuntu: 'linux-image-generic',
  fedora: 'kernel-core',
  suse: 'kernel-default',
  arch: 'linux',
  alpine: 'linux-lts',
};

/** What of an index is looked at. */
type Root = Pick<RootIndex, 'entries' | 'links' | 'moduleLists' | 'osRelease'>;

/** The image that is made of a root. `dropped` returns why a path is left out of it. */
export type FinishedRoot = {
  readonly index: Root;
  readonly kernelVersion: string;
  readonly dropped: (path: string, isDirectory: boolean) => string | undefined;
  /** Whether the first initrd loads the drivers of network cards. */
  readonly driversLoaded: boolean;
};

/**
 * What the agent would miss in an image: programs, an init that starts it, something that takes an address, a driver for any
 * network card. A root that brings an /init of its own may start the agent by other means than systemd. Pure.
 */
export function agentLacks({ index, kernelVersion, dropped, driversLoaded }: FinishedRoot): readonly AgentLack[] {
  const family = familyOf(index.osRelease);
  const whole = entriesOf(index, () => true);
  const finished = entriesOf(index, (path) => dropped(path, false) === undefined);
  const ownInit = resolved(whole, 'init') !== undefined;
  const needs = [
    ...NEEDS.filter(({ paths = [] }) => !(ownInit && paths.includes('lib/systemd/systemd'))),
    ...(driversLoaded || !loadsDrivers(index, kernelVersion) ? [] : [UDEV]),
  ];
  const lacks = needs.flatMap((need): readonly AgentLack[] => {
    if (met(need, finished)) return [];
    const name = need.what ?? need.commands.join(' or ');
    if (met(need, whole)) return [{ what: `${name}, which the recipe leaves out (\`remove\`)` }];
    return [{ what: name, ...packageOf(need.packages, family) }];
  });
  return hasCardDriver(index, kernelVersion)
    ? lacks
    : [
        ...lacks,
        {
          what: `a driver of any network card for the kernel ${kernelVersion}: its package brings them, unless \`remove\` takes the modules out`,
        },
      ];
}

/** `a program that fetches over HTTP (curl, wget or busybox): install curl`. */
export function lackText({ what, package: name }: AgentLack): string {
  return name === undefined ? what : `${what}: package ${name}`;
}

/** The package of a kernel in the distribution that a root is of. */
export function kernelPackage(osRelease: string): string {
  return packageOf(KERNEL, familyOf(osRelease)).package ?? KERNEL.any;
}

type Entries = LinkedRoot['entries'];

/** The files and links of a root that `kept` lets through, further names of a file among them, with the folders on their way. */
function entriesOf({ entries, links }: Root, kept: (path: string) => boolean): Entries {
  const all = new Map<string, NonNullable<ReturnType<Entries['get']>>>();
  const add = (path: string, entry: NonNullable<ReturnType<Entries['get']>>) => {
    if (!kept(path)) return;
    all.set(path, entry);
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at);
      if (all.has(folder)) break;
      all.set(folder, entries.get(folder) ?? { kind: 'directory' });
    }
  };
  for (const [path, entry] of entries) if (entry.kind !== 'directory') add(path, entry);
  for (const names of links.values()) for (const name of names) add(name, { kind: 'file' });
  return all;
}

function met({ commands, paths = [] }: Need, entries: Entries): boolean {
  const places = [...commands.flatMap((command) => PATH.map((folder) => `${folder}/${command}`)), ...paths];
  return places.some((place) => {
    const at = resolved(entries, place);
    return at !== undefined && entries.get(at)?.kind === 'file';
  });
}

function familyOf(osRelease: string): Family | undefined {
  const field = (name: string) => new RegExp(`^${name}=["']?([^"'\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const names = `${field('ID')} ${field('ID_LIKE')}`.split(/\s+/);
  return FAMILIES.find(([id]) => names.includes(id))?.[1];
}

/** By the names that os-release(5) has in ID or ID_LIKE. */
const FAMILIES: readonly (readonly [string, Family])[] = [
  ['ubuntu', 'ubuntu'],
  ['debian', 'debian'],
  ['fedora', 'fedora'],
  ['rhel', 'fedora'],
  ['centos', 'fedora'],
  ['suse', 'suse'],
  ['opensuse', 'suse'],
  ['arch', 'arch'],
  ['alpine', 'alpine'],
];

function packageOf(packages: Packages, family: Family | undefined): { readonly package?: string } {
  const own = family === undefined ? undefined : packages[family];
  const name = own ?? (family === 'ubuntu' ? packages.debian : undefined) ?? packages.any;
  return name === '' ? {} : { package: name };
}

/** Whether the kernel has drivers of network cards in files. */
function loadsDrivers({ moduleLists }: Root, version: string): boolean {
  return CARD_DRIVER.test(moduleLists.get(version)?.dep ?? '');
}

/** Whether the kernel has the driver of some network card. A root without depmod's lists is not judged. */
function hasCardDriver(root: Root, version: string): boolean {
  const lists = root.moduleLists.get(version);
  return lists === undefined || loadsDrivers(root, version) || CARD_DRIVER.test(lists.builtin);
}

/** A line of a module list whose own path is that of a network card's driver. */
const CARD_DRIVER = /^[^:\n]*\/drivers\/net\/(ethernet\/|usb\/|hyperv\/|virtio_net\.|xen-netfront\.|vmxnet3\/)/m;
