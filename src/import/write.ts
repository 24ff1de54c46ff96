import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { ReveilleError } from '../errors.ts';
import type { SiteDraft } from './draft.ts';
import { copyFolder } from './pxelinux/folders.ts';
import { reportText } from './report.ts';
import { plainYaml, siteYaml } from './yamlText.ts';

/** The report's name in the new site. */
export const REPORT = 'import-report.md';

/**
 * Writes a draft as a site folder: site.yaml, images/, the folders that it names, and the report. `sources` are the files
 * that it was made from. The folder appears whole or not at all; it and all in it have modes by the umask, and an empty folder that
 * was there keeps its own mode and owner. Throws FOLDER_TAKEN if `out` holds something already.
 */
export async function writeSite(draft: SiteDraft, out: string, sources: readonly string[]): Promise<void> {
  const target = resolve(out);
  await requireEmpty(target, out);
  await mkdir(dirname(target), { recursive: true });
  // Not mkdtemp, whose folders are for their owner alone whatever the umask.
  const folder = join(dirname(target), `.${basename(target)}-${randomUUID()}`);
  await mkdir(folder);
  try {
    await lookLike(folder, target);
    for (const [to, from] of draft.folders) {
      for (const path of await copyFolder(from, inside(folder, to), dirname(from))) {
        draft.remark(
          'left',
          { file: join(from, path), line: 1, col: 1 },
          path,
          'a link that leads elsewhere, or no file: it is not copied',
        );
      }
    }
    for (const [name, image] of draft.images) await writeText(folder, `images/${name}.yaml`, plainYaml(image));
    const header = [
      `Imported from ${sources.map((source) => basename(source)).join(', ')}.`,
      `${REPORT} tells what was left out or has another meaning.`,
    ];
    await writeText(
      folder,
      'site.yaml',
      siteYaml({ site: draft.site, commentsAt: (path) => draft.commentsAt(path) }, header),
    );
    await writeReport(draft, folder, sources);
    await rename(folder, target);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Writes the report of all remarks into a site folder, in place of the one that is there. */
export async function writeReport(draft: SiteDraft, folder: string, sources: readonly string[]): Promise<void> {
  await writeText(folder, `${REPORT}.new`, reportText(draft.remarks, sources));
  await rename(join(folder, `${REPORT}.new`), join(folder, REPORT));
}

async function requireEmpty(target: string, out: string): Promise<void> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new ReveilleError('FOLDER_TAKEN', `${out} is not a folder that can be written: ${error.message}`);
  });
  if (entries.length === 0) return;
  throw new ReveilleError('FOLDER_TAKEN', `the folder ${out} is not empty`, { hint: 'name a new folder with --out' });
}

/** Gives the folder the mode and owner of one that it takes the place of. */
async function lookLike(folder: string, replaced: string): Promise<void> {
  const before = await stat(replaced).catch(() => undefined);
  if (before === undefined) return;
  const now = await stat(folder);
  if (now.uid !== before.uid || now.gid !== before.gid) await chown(folder, before.uid, before.gid);
  await chmod(folder, before.mode & 0o7777);
}

async function writeText(folder: string, name: string, text: string): Promise<void> {
  const path = inside(resolve(folder), name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

function inside(folder: string, name: string): string {
  const path = resolve(folder, name);
  if (path.startsWith(folder + sep)) return path;
  throw new ReveilleError('FILE_OUTSIDE_ROOT', `${name} leaves the new site's folder`);
}
