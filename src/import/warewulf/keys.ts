import type { Weight } from '../draft.ts';

// The keys of Warewulf 4's nodes.conf, of all its versions (4.0 to 4.7), and what becomes of each.

/** `read`: the import looks at what it says. Otherwise the words say why it is left, what to do instead, and whom that concerns. */
export type Treatment = 'read' | { readonly left: string; readonly weight?: Weight };

const IMAGE_BOOTS = 'a node boots the kernel of its image';
const DISKS = 'disks are not partitioned: do it in settings.sh, or in an overlay';
const BOOT = 'the loader and the kernel line come from `loader:` and `kernelArgs:`';

const left = (why: string, weight?: Weight): Treatment => ({ left: why, ...(weight === undefined ? {} : { weight }) });

/** The keys of a profile or a node. */
export const KEYS: ReadonlyMap<string, Treatment> = new Map(
  Object.entries({
    profiles: 'read',
    comment: 'read',
    'cluster name': 'read',
    'container name': 'read',
    'image name': 'read',
    'kernel args': 'read',
    kernel: 'read',
    'runtime overlay': 'read',
    'system overlay': 'read',
    'network devices': 'read',
    'primary network': 'read',
    tags: 'read',
    keys: 'read',
    ipmi: 'read',
    'ipmi username': 'read',
    'ipmi password': 'read',
    'ipmi ipaddr': 'read',
    'ipmi netmask': 'read',
    'ipmi port': 'read',
    'ipmi gateway': 'read',
    'ipmi interface': 'read',
    'ipmi escapechar': 'read',
    'ipmi write': 'read',
    'asset key': 'read',
    resources: 'read',
    disabled: 'read',
    discoverable: 'read',
    'kernel version': left(IMAGE_BOOTS),
    'kernel override': left(IMAGE_BOOTS),
    'ipxe template': left(BOOT, 'server'),
    'grub menu': left(BOOT, 'server'),
    init: left('an image starts the init that it has'),
    root: left('the root is the initrd, or a squashfs with `root: squashfs` in the recipe', 'server'),
    disks: left(DISKS),
    filesystems: left(DISKS),
    tagsdel: left('nothing is taken away from profiles: a later profile says it anew'),
  } satisfies Record<string, Treatment>),
);

/** Keys of IPMI as versions before 4.3 wrote them, each by its name below `ipmi:` since. */
export const FLAT_IPMI: ReadonlyMap<string, string> = new Map(
  [...KEYS.keys()].filter((key) => key.startsWith('ipmi ')).map((key) => [key, key.slice('ipmi '.length)]),
);

/** The keys of a network device. */
export const DEVICE_KEYS: ReadonlySet<string> = new Set([
  ...[
    'type',
    'onboot',
    'device',
    'hwaddr',
    'ipaddr',
    'ipcidr',
    'ip6addr',
    'ipaddr6',
    'prefix',
    'prefixlen6',
    'netmask',
  ],
  ...['gateway', 'gateway6', 'mtu', 'primary', 'default', 'tags', 'tagsdel'],
]);

/** What stands for no value (GetUnsetVerbs of Warewulf 4.5). */
export const UNSET: ReadonlySet<string> = new Set(['', 'UNSET', 'DELETE', 'UNDEF', 'undef', '--', 'nil', '0.0.0.0']);

/** The overlays of Warewulf that come with Reveille, by the same names. */
export const SAME_OVERLAYS: ReadonlySet<string> = new Set(['hosts', 'hostname', 'resolv']);

/** What does the part of other overlays that Warewulf ships, by their names there. */
export const OVERLAYS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    generic: 'its files are those of this cluster: copy what is yours to overlays/generic, and name it',
    wwinit: 'the agent in the image does its part',
    wwclient: 'the agent in the image does its part',
    issue: 'write overlays/issue/etc/issue.j2 if you want it',
    fstab: 'the overlay fstab-nfs writes it, from `vars`',
    'ssh.host_keys': 'the overlay ssh-host-keys keeps keys of their own for each node',
    'ssh.authorized_keys': 'the overlay ssh-keys lays authorized keys down',
    netplan: 'the overlay netplan writes it, from `vars`',
    'systemd.networkd': 'the overlay networkd writes it, from `vars`',
    'debian.interfaces': 'the overlay ifupdown writes it, from `vars`',
    ifupdown: 'the overlay ifupdown writes it, from `vars`',
  }),
);
