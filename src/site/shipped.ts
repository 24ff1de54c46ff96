import { stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder that contains the program; `overlays/` below it are the shipped overlays. */
export const PROGRAM_ROOT = join(import.meta.dirname, '..', '..');

/** Where an overlay's files are: `overlays/<name>` below `root`. */
export type OverlayHome = { readonly root: string; readonly shipped: boolean };

/** The site's own overlay of that name, else the shipped one; `undefined` if neither exists. */
export async function overlayHome(siteRoot: string, name: string): Promise<OverlayHome | undefined> {
  if (await isFolder(join(siteRoot, 'overlays', name))) return { root: siteRoot, shipped: false };
  if (await isFolder(join(PROGRAM_ROOT, 'overlays', name))) return { root: PROGRAM_ROOT, shipped: true };
  return undefined;
}

/** Whether a folder, or a link to one, exists at `path`. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (about) => about.isDirectory(),
    () => false,
  );
}
