import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

const LONGEST_NAME = 1024;

/**
 * The name that a client meant: backslashes are slashes, leading slashes go, as do `.` parts and the 0xFF that some
 * firmware drags along. `undefined` for a name that is empty, too long, holds control characters or a `..` part.
 */
export function cleanName(asked: string): string | undefined {
  if (asked.length > LONGEST_NAME) return undefined;
  const name = asked.replace(/[\u00ff\ufffd]+$/, '').replaceAll('\\', '/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[\u0000-\u001f\u007f]/.test(name)) return undefined;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..')) return undefined;
  return parts.join('/');
}

/**
 * The real path of the regular file that `name` (already cleaned) names below `root`, symbolic links followed;
 * `undefined` if there is none or if following them leaves `root`.
 */
export async function fileInside(root: string, name: string): Promise<string | undefined> {
  try {
    const [realRoot, path] = await Promise.all([realpath(root), realpath(join(root, name))]);
    if (!path.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return undefined;
    return (await stat(path)).isFile() ? path : undefined;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'ELOOP' || code === 'ENAMETOOLONG';
}
