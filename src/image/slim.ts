import { globMatcher, mergedPlaces } from '../site/glob.ts';

/**
 * What an image leaves out, and why. `filesOnly` spares the directories, for programs that expect to find them.
 * Recipes extend the lists with `remove:` and spare what they want with `keep:`.
 */
export type Drop = { readonly glob: string; readonly why: string; readonly filesOnly?: true };

/** Never shipped, `slim: false` or not: secrets that must differ on each node, and traces of the machine that built. */
export const NEVER_SHIPPED: readonly Drop[] = [
  { glob: '/boot/vmlinuz-*', why: 'the kernel is served beside the initrd' },
  { glob: '/boot/initrd.img-*', why: 'this image is the initrd' },
  { glob: '/boot/initrd-*', why: 'this image is the initrd' },
  { glob: '/boot/initramfs-*', why: 'this image is the initrd' },
  { glob: '/boot/grub*', why: 'the boot loader is the network' },
  { glob: '/boot/efi', why: 'the boot loader is the network' },
  { glob: '/boot/loader', why: 'the boot loader is the network' },
  { glob: '/vmlinuz*', why: 'link to a kernel that is served beside the initrd' },
  { glob: '/initrd.img*', why: 'link to an initrd that is not shipped' },
  { glob: '/etc/ssh/ssh_host_*', why: 'host keys must differ on each node' },
  { glob: '/etc/udev/rules.d/70-persistent-net.rules', why: "names for another machine's network cards" },
  { glob: '/swapfile', why: 'the root is in memory' },
  { glob: '/swap.img', why: 'the root is in memory' },
  { glob: '/lost+found', why: 'the root is not on a disk' },
  { glob: '/.dockerenv', why: 'a node is no container' },
  { glob: '/var/lib/systemd/random-seed', why: 'a shared seed is no seed' },
  { glob: '/var/lib/systemd/credential.secret', why: 'a shared secret is no secret' },
  { glob: '/var/lib/dbus/machine-id', why: 'each node has its own machine id' },
  { glob: '/var/lib/urandom/random-seed', why: 'a shared seed is no seed' },
  { glob: '/etc/apt/apt.conf.d/99mmdebstrap', why: "the build machine's apt settings, perhaps its proxy" },
  { glob: '/etc/apt/sources.list', why: "the build machine's mirrors" },
  { glob: '/etc/apt/sources.list.d/0000*', why: "the build machine's mirrors" },
  { glob: '/etc/apt/auth.conf.d/*', why: 'passwords of mirrors' },
  { glob: '/etc/dpkg/dpkg.cfg.d/99mmdebstrap', why: "the build machine's dpkg settings" },
  { glob: '/etc/*-', why: 'backups of the account files, with dates' },
  { glob: '/run/*', why: 'a fresh file system at boot' },
  { glob: '/tmp/*', why: 'a fresh file system at boot' },
  { glob: '/proc/*', why: 'a mount point' },
  { glob: '/sys/*', why: 'a mount point' },
];

