import { execFileSync } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openShelf } from '../../src/image/shelf.ts';
import { demoImages } from './bootRack.ts';

const INIT = `#!/bin/busybox sh
/bin/busybox mkdir /proc
/bin/busybox mount -t proc proc /proc
echo "tiny is up: $(/bin/busybox cat /proc/cmdline)"
/bin/busybox poweroff -f
`;

/** Packs busybox, its libraries and the /init that stands on standard input. */
const MAKE_INITRD = `set -e
root=$(mktemp -d)
trap 'rm -r "$root"' EXIT
busybox=$(command -v busybox)
mkdir "$root/bin"
cp -L "$busybox" "$root/bin/busybox"
for library in $(ldd "$busybox" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
cat >"$root/init"
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$1"
`;

/**
 * Writes a system for a menu entry, `linux` and `initrd.gz`, into `folder`: the demo's kernel, and a busybox that says
 * `tiny is up: ` with its kernel line on the console and switches the machine off.
 */
export async function writeTinySystem(folder: string): Promise<void> {
  const image = await openShelf(await demoImages()).current('bookworm-ram');
  if (!image) throw new Error('the image of the demo is not on the shelf');
  await mkdir(folder, { recursive: true });
  await copyFile(image.kernel.path, join(folder, 'linux'));
  execFileSync('sh', ['-c', MAKE_INITRD, 'sh', join(folder, 'initrd.gz')], { input: INIT });
}
