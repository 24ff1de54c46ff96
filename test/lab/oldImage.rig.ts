import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openShelf } from '../../src/image/shelf.ts';

/** A rack as it was kept by hand: dhcpd for a LAN and the nodes' network on one wire, nodes told to start pxelinux. */
export const DHCPD = `# Addresses for the office and the cloud
class "cloud" { match substring (hardware, 1, 6); }
subclass "cloud" 52:54:00:00:03:01;   # left machine
subclass "cloud" 52:54:00:00:03:02;   # right machine
default-lease-time 3600;
max-lease-time 7200;
option domain-name-servers 9.9.9.9;

shared-network OFFICE {
  subnet 192.168.0.0 netmask 255.255.255.0 {
    option routers 192.168.0.1;
  }
  subnet 10.0.0.0 netmask 255.255.255.0 {
    option routers 10.0.0.1;
  }
  pool {
    deny members of "cloud";
    range 192.168.0.111 192.168.0.150;
  }
  pool {
    allow members of "cloud";
    deny unknown-clients;
    range 10.0.0.200 10.0.0.210;
  }
}
host left-cloud {
  hardware ethernet 52:54:00:00:03:01;
  fixed-address 10.0.0.51;
  option host-name "node01";
  next-server 10.0.0.2;
  filename "pxelinux.0";
}
host right-cloud {
  hardware ethernet 52:54:00:00:03:02;
  fixed-address 10.0.0.52;
  option host-name "node02";
  next-server 10.0.0.2;
  filename "pxelinux.0";
}
host office-desk {
  hardware ethernet 52:54:00:00:03:99;
  fixed-address 192.168.0.100;
}
log-facility local7;
`;

/** Its default names no label; the operator's words end in the boot server, which is what the old script reads. */
const DEFAULT = `default cloud
prompt 0
timeout 30
menu title The cloud

label diskless
  kernel cloud/vmlinuz
  append rw root=/dev/ram0 initrd=cloud/initrd.img console=ttyS0 no_timer_check TFTP=10.0.0.2

label other
  kernel other/linux
  append quiet
`;

/** What the old image runs: it knows of no agent, only of plain TFTP and a folder named for its address. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
modprobe virtio_pci
modprobe virtio_net
ip link set eth0 up
until udhcpc -q -n -t 5 -i eth0 -s /etc/udhcpc.script; do sleep 1; done

line=$(cat /proc/cmdline)
server=\${line##*TFTP=}
address=$(ip -4 -o addr show dev eth0 | sed 's|.* inet ||; s|/.*||')
folder=$(echo "$address" | tr . -)
for file in hosts hostname settings.sh; do
  tftp "$server" -m binary -c get "$folder/$file" "/etc/$file"
done
hostname -F /etc/hostname
chmod +x /etc/settings.sh
/etc/settings.sh
echo "old image done: $(hostname) has $address from $server"
poweroff -f
`;

const UDHCPC = `#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
`;

/** Its effect shows on the console, and only if it runs as root on the node, with the name and hosts in place. */
export const SETTINGS = `#!/bin/sh
store=$(grep ' store$' /etc/hosts | cut -d ' ' -f 1)
echo "settings: $(id -u) on $(hostname), store at $store" >/etc/settings.done
cat /etc/settings.done >/dev/console
`;

const TOOLS = ['/bin/busybox', '/usr/bin/tftp'];

/** Packs the root in the first argument: programs with their libraries, and the network's modules from another initrd. */
const PACK = `set -e
root=$1 modules=$2 out=$3
shift 3
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev"
for tool in "$@"; do
  cp -L "$tool" "$root/bin/"
  for library in $(ldd "$tool" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
done
(cd "$root" && zstd -dc "$modules" | cpio --quiet -id 'usr/lib/modules/*/modules.*' 'usr/lib/modules/*/virtio*' \\
  'usr/lib/modules/*/failover.ko' 'usr/lib/modules/*/net_failover.ko')
mv "$root/usr/lib/modules" "$root/lib/modules"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$out"
`;

/** Writes dhcpd.conf and the tree of the TFTP server, old image and all, into `folder`; its kernel is that of the demo's image. */
export async function writeOldRack(
  folder: string,
  images: string,
): Promise<{ readonly dhcpd: string; readonly tftp: string }> {
  const shelf = openShelf(images);
  const image = await shelf.current('bookworm-ram');
  if (!image) throw new Error('the image bookworm-ram has not been built');
  const tftp = join(folder, 'tftp');
  const files: readonly [string, string][] = [
    ['dhcpd.conf', DHCPD],
    ['tftp/pxelinux.cfg/default', DEFAULT],
    ['tftp/cloud/README', 'kernel and root of the nodes\n'],
    ...[51, 52].flatMap((last, i): [string, string][] => [
      [`tftp/10-0-0-${last}/hostname`, `cloud-node0${i + 1}\n`],
      [`tftp/10-0-0-${last}/hosts`, `127.0.0.1 localhost\n10.0.0.9${i + 1} store\n`],
      [`tftp/10-0-0-${last}/settings.sh`, SETTINGS],
    ]),
  ];
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFile(join(tftp, 'cloud/vmlinuz'), await readFile(image.kernel.path));
  await packRoot(join(tftp, 'cloud/initrd.img'), image.initrd.path);
  return { dhcpd: join(folder, 'dhcpd.conf'), tftp };
}

async function packRoot(out: string, modules: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'reveille-old-root-'));
  try {
    await mkdir(join(root, 'etc'));
    await writeFile(join(root, 'init'), INIT, { mode: 0o755 });
    await writeFile(join(root, 'etc/udhcpc.script'), UDHCPC, { mode: 0o755 });
    await writeFile(join(root, 'etc/services'), 'tftp 69/udp\n');
    execFileSync('sh', ['-c', PACK, 'sh', root, modules, out, ...TOOLS], { stdio: ['ignore', 'pipe', 'pipe'] });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const REVEILLE = join(import.meta.dirname, '../../bin/reveille');

/** Runs `reveille import` and gives the files of the site that it made, by path, and what it printed. */
export async function importSite(args: readonly string[], out: string) {
  const printed = execFileSync(REVEILLE, ['import', ...args, '--out', out], { encoding: 'utf8' });
  const files: { [path: string]: string } = {};
  for (const entry of await readdir(out, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.slice(out.length + 1)] = await readFile(path, 'utf8');
  }
  return { printed, files };
}
