import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sh } from '../rig/network.ts';

const SIZE_MB = 256;

/** A disk of its own for the state: ext4 in a file where loop devices may be used (root of the machine), else a tmpfs. */
export class Disk {
  readonly kind: 'ext4' | 'tmpfs';
  readonly #folder: string;
  readonly #image: string;

  /** `blockSize` in bytes: 1024 as mkfs.ext4 gives small disks, or 4096. */
  constructor(folder: string, blockSize: number) {
    this.#folder = join(folder, 'disk');
    this.#image = join(folder, 'disk.img');
    mkdirSync(this.#folder);
    this.kind = this.#makeExt4(blockSize) ? 'ext4' : 'tmpfs';
    if (this.kind === 'tmpfs') sh(`mount -t tmpfs -o size=${SIZE_MB}m,mode=755 tmpfs ${this.#folder}`);
    mkdirSync(this.state, { mode: 0o750 });
  }

  get state(): string {
    return join(this.#folder, 'state');
  }

  /** Takes all room that is left; called again, also what has become free since. */
  fill(): void {
    const fd = openSync(join(this.#folder, 'filler'), 'a');
    try {
      for (let size = 1 << 20; size >= 512; size >>= 1) {
        const bytes = Buffer.alloc(size, 'full');
        while (writeSync(fd, bytes) === size);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(fd);
    }
    // The last blocks, which larger pieces did not fit.
    if (statfsSync(this.#folder).bavail > 0) this.#fillRest();
  }

  free(): void {
    rmSync(join(this.#folder, 'filler'), { force: true });
  }

  /** Makes the file system read-only under the running server, as the kernel does after an error (ext4 alone). */
  abort(): void {
    sh(`mount -o remount,abort ${this.#folder} || true`);
  }

  /** Checks and mounts it anew after `abort`; nothing may have files open there. */
  repair(): void {
    sh(
      `umount ${this.#folder}; e2fsck -fy ${this.#image} >/dev/null 2>&1 || true; mount -o loop ${this.#image} ${this.#folder}`,
    );
  }

  /** Mounts it read-only, or writable again; nothing may have files open for writing there. */
  remount(how: 'ro' | 'rw'): void {
    sh(`mount -o remount,${how} ${this.#folder}`);
  }

  close(): void {
    sh(`umount -l ${this.#folder} || true`);
  }

  #makeExt4(blockSize: number): boolean {
    try {
      const fd = openSync(this.#image, 'w');
      ftruncateSync(fd, SIZE_MB * 2 ** 20);
      closeSync(fd);
      // No blocks are kept for root, who would find room on a full disk.
      sh(`mkfs.ext4 -q -m 0 -b ${blockSize} ${this.#image} && mount -o loop ${this.#image} ${this.#folder}`);
      return true;
    } catch {
      rmSync(this.#image, { force: true });
      return false;
    }
  }

  #fillRest(): void {
    for (let i = 0; i < 4096; i++) {
      try {
        const fd = openSync(join(this.#folder, 'filler'), 'a');
        try {
          writeSync(fd, Buffer.alloc(4096, 'full'));
        } finally {
          closeSync(fd);
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
        throw error;
      }
    }
  }
}
