import { ReveilleError } from '../errors.ts';
import { kernelPackage } from './check/agentNeeds.ts';
import type { RootIndex } from './index.ts';

/** The kernel that a root brings: where it lies in the root, and what it can read. */
export type RootKernel = {
  readonly path: string;
  readonly version: string;
  /** How its initrd may be compressed, the best first. */
  readonly compression: readonly ('zstd' | 'gzip')[];
  /** How a squashfs that it mounts may be compressed, the best first. */
  readonly squashfs: readonly ('zstd' | 'gzip')[];
};

/** Picks the newest /boot/vmlinuz-<version>, and reads from its configuration what it can unpack. */
export function findKernel(index: Pick<RootIndex, 'entries' | 'kernelConfigs' | 'osRelease'>): RootKernel {
  const versions = [...index.entries.values()]
    .filter((entry) => entry.kind === 'file' && entry.path.startsWith('boot/vmlinuz-'))
    .map((entry) => entry.path.slice('boot/vmlinuz-'.length))
    .sort(compareVersions);
  const version = versions.at(-1);
  if (version === undefined) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', 'the root holds no kernel (/boot/vmlinuz-*)', {
      hint: `add a kernel to the packages of the recipe: ${kernelPackage(index.osRelease)}`,
    });
  }
  const config = index.kernelConfigs.get(version);
  const takes = (option: string) => config === undefined || new RegExp(`^${option}=y$`, 'm').test(config);
  const compression: ('zstd' | 'gzip')[] = [];
  // Without a configuration only gzip is sure: every kernel of the last twenty years takes it.
  if (config !== undefined && takes('CONFIG_RD_ZSTD')) compression.push('zstd');
  if (takes('CONFIG_RD_GZIP')) compression.push('gzip');
  const squashfs: ('zstd' | 'gzip')[] = [];
  if (config !== undefined && takes('CONFIG_SQUASHFS_ZSTD')) squashfs.push('zstd');
  if (takes('CONFIG_SQUASHFS_ZLIB')) squashfs.push('gzip');
  return { path: `boot/vmlinuz-${version}`, version, compression, squashfs };
}

/** Decides how to compress a file: what the recipe asks if the kernel can take it, by itself the best it can. */
export function chooseCompression(
  kernel: RootKernel,
  file: 'initrd' | 'squashfs',
  asked: 'zstd' | 'gzip' | 'auto',
): 'zstd' | 'gzip' {
  const takes = file === 'initrd' ? kernel.compression : kernel.squashfs;
  const [best] = takes;
  const chosen = asked === 'auto' ? best : takes.find((one) => one === asked);
  if (chosen !== undefined) return chosen;
  throw new ReveilleError(
    'IMAGE_BUILD_FAILED',
    `kernel ${kernel.version} cannot read ${file === 'initrd' ? 'an initrd' : 'a squashfs'} compressed with ${asked === 'auto' ? 'zstd or gzip' : asked}`,
    best === undefined ? {} : { hint: `write compress: ${best}, or leave it out` },
  );
}

/** Orders versions such as 6.1.0-9-amd64 and 6.1.0-10-amd64 by their numbers. */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string) => version.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x = '', y = ''] = [left[at], right[at]];
    const order = Number(x) - Number(y);
    if (order !== 0 && !Number.isNaN(order)) return order;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
