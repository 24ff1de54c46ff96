import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatPlace } from '../../errors.ts';
import type { Finding } from '../../model/finding.ts';

/** Files by path below the site folder; a path that ends in `/` makes an empty folder. */
export type SiteFiles = { readonly [path: string]: string };

/** Runs `use` on a site folder with these files; the folder is removed afterwards. */
export async function withSiteFolder<T>(files: SiteFiles, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-site-'));
  try {
    await writeFiles(folder, files);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function writeFiles(folder: string, files: SiteFiles): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const full = join(folder, path);
    await mkdir(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) await writeFile(full, text);
  }
}

/** `site.yaml:3:5: message`, or with the hint `site.yaml:3:5: message | hint`. */
export function findingText({ place, message, hint }: Finding): string {
  return `${formatPlace(place)}: ${message}${hint === undefined ? '' : ` | ${hint}`}`;
}
