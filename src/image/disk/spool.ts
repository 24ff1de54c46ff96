import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ReveilleError } from '../../errors.ts';
import type { ForeignSource } from '../../model/recipe.ts';
import type { RootStep } from '../mmdebstrap.ts';
import { startGuest } from './guest.ts';
import type { DiskReader } from './reader.ts';
import { chooseRoot, parseVolumes, planReading } from './volumes.ts';

/** What is no part of a root, or only of the machine that had the disk. */
const EXCLUDED = [
  './dev/*',
  './proc/*',
  './sys/*',
  './run/*',
  './tmp/*',
  './lost+found',
  './swapfile',
  './swap.img',
  // As long as the highest user id says, and empty.
  './var/log/lastlog',
  './var/cache/apt/archives/*.deb',
];

/**
 * Writes the root of a machine's disk as a tar at `to`. A small guest reads it, so that no file system of others is
 * mounted by this machine's kernel, and nothing needs root. `work` is a folder for its console.
 */
export async function spoolDisk(
  from: Extract<ForeignSource, { kind: 'disk' }>,
  reader: DiskReader,
  to: string,
  work: string,
  onStep: (step: RootStep) => void,
): Promise<void> {
  const format = await diskFormat(from.path);
  onStep({ doing: 'starting a guest that reads the disk' });
  const guest = await startGuest({ disk: from.path, format, reader, to, console: join(work, 'console') });
  try {
    const volumes = parseVolumes(await guest.linesUntil('end'));
    const root = chooseRoot(volumes, from.partition, from.path);
    const plan = planReading(root, volumes);
    for (const path of plan.missing) onStep({ doing: `${path} of its fstab is not on this disk and stays empty` });
    for (const { device, type, options, path } of plan.mounts) guest.send(`mount ${device} ${type} ${options} ${path}`);
    for (const pattern of [...EXCLUDED, ...plan.excluded.map((path) => `.${path}`)]) guest.send(`exclude ${pattern}`);
    guest.send('go');
    await guest.finished((doneBytes, ofBytes) => {
      const title = root.root?.title || 'the root';
      onStep({ doing: `reading ${title}`, fraction: ofBytes === 0 ? 0 : Math.min(1, doneBytes / ofBytes) });
    });
  } finally {
    await guest.close();
  }
}

const infoSchema = z.object({ format: z.string(), encrypted: z.boolean().optional() });

/** The format of a disk's file, as qemu-img sees it. A name that ends in .raw is believed. */
async function diskFormat(path: string): Promise<string> {
  if (path.endsWith('.raw')) return 'raw';
  // Without --force-share, a machine that runs from the disk locks it: the error comes when the guest starts.
  const { stdout } = await promisify(execFile)('qemu-img', ['info', '--force-share', '--output=json', path]).catch(
    (cause: NodeJS.ErrnoException & { readonly stderr?: string }) => {
      if (cause.code === 'ENOENT') {
        throw new ReveilleError('TOOL_MISSING', 'qemu-img is not installed', {
          hint: 'run: apt-get install qemu-utils',
          cause,
        });
      }
      throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} cannot be read as a disk: ${cause.stderr?.trim() ?? ''}`, {
        cause,
      });
    },
  );
  const info = infoSchema.parse(JSON.parse(stdout));
  if (info.encrypted !== true) return info.format;
  throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} is encrypted`, {
    hint: 'decrypt a copy: qemu-img convert --object secret,... --image-opts ... copy.qcow2',
  });
}