/** The standard list: nothing that a node needs to run, only what it would hold in its memory for nothing. */
export const STANDARD: readonly Drop[] = [
  { glob: '/boot/System.map-*', why: 'symbols of the kernel, for debuggers' },
  { glob: '/usr/share/doc', why: 'documentation' },
  { glob: '/usr/share/man', why: 'documentation' },
  { glob: '/usr/share/info', why: 'documentation' },
  { glob: '/usr/share/gtk-doc', why: 'documentation' },
  { glob: '/usr/share/help', why: 'documentation' },
  { glob: '/usr/share/groff', why: 'documentation' },
  { glob: '/usr/share/doc-base', why: 'documentation' },
  { glob: '/usr/share/lintian', why: 'notes for package builders' },
  { glob: '/usr/share/bug', why: 'scripts for bug reports' },
  { glob: '/usr/share/apport', why: 'scripts for bug reports' },
  { glob: '/usr/share/locale/[!e]*/LC_MESSAGES', why: 'translations' },
  { glob: '/usr/share/locale/e[!n]*/LC_MESSAGES', why: 'translations' },
  { glob: '/usr/share/i18n', why: 'sources of locales' },
  { glob: '/usr/share/initramfs-tools', why: 'the node never makes an initrd' },
  { glob: '/var/lib/initramfs-tools', why: 'the node never makes an initrd' },
  { glob: '/usr/include', why: 'for compilers' },
  { glob: '/usr/lib/**/*.a', why: 'for compilers' },
  { glob: '/usr/lib/udev/hwdb.d', why: 'sources of hwdb.bin' },
  { glob: '/var/lib/apt/lists/*', why: 'package lists, old by the time the node boots' },
  { glob: '/var/lib/dpkg/*-old', why: 'backups' },
  { glob: '/var/lib/dpkg/info/*.md5sums', why: 'checksums of files of which many are left out' },
  { glob: '/var/lib/dpkg/info/*.templates', why: 'questions asked at installation' },
  { glob: '/var/lib/dpkg/available', why: 'package lists' },
  { glob: '/var/backups/*', why: 'backups' },
  { glob: '/var/log/journal', why: 'the journal lives in /run' },
  { glob: '/var/log/**', why: 'logs of the build', filesOnly: true },
  { glob: '/var/cache/**', why: 'caches', filesOnly: true },
  { glob: '/root/.cache', why: 'caches' },
  ...firmware('graphics', 'amdgpu', 'radeon', 'i915', 'nvidia', 'matrox', 'r128', 'xe', 'powervr'),
  ...firmware(
    'sound',
    'intel/sof*',
    'intel/avs',
    'intel/dsp_fw_*',
    'cirrus',
    'yamaha',
    'korg',
    'ess',
    'sb16',
    'emi*',
    'cs42l*',
    'ti/tas*',
    'ctefx*',
  ),
  ...firmware(
    'radio',
    'iwlwifi-*',
    'ath*k*',
    'brcm',
    'cypress',
    'libertas',
    'mrvl',
    'mwl*',
    'mediatek',
    'mt76*',
    'rtlwifi',
  ),
  ...firmware(
    'radio',
    'rtw8*',
    'rtl_bt',
    'rsi*',
    'ti-connectivity',
    'qca',
    'intel/ibt-*',
    'wfx',
    'nxp',
    'ar302*',
    'htc_*',
  ),
  ...firmware(
    'television',
    'av7110',
    'dvb*',
    'dvb-*',
    'go7007',
    'cpia2',
    'v4l-*',
    'ttusb-budget',
    'as102*',
    'cmmb*',
    'isdbt*',
    'tlg*',
  ),
  ...firmware('system on a chip', 'qcom', 'rockchip', 'meson', 'imx', 'amlogic', 'cnm', 'arm', 'ti', 'nxp', 'vpu*'),
];

function firmware(of: string, ...names: readonly string[]): readonly Drop[] {
  return names.map((name) => ({ glob: `/usr/lib/firmware/${name}`, why: `firmware for ${of} devices` }));
}

/**
 * Kernel modules that a server has no device for, by folder below /usr/lib/modules/<version>/kernel. They go before
 * depmod runs, so that the module index of the image is true; a module that a remaining one needs stays.
 */
export const UNNEEDED_MODULES: readonly Drop[] = [
  ...modules('sound', 'sound'),
  ...modules('graphics', 'drivers/gpu', 'drivers/video'),
  ...modules('television and cameras', 'drivers/media'),
  ...modules('radio', 'drivers/bluetooth', 'net/bluetooth', 'drivers/net/wireless', 'drivers/net/wwan', 'net/wireless'),
  ...modules('radio', 'net/mac80211', 'net/mac802154', 'net/ieee802154', 'drivers/net/ieee802154', 'net/6lowpan'),
  ...modules('radio', 'drivers/net/hamradio', 'net/ax25', 'net/netrom', 'net/rose', 'drivers/nfc', 'net/nfc'),
  ...modules('unfinished drivers', 'drivers/staging'),
  ...modules('sensors and laboratory cards', 'drivers/iio', 'drivers/comedi', 'drivers/counter', 'drivers/w1'),
  ...modules(
    'vehicle and telephone networks',
    'drivers/net/can',
    'net/can',
    'drivers/isdn',
    'net/phonet',
    'drivers/atm',
    'net/atm',
  ),
  ...modules('networks of the past', 'drivers/net/arcnet', 'drivers/net/plip', 'drivers/net/slip', 'drivers/net/fddi'),
  ...modules(
    'networks of the past',
    'net/appletalk',
    'net/x25',
    'net/lapb',
    'net/decnet',
    'net/batman-adv',
    'drivers/net/wan',
  ),
  ...modules('laptops and desktops', 'drivers/pcmcia', 'drivers/memstick', 'drivers/firewire', 'drivers/parport'),
  ...modules('laptops and desktops', 'drivers/input/joystick', 'drivers/input/touchscreen', 'drivers/input/tablet'),
  ...modules(
    'laptops and desktops',
    'drivers/input/gameport',
    'drivers/usb/gadget',
    'drivers/leds',
    'drivers/bcma',
    'drivers/ssb',
  ),
  ...modules('file systems of other systems', 'fs/adfs', 'fs/affs', 'fs/befs', 'fs/bfs', 'fs/coda', 'fs/efs', 'fs/hfs'),
  ...modules(
    'file systems of other systems',
    'fs/hfsplus',
    'fs/hpfs',
    'fs/jfs',
    'fs/minix',
    'fs/nilfs2',
    'fs/omfs',
    'fs/afs',
  ),
  ...modules(
    'file systems of other systems',
    'fs/qnx4',
    'fs/qnx6',
    'fs/reiserfs',
    'fs/sysv',
    'fs/ufs',
    'fs/jffs2',
    'fs/ubifs',
  ),
  ...modules('tests of the kernel', 'lib/test_*', 'lib/*_kunit*', 'kernel/rcu', 'kernel/locking'),
];

