import { readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import type { RootIndex } from './index.ts';
import type { Laid } from './layin.ts';

/** Beside the files of an image: the paths of all its files, a line each, compressed with gzip. */
export const LIST_FILE = 'files.gz';

const LONGEST = 64 * 1024 * 1024;

/** Writes the list into an image's draft folder: the files of the root, and those that every image gets. */
export async function writeFileList(
  folder: string,
  { entries, links }: Pick<RootIndex, 'entries' | 'links'>,
  laid: readonly Laid[] = [],
): Promise<void> {
  const all = [...entries.values(), ...laid.map(({ entry }) => entry)];
  const files = all.flatMap(({ kind, path }) => (kind === 'file' ? [path] : []));
  const paths = [...new Set([...files, ...[...links.values()].flat()])].sort();
  const text = paths.map((path) => `/${path}\n`).join('');
  await writeFile(join(folder, LIST_FILE), await promisify(gzip)(text), { flush: true });
}

/** The list of the image that `name` stands for on the shelf in `folder`; `undefined` for one that has none, or none that is whole. */
export function fileListOf(folder: string, name: string): ReadonlySet<string> | undefined {
  try {
    const { sha256 } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as { sha256?: unknown };
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
    const path = join(folder, 'by-hash', sha256, LIST_FILE);
    if (!statSync(path).isFile()) return undefined;
    const text = gunzipSync(readFileSync(path), { maxOutputLength: LONGEST }).toString('utf8');
    return new Set(text.split('\n'));
  } catch {
    // An image of an earlier version has none, and a damaged one is reported where it is served.
    return undefined;
  }
}
