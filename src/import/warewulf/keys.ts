// The keys of Warewulf 4's nodes.conf, of all its versions (WW_INTERNAL 43, 45 and those without), and what becomes of each.

/** `taken`: the import has a place for it. Otherwise the words say why it is left, and what to do instead. */
export type Fate = 'taken' | { readonly left: string };

const IMAGE_BOOTS = 'a node boots the kernel of its image';
const IPMI = 'write `bmc:` from it, its password as a secret: see Switch machines on and off in the guide';
const SECRET = 'a site is kept in Git: keep passwords elsewhere';
const DISKS = 'disks are not partitioned: do it in settings.sh, or in an overlay';
const BOOT = 'the loader and the kernel line come from `loader:` and `kernelArgs:`';

const left = (why: string): Fate => ({ left: why });

/** The keys of a profile or a node. */
export const KEYS: ReadonlyMap<string, Fate> = new Map(
  Object.entries({
    profiles: 'taken',
    comment: 'taken',
    'cluster name': 'taken',
    'container name': 'taken',
    'image name': 'taken',
    'kernel args': 'taken',
    kernel: 'taken',
    'runtime overlay': 'taken',
    'system overlay': 'taken',
    'network devices': 'taken',
    'primary network': 'taken',
    tags: 'taken',
    keys: 'taken',
    ipmi: 'taken',
    'asset key': 'taken',
    resources: 'taken',
    'kernel version': left(IMAGE_BOOTS),
    'kernel override': left(IMAGE_BOOTS),
    'ipmi username': left(IPMI),
    'ipmi password': left(SECRET),
    'ipmi ipaddr': left(IPMI),
    'ipmi netmask': left(IPMI),
    'ipmi port': left(IPMI),
    'ipmi gateway': left(IPMI),
    'ipmi interface': left(IPMI),
    'ipmi escapechar': left(IPMI),
    'ipmi write': left(IPMI),
    'ipxe template': left(BOOT),
    'grub menu': left(BOOT),
    init: left('an image starts the init that it has'),
    root: left('the root is the initrd, or a squashfs with `root: squashfs` in the recipe'),
    discoverable: left(
      '`reveille node strangers` lists the machines that tried to boot; `reveille node adopt` makes nodes of them',
    ),
    disks: left(DISKS),
    filesystems: left(DISKS),
    tagsdel: left('nothing is taken away from profiles: a later profile says it anew'),
  } satisfies Record<string, Fate>),
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

/** What is said of overlays that Warewulf ships, by their names there. */
export const OVERLAYS: ReadonlyMap<string, Fate> = new Map(
  Object.entries({
    hosts: 'taken',
    hostname: 'taken',
    resolv: 'taken',
    generic: left('its files are those of this cluster: copy what is yours to overlays/generic, and name it'),
    wwinit: left('the agent in the image does its part'),
    wwclient: left('the agent in the image does its part'),
    issue: left('write overlays/issue/etc/issue.j2 if you want it'),
    'ssh.host_keys': left('the overlay ssh-host-keys keeps keys of their own for each node'),
    'ssh.authorized_keys': left('the overlay ssh-keys lays authorized keys down'),
    netplan: left('the overlay netplan writes it, from `vars`'),
    'systemd.networkd': left('the overlay networkd writes it, from `vars`'),
    'debian.interfaces': left('the overlay ifupdown writes it, from `vars`'),
    ifupdown: left('the overlay ifupdown writes it, from `vars`'),
  } satisfies Record<string, Fate>),
);
