import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type SiteFiles, writeFiles } from '../../src/site/testing/folderFixture.ts';

const MODULES = ['ldlinux', 'menu', 'vesamenu', 'libutil', 'libcom32', 'libgpl', 'hdt'];
const CONFIG = 'pxelinux.cfg/default';
const LONGEST_START = 120_000;

/**
 * What a machine asks its TFTP server for, names in their order: real pxelinux and menu.c32 start from the `tftp/` of these files,
 * and nobody touches a key. It ends once a name matches `until`, or `waitSeconds` after it asked for `pxelinux.cfg/default`. QEMU's own
 * TFTP server answers, so that nothing leaves the process.
 */
export async function askedFor(files: SiteFiles, until: RegExp, waitSeconds: number): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-pxelinux-'));
  const tftp = join(folder, 'tftp');
  const wire = join(folder, 'wire');
  await writeFiles(folder, files);
  await copyFile('/usr/lib/PXELINUX/pxelinux.0', join(tftp, 'pxelinux.0'));
  for (const name of MODULES) await copyFile(`/usr/lib/syslinux/modules/bios/${name}.c32`, join(tftp, `${name}.c32`));
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-machine',
        'pc',
        '-accel',
        'tcg',
        '-m',
        '128',
        '-nodefaults',
        '-no-user-config',
        '-display',
        'none',
        '-vga',
        'std',
      ],
      ...['-netdev', `user,id=net,restrict=on,tftp=${tftp},bootfile=pxelinux.0`],
      ...['-device', 'virtio-net-pci,netdev=net,bootindex=0', '-object', `filter-dump,id=wire,netdev=net,file=${wire}`],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  try {
    return await watch(qemu, wire, until, waitSeconds * 1000);
  } finally {
    qemu.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** What boots nothing may try again and again, so the time counts from the first sight of the configuration. */
async function watch(qemu: ChildProcess, wire: string, until: RegExp, wait: number): Promise<readonly string[]> {
  const startedAt = Date.now();
  let configuredAt: number | undefined;
  for (;;) {
    await delay(200);
    if (qemu.exitCode !== null) throw new Error(`QEMU ended with ${qemu.exitCode}`);
    const names = requests(await readFile(wire).catch(() => Buffer.alloc(0)));
    if (names.includes(CONFIG)) configuredAt ??= Date.now();
    const isOver = configuredAt !== undefined && Date.now() - configuredAt > wait;
    if (isOver || names.some((name) => until.test(name))) return names;
    if (configuredAt === undefined && Date.now() - startedAt > LONGEST_START)
      throw new Error(`pxelinux has not started: ${names.join(', ')}`);
  }
}

/** The names in the TFTP read requests of a capture (pcap, Ethernet). */
function requests(pcap: Buffer): readonly string[] {
  const names: string[] = [];
  let at = 24;
  while (at + 16 <= pcap.length) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.length < 46 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) continue;
    const udp = frame.subarray(14 + ((frame[14] ?? 0) & 15) * 4);
    if (udp.length < 12 || udp.readUInt16BE(2) !== 69 || udp.readUInt16BE(8) !== 1) continue;
    names.push(udp.toString('latin1', 10, udp.indexOf(0, 10)));
  }
  return names;
}
