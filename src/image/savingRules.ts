/** Something that a machine without disks can do without, and why. */
export type Waste = { readonly glob: string; readonly why: string };

/** Files that the standard list keeps because a few images need them, and that most nodes never open. */
export const WASTE: readonly Waste[] = [
  { glob: '/boot', why: 'kernel and initrd are served; nothing on the node reads this folder' },
  { glob: '/usr/lib/debug', why: 'symbols for debuggers' },
  { glob: '/usr/share/perl/**/*.pod', why: 'documentation of Perl' },
  { glob: '/usr/lib/python3*/test', why: "Python's tests of itself" },
  { glob: '/usr/lib/python3*/idlelib', why: "Python's editor" },
  { glob: '/usr/lib/python3*/ensurepip', why: "Python's installer; the root is not installed into" },
  { glob: '/usr/lib/python3*/lib2to3', why: 'translates Python 2' },
  { glob: '/usr/lib/python3/dist-packages/*/tests', why: 'tests of Python packages' },
  { glob: '/usr/lib/python3/dist-packages/*/test', why: 'tests of Python packages' },
  { glob: '/usr/lib/python3/dist-packages/*/*/tests', why: 'tests of Python packages' },
  { glob: '/usr/lib/python3/dist-packages/babel/locale-data', why: 'dates and numbers in other languages' },
  { glob: '/usr/lib/python3/dist-packages/docutils', why: 'makes documentation' },
  { glob: '/usr/lib/python3/dist-packages/mypy', why: 'checks types of Python programs' },
  { glob: '/usr/lib/*/gconv', why: 'encodings other than UTF-8' },
  // Python's netaddr reads the index at its start, and the texts only when a maker is looked up.
  { glob: '/usr/share/ieee-data/*.txt', why: "names of network cards' makers" },
  { glob: '/usr/share/ieee-data/*.csv', why: "names of network cards' makers" },
  { glob: '/usr/share/iso-codes', why: 'names of countries and languages' },
  { glob: '/usr/share/icons', why: 'for desktops' },
  { glob: '/usr/share/fonts', why: 'for desktops' },
  { glob: '/usr/share/sounds', why: 'for desktops' },
  { glob: '/usr/share/vim/*/doc', why: 'documentation' },
  { glob: '/usr/share/vim/*/spell', why: 'spelling' },
  { glob: '/usr/share/common-licenses', why: 'texts of licences' },
  { glob: '/usr/share/bash-completion', why: 'for people at a prompt' },
  { glob: '/usr/lib/udev/hwdb.bin', why: 'names of devices; virtual machines have none of them' },
  { glob: '/usr/lib/go-*', why: 'for compilers' },
  { glob: '/usr/share/gcc', why: 'for debuggers' },
  { glob: '/usr/share/gdb', why: 'for debuggers' },
  { glob: '/usr/src', why: 'sources' },
];

/** Packages, by a pattern of their names, that serve only a machine which is installed and upgraded; none that another needs goes. */
export const USELESS_PACKAGES: readonly { readonly name: RegExp; readonly why: string }[] = [
  { name: /^(initramfs-tools(-core|-bin)?|dracut.*|klibc-utils|libklibc|linux-base|cpio)$/, why: 'makes initrds' },
  { name: /^(grub-.*|os-prober|efibootmgr|shim-.*)$/, why: 'boots from disks' },
  { name: /^(man-db|manpages.*|info|install-info|doc-base|groff-base)$/, why: 'documentation' },
  {
    name: /^(tasksel.*|installation-report|popularity-contest|reportbug|apt-listchanges)$/,
    why: 'for installed machines',
  },
  {
    name: /^(debconf-i18n|liblocale-gettext-perl|libtext-.*-perl|iso-codes|ieee-data)$/,
    why: 'translations and names',
  },
  { name: /^(binutils.*|gcc-\d+|g\+\+.*|cpp.*|make|libc6-dev|linux-libc-dev|.*-dbg(sym)?)$/, why: 'for compilers' },
];

/** What these need counts for nothing here: a kernel asks for an initrd's maker, which only an installed machine runs. */
export const NEEDS_IN_NAME_ONLY = /^linux-(image|modules|headers)-/;

/** Packages that are never proposed, whatever the boots opened: without them a node does not start or cannot be mended. */
export const KEPT_PACKAGES: readonly { readonly name: RegExp; readonly why: string }[] = [
  { name: /^linux-(image|modules)-/, why: 'the kernel' },
  {
    name: /^(libc6|libc-bin|libgcc-s1|libcrypt1|base-(files|passwd)|init-system-helpers)$/,
    why: 'the C library and the base',
  },
  {
    name: /^(dash|bash|coreutils|util-linux|mount|login|passwd|sed|grep|tar|gzip|findutils|hostname)$/,
    why: 'the shell',
  },
  {
    name: /^(systemd.*|libsystemd.*|libnss-.*|libpam-.*|udev|libudev1|dbus.*|libdbus-.*|init|kmod|procps)$/,
    why: 'init',
  },
  {
    name: /^(dpkg|apt|apt-utils|libapt-pkg.*|debian-archive-keyring|gpgv)$/,
    why: 'apt and dpkg, to mend a node by hand',
  },
  {
    name: /^(curl|wget|iproute2|busybox.*|ca-certificates|libcurl.*|udhcpc|isc-dhcp-client|openssh-server)$/,
    why: 'the agent and the way in',
  },
];

/** Paths below which nothing is proposed because no boot opened it: it waits for hardware, or for a day like no other. */
export const KEPT_PATHS: readonly Waste[] = [
  { glob: '/etc', why: 'settings' },
  { glob: '/root', why: 'the home of root' },
  { glob: '/home', why: 'homes' },
  { glob: '/usr/lib/modules', why: 'drivers for devices that other nodes have' },
  { glob: '/usr/lib/firmware', why: 'firmware for devices that other nodes have' },
  { glob: '/usr/lib/systemd', why: 'init' },
  { glob: '/usr/lib/udev', why: 'init' },
  { glob: '/usr/sbin/reveille-*', why: 'the agent' },
  { glob: '/usr/lib/reveille', why: 'the agent' },
  { glob: '/usr/share/zoneinfo', why: 'a node may get a time zone' },
  { glob: '/usr/lib/locale', why: 'C.UTF-8' },
  { glob: '/usr/lib/*/security', why: 'logging in' },
  { glob: '/usr/share/ca-certificates', why: 'certificates' },
  { glob: '/var/lib/dpkg', why: 'says what is installed' },
];
