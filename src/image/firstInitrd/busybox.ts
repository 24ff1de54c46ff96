import { execFile } from 'node:child_process';
import { readFile, realpath, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ReveilleError } from '../../errors.ts';

/** A file for the first initrd; `path` has no leading slash. */
export type InitrdFile = { readonly path: string; readonly mode: number; readonly content: Uint8Array };

/** What the first initrd's script calls, beside what every busybox has. */
const APPLETS = [
  'udhcpc',
  'wget',
  'modprobe',
  'switch_root',
  'sha256sum',
  'mount',
  'ip',
  'timeout',
  'stat',
  'reboot',
  'awk',
];

/**
 * The build machine's busybox, and if it is not a static one its libraries, each at its own place. Throws TOOL_MISSING
 * where there is none, or none with the programs that the first initrd calls.
 */
export async function busyboxFiles(): Promise<readonly InitrdFile[]> {
  const hint = 'run: apt-get install busybox';
  const found = await firstOf(['/usr/bin/busybox', '/bin/busybox']);
  if (found === undefined) {
    throw new ReveilleError('TOOL_MISSING', 'busybox is not installed: a squashfs root is fetched with it', { hint });
  }
  const run = promisify(execFile);
  const has = new Set((await run(found, ['--list'])).stdout.split('\n'));
  const lacks = APPLETS.filter((applet) => !has.has(applet));
  if (lacks.length > 0) {
    throw new ReveilleError('TOOL_MISSING', `${found} lacks ${lacks.join(', ')}`, { hint });
  }
  // ldd fails for a program that needs no libraries.
  const { stdout } = await run('ldd', [found]).catch(() => ({ stdout: '' }));
  const libraries = [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
  const file = async (path: string, from: string): Promise<InitrdFile> => ({
    path: path.replace(/^\/+/, ''),
    mode: 0o755,
    content: await readFile(await realpath(from)),
  });
  return Promise.all([file('/bin/busybox', found), ...libraries.map((path) => file(path, path))]);
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}
