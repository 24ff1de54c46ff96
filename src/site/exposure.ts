import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Findings } from './finding.ts';
import type { SiteDocuments } from './resolve.ts';
import type { Site } from './site.ts';
import { holds } from './siteLinks.ts';

/**
 * Finds what the boot network could fetch although it must not: a `tftp.root` that is, contains or lies in the site, the state
 * folder (if known) or an overlay; and files of secrets below `tftp.root`, in node folders (which are served too) or in overlays
 * (which nodes get). Links are followed: the real path of a file counts.
 */
export function checkExposure(
  { root, site: document, overlays, nodeFolders }: SiteDocuments,
  { tftp, secrets }: Pick<Site, 'tftp' | 'secrets'>,
  stateFolder: string | undefined,
  findings: Findings,
): void {
  if (tftp.root === undefined && ![...secrets.values()].some(({ kind }) => kind === 'file')) return;
  const all = (paths: readonly string[]) => paths.map(realOf);
  const inSite = (folder: string, names: readonly string[]) => [folder, ...names.map((name) => `${folder}/${name}`)];
  const overlayFolders = all(inSite('overlays', overlays).map((path) => join(root, path)));
  const folders = all(inSite('nodes', nodeFolders).map((path) => join(root, path)));
  const served = tftp.root === undefined ? undefined : realOf(tftp.root);

  if (served !== undefined) {
    const place = document.place(['tftp', 'root']);
    const hint = 'make a folder for what is to be served and nothing else, such as `tftp: { root: tftp }`';
    const error = (what: string) =>
      findings.error(place, `${tftp.root} ${what}, which anyone on the boot network could fetch`, hint);
    const state = stateFolder === undefined ? undefined : realOf(stateFolder);
    const ofSite = all([root, join(root, 'site.yaml')]);
    if (ofSite.some((path) => holds(served, path))) error('holds the site');
    else if (overlayFolders.some((path) => holds(served, path))) error('holds overlays');
    else if (overlayFolders.some((path) => holds(path, served))) error('is part of an overlay');
    if (state !== undefined && holds(served, state)) error('holds the state');
  }

  for (const [name, source] of secrets) {
    if (source.kind !== 'file') continue;
    const path = realOf(source.path);
    const where =
      served !== undefined && holds(served, path)
        ? 'below tftp.root: anyone on the boot network could fetch it'
        : folders.some((folder) => holds(folder, path))
          ? 'in the folder of a node: anyone on the boot network could fetch it'
          : overlayFolders.some((folder) => holds(folder, path))
            ? 'in an overlay: every node with that overlay would get it'
            : undefined;
    if (where === undefined) continue;
    findings.error(
      document.keyPlace(['secrets', name]),
      `the file of secret "${name}" lies ${where}`,
      `move it, for example to secrets/${basename(path)}`,
    );
  }
}

/**
 * The real path; of a path that does not exist yet, the place in its real folder. Synchronous: thousands of calls in the thread
 * pool would delay the file reads of requests.
 */
function realOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realOf(parent), basename(path));
  }
}