function modules(of: string, ...folders: readonly string[]): readonly Drop[] {
  return folders.map((folder) => ({ glob: `/usr/lib/modules/*/kernel/${folder}`, why: `modules for ${of}` }));
}

/** Units that take time at boot or later and do nothing on a stateless node. They are masked in the image. */
export const USELESS_UNITS: readonly { readonly unit: string; readonly why: string }[] = [
  { unit: 'apt-daily.timer', why: 'the root is replaced, not upgraded' },
  { unit: 'apt-daily-upgrade.timer', why: 'the root is replaced, not upgraded' },
  { unit: 'dpkg-db-backup.timer', why: 'nothing here outlives a boot' },
  { unit: 'man-db.timer', why: 'manual pages are left out' },
  { unit: 'e2scrub_all.timer', why: 'the root is not on a disk' },
  { unit: 'e2scrub_reap.service', why: 'the root is not on a disk' },
  { unit: 'getty-static.service', why: 'five more consoles that are not used' },
  { unit: 'systemd-journal-flush.service', why: 'the journal stays in memory' },
  { unit: 'systemd-random-seed.service', why: 'no seed outlives a boot' },
  { unit: 'systemd-update-utmp.service', why: 'no record of logins outlives a boot' },
  { unit: 'systemd-update-utmp-runlevel.service', why: 'no record of logins outlives a boot' },
  { unit: 'systemd-pstore.service', why: 'nothing to move crash records to' },
  { unit: 'systemd-boot-system-token.service', why: 'the boot loader is the network' },
];

export type SlimRules = {
  /** Whether the standard list applies. */
  readonly slim: boolean;
  /** The recipe's globs of paths to leave out besides. */
  readonly remove: readonly string[];
  /** The recipe's globs of paths to spare, stronger than everything else. */
  readonly keep: readonly string[];
};

/** Decides for each path (`usr/share/doc`) why the image leaves it out; undefined keeps it. */
export function slimmer(rules: SlimRules): (path: string, isDirectory: boolean) => string | undefined {
  const keeps = globMatcher(rules.keep.flatMap(mergedPlaces));
  const removes = globMatcher(rules.remove.filter((glob) => !isModuleGlob(glob)).flatMap(mergedPlaces));
  const drops = [...NEVER_SHIPPED, ...(rules.slim ? STANDARD : [])];
  const anyDrop = globMatcher(drops.map((drop) => drop.glob));
  const each = drops.map((drop) => ({ drop, matches: globMatcher([drop.glob]) }));
  return (path, isDirectory) => {
    const absolute = `/${path}`;
    const removed = removes(absolute);
    if (!removed && !anyDrop(absolute)) return undefined;
    if (keeps(absolute)) return undefined;
    if (removed) return 'the recipe removes it';
    return each.find(({ drop, matches }) => !(isDirectory && drop.filesOnly) && matches(absolute))?.drop.why;
  };
}

/** The globs of kernel modules to take out before depmod: the standard list's and the recipe's own. */
export function moduleGlobs(rules: SlimRules): readonly string[] {
  const standard = rules.slim ? UNNEEDED_MODULES.map((drop) => drop.glob) : [];
  const own = rules.remove.filter(isModuleGlob).flatMap(mergedPlaces);
  return [...standard, ...own];
}

/** Whether a recipe's glob names kernel modules: those are taken out in the root, where depmod can follow. */
export function isModuleGlob(glob: string): boolean {
  return /^(\/usr)?\/lib\/modules\/./.test(glob);
}
