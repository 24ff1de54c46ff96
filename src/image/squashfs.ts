import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReveilleError } from '../errors.ts';
import { inBlocks } from './compress.ts';
import type { Member } from './cpio.ts';
import type { Written } from './pack.ts';
import { tar } from './tarWriter.ts';

// Level 15 of zstd as mksquashfs has it by default. Blocks of 256 KB: 5 % smaller than those of 128 KB, and a file that
// is read in parts takes little time.
const BLOCK_BYTES = 256 * 1024;
const COMPRESSION = {
  zstd: ['-comp', 'zstd', '-Xcompression-level', '15'],
  gzip: ['-comp', 'gzip', '-Xcompression-level', '9'],
} as const;

/**
 * Writes members as a squashfs with mksquashfs, which reads them as a tar: nothing is unpacked and it does not need root.
 * Owners, times, capabilities and hard links are kept. The same members give the same bytes; `epoch` (seconds since
 * 1970) is the time that the file system itself bears.
 */
export async function writeSquashfs(
  path: string,
  members: AsyncIterable<Member>,
  compression: keyof typeof COMPRESSION,
  epoch: number,
): Promise<Written> {
  await rm(path, { force: true });
  const program = spawn('mksquashfs', [
    ...['-', path, '-tar', '-noappend', '-no-progress', '-quiet', '-b', String(BLOCK_BYTES)],
    ...COMPRESSION[compression],
    ...['-mkfs-time', String(epoch), '-root-time', String(epoch)],
    ...['-root-mode', '755', '-root-uid', '0', '-root-gid', '0'],
  ]);
  let printed = '';
  const listen = (chunk: Buffer) => {
    printed = `${printed}${chunk}`.slice(-4096);
  };
  program.stdout.on('data', listen);
  program.stderr.on('data', listen);
  const ended = new Promise<number | null>((resolve, reject) => {
    program.on('close', resolve);
    program.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(cause);
      const hint = 'run: apt-get install squashfs-tools';
      reject(new ReveilleError('TOOL_MISSING', 'mksquashfs is not installed', { hint, cause }));
    });
  });
  // Where mksquashfs ends before it has read all, its exit says why; where the members break off, they do.
  const fed = pipeline(Readable.from(inBlocks(tar(members)), { objectMode: false }), program.stdin).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'ECONNRESET') return;
      program.kill();
      throw error;
    },
  );
  const [code] = await Promise.all([ended, fed]);
  if (code !== 0) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `mksquashfs cannot write ${path}:\n${printed.trim()}`);
  }
  return measured(path);
}

async function measured(path: string): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    size += chunk.length;
  }
  const handle = await open(path, 'r+');
  await handle.chmod(0o644);
  await handle.sync();
  await handle.close();
  return { size, sha256: hash.digest('hex') };
}
