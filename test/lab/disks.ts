import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Disks of machines, made without root and without mounting anything.

/** Runs a program as root, or as root of a user namespace with many ids: files then have the owners that they should. */
export function asRoot(program: string, ...args: readonly string[]): string {
  const user = process.getuid?.() === 0 ? [] : ['unshare', '--user', '--map-root-user', '--map-auto'];
  const [first = program, ...rest] = [...user, program, ...args];
  return execFileSync(first, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** An ext4 file system that holds what a tar holds. */
export function ext4Of(path: string, tar: string, sizeMb: number, ...options: readonly string[]): void {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'));
  const words = options.join(' ');
  try {
    asRoot(
      'sh',
      '-ec',
      `mkdir ${tree}/root
       tar -C ${tree}/root -x -p --same-owner --numeric-owner --xattrs --xattrs-include='*' --anchored --exclude='./dev/*' -f ${tar}
       mke2fs -q -t ext4 ${words} -d ${tree}/root ${path} ${sizeMb}m
       rm -rf ${tree}/root`,
    );
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

export type Partition = { readonly content: string; readonly type?: string };

const MEBIBYTE = 1 << 20;

/** A disk with a partition table, each partition as large as the file that it holds. */
export function partitioned(path: string, label: 'gpt' | 'dos', partitions: readonly Partition[]): void {
  const sizes = partitions.map(({ content }) => Math.ceil(statSync(content).size / MEBIBYTE));
  writeFileSync(path, '');
  truncateSync(path, (2 + sizes.reduce((sum, size) => sum + size, 0)) * MEBIBYTE);
  const lines = partitions.map(({ type }, at) => `size=${sizes[at]}MiB${type === undefined ? '' : `, type=${type}`}`);
  execFileSync('/usr/sbin/sfdisk', ['-q', path], { input: [`label: ${label}`, ...lines, ''].join('\n') });
  let at = 1;
  for (const [i, { content }] of partitions.entries()) {
    copyInto(path, content, at * MEBIBYTE);
    at += sizes[i] ?? 0;
  }
}

/** Copies a file into another at an offset, holes left out. */
function copyInto(path: string, from: string, offset: number): void {
  const [to, source] = [openSync(path, 'r+'), openSync(from, 'r')];
  const block = Buffer.alloc(MEBIBYTE);
  for (let at = 0; ; at += block.length) {
    const length = readSync(source, block, 0, block.length, at);
    if (length === 0) break;
    if (block.subarray(0, length).some((byte) => byte !== 0)) writeSync(to, block, 0, length, offset + at);
  }
  closeSync(to);
  closeSync(source);
}

export function toQcow2(raw: string, qcow2: string): void {
  execFileSync('qemu-img', ['convert', '-O', 'qcow2', raw, qcow2]);
  rmSync(raw);
}

/** A raw disk with one logical volume `vg-a/root` that holds a file: made by the guest that reads disks, which has lvm. */
export function logicalVolume(
  disk: string,
  content: string,
  reader: { readonly kernel: string; readonly initrd: string },
  init: Uint8Array,
): void {
  writeFileSync(disk, '');
  truncateSync(disk, statSync(content).size + 16 * MEBIBYTE);
  const initrd = `${disk}.initrd`;
  // The kernel looks for a further archive at multiples of four.
  const first = readFileSync(reader.initrd);
  writeFileSync(initrd, Buffer.concat([first, Buffer.alloc(-first.length & 511), init]));
  const args = ['-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg', '-m', '512', '-no-reboot'];
  const drives = [disk, content].flatMap((file) => ['-drive', `if=virtio,format=raw,file=${file}`]);
  const kernel = [
    '-kernel',
    reader.kernel,
    '-initrd',
    initrd,
    '-append',
    'console=ttyS0 no_timer_check rdinit=/make panic=-1',
  ];
  const said = execFileSync('qemu-system-x86_64', [...args, ...drives, ...kernel, '-serial', 'stdio'], {
    encoding: 'utf8',
    timeout: 120_000,
    input: '',
  });
  if (!said.includes('the volume is made')) throw new Error(said.slice(-2000));
}
