import type { BigIntStats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';

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

/** A regular file by its real path, and what was seen of it just after that path was resolved. `asked`: its path before links were followed. */
export type SeenFile = { readonly path: string; readonly asked: string; readonly seen: BigIntStats };

/** The real path of what `seeInside` finds. */
export async function fileInside(root: string, name: string): Promise<string | undefined> {
  return (await seeInside(root, name))?.path;
}

/**
 * The regular file that `name` (already cleaned) names below `root`, symbolic links followed; `undefined` if there is none
 * or if following them leaves `root`.
 */
export async function seeInside(root: string, name: string): Promise<SeenFile | undefined> {
  try {
    const asked = join(root, name);
    const path = await realpath(asked);
    // A path that is real as asked holds no links, so neither does the root in front of it.
    const realRoot = path === asked ? resolve(root) : await realpath(root);
    if (!path.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return undefined;
    const seen = await stat(path, { bigint: true });
    return seen.isFile() ? { path, asked, seen } : undefined;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'ELOOP' || code === 'ENAMETOOLONG';
}
