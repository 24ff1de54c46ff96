import { realpath } from 'node:fs/promises';
import type { SiteNode } from '../model/node.ts';
import { Findings } from '../site/finding.ts';
import { globMatcher } from '../site/glob.ts';
import { overlayHome } from '../site/shipped.ts';
import type { Site } from '../site/site.ts';
import { type Hook, SETTINGS_PATH } from './bundle.ts';
import { collisions, collisionWords, laidOf } from './collisions.ts';
import { nodeFolderDoubt } from './folderNames.ts';
import { type DeclaredHook, OVERLAY_FILE, type OverlayFile, parseOverlayFile, readOverlayFile } from './overlayFile.ts';
import { type OverlayVars, overlayVars, readOverlayVars } from './overlayVars.ts';
import { type Budget, type Folder, type FolderSource, newBudget, type Source, Tree } from './tree.ts';

export type { FolderSource, Source } from './tree.ts';

/** A node's sources: its files, of which later ones take precedence, and its hooks in the order in which they run. */
export type NodeSources = {
  readonly sources: readonly Source[];
  readonly folders: readonly FolderSource[];
  readonly hooks: readonly Hook[];
};

/**
 * All files for `node`: its overlays in order, then its own folders; and the overlays' hooks. Throws SITE_INVALID at the
 * first that cannot be taken.
 */
export async function readSources(site: Site, node: SiteNode): Promise<NodeSources> {
  const findings = new Findings();
  const budget = newBudget();
  const sources: Source[] = [];
  const folders: FolderSource[] = [];
  const hooks: Hook[] = [];
  const add = (read: NodeFolder, given: readonly Source[]) => {
    sources.push(...given);
    folders.push(...read.folders);
    hooks.push(...read.hooks.map((hook) => watching(hook, read)));
  };
  for (const name of node.overlays) {
    const overlay = await readOverlay(site.root, name, findings, budget);
    add(overlay, sourcesFor(node, overlay));
  }
  for (const name of node.folders) {
    const folder = await readNodeFolder(site.root, name, findings, budget);
    add(folder, folder.sources);
  }
  await refuseSecrets(site, sources, findings);
  for (const collision of collisions(laidOf(sources, folders))) {
    findings.error({ file: collision.outer.file, line: 1, col: 1 }, ...collisionWords(collision));
  }
  findings.throwFirst();
  return { sources, folders, hooks };
}

/** A link must not point to the file of a secret: variables decide which node gets a secret, and only their values are hidden. */
export async function refuseSecrets(site: Site, sources: readonly Source[], findings: Findings): Promise<void> {
  const linked = sources.filter(({ real }) => real !== undefined);
  if (linked.length === 0) return;
  for (const [name, secret] of site.secrets) {
    const path = secret.kind === 'file' ? await realpath(secret.path).catch(() => undefined) : undefined;
    for (const { file, real } of linked) {
      if (real !== path) continue;
      const hint = `write {{ secrets.${name} }} into a variable, and the variable into a template`;
      findings.error({ file, line: 1, col: 1 }, `this link leads to the file of secret "${name}"`, hint);
    }
  }
}

/** An overlay as it is on disk: its files, and its overlay.yaml. */
export type Overlay = {
  readonly name: string;
  /** Whether it is a shipped one. */
  readonly shipped: boolean;
  readonly about?: string;
  readonly vars: OverlayVars;
} & NodeFolder;

/** A node's folder as it is on disk: its files, and the hooks of its overlay.yaml. */
export type NodeFolder = {
  readonly hooks: readonly DeclaredHook[];
  readonly sources: readonly Source[];
  readonly folders: readonly FolderSource[];
};

/**
 * The site's own `overlays/<name>`, else the shipped one: a tree that is laid over `/`, and what its overlay.yaml says.
 * What is wrong goes into `findings`.
 */
export async function readOverlay(
  siteRoot: string,
  name: string,
  findings: Findings,
  budget: Budget = newBudget(),
): Promise<Overlay> {
  const { root, shipped } = (await overlayHome(siteRoot, name)) ?? { root: siteRoot, shipped: false };
  const folder = `overlays/${name}`;
  const suffix = shipped ? ' (shipped)' : '';
  const tree = new Tree({ root, origin: `overlay ${name}${suffix}`, suffix, public: shipped }, findings, budget);
  const opened = await tree.open(folder);
  const settings = await readAccess(tree, opened, `${folder}/${OVERLAY_FILE}${suffix}`, findings);
  if (opened) await tree.take(opened, 'overlay', settings.access, (entry) => entry !== OVERLAY_FILE);
  return {
    name,
    shipped,
    ...(settings.about === undefined ? {} : { about: settings.about }),
    vars: readOverlayVars(settings.yaml, findings),
    hooks: settings.hooks,
    ...tree.withAccess(),
  };
}

/** An overlay's files as `node` gets them. Throws SITE_INVALID if the node's variables are not what the overlay needs. */
export function sourcesFor(node: SiteNode, { name, vars: known, sources }: Overlay): readonly Source[] {
  if (known.size === 0) return sources;
  const vars = overlayVars(name, known, node.vars, node.overlayOrigins.get(name));
  return sources.map((source) => ({ ...source, vars }));
}

/**
 * What `nodes/<folder>` gives a node: hosts, hostname, settings.sh (each also as .j2) and the tree `files/`, with the owners, modes and
 * hooks of its overlay.yaml. Any other name is a warning.
 */
export async function readNodeFolder(
  root: string,
  name: string,
  findings: Findings,
  budget: Budget = newBudget(),
): Promise<NodeFolder> {
  const folder = `nodes/${name}`;
  const tree = new Tree({ root, origin: folder, suffix: '', public: false }, findings, budget);
  const opened = await tree.open(folder);
  if (opened === undefined) return { sources: [], folders: [], hooks: [] };
  const settings = await readAccess(tree, opened, `${folder}/${OVERLAY_FILE}`, findings);
  if (isMap(settings.yaml.value) && 'vars' in settings.yaml.value) {
    const hint = 'variables of a node stand in site.yaml';
    findings.error(settings.yaml.keyPlace(['vars']), "a node's folder declares no vars", hint);
  }
  let files: Folder | undefined;
  for (const entry of await tree.entries(opened)) {
    const file = `${folder}/${entry.name}`;
    const special = SPECIAL.get(entry.name.replace(/\.j2$/, ''));
    if (special) {
      const found = await tree.resolved(opened, entry, 'file');
      if (found) await tree.add(file, found.path, special.path, { mode: special.mode, linked: found.linked });
    } else if (entry.name === 'files') {
      const found = await tree.resolved(opened, entry, 'folder');
      if (found) files = { file, real: found.path, base: found.path, through: [] };
    } else if (entry.name !== OVERLAY_FILE) {
      tree.doubt(opened, entry, nodeFolderDoubt(entry.name, entry.isDirectory()));
    }
  }
  await tree.take(files, 'files', settings.access);
  return { ...tree.withAccess(), hooks: settings.hooks };
}

/** The overlay.yaml of a folder; a missing one sets nothing. */
async function readAccess(
  tree: Tree,
  folder: Folder | undefined,
  file: string,
  findings: Findings,
): Promise<OverlayFile> {
  const entry = folder && (await tree.entry(folder, OVERLAY_FILE));
  const found = entry && (await tree.resolved(folder, entry, 'file'));
  return found === undefined ? parseOverlayFile(file, '', findings) : readOverlayFile(found.path, file, findings);
}

/** Old meaning, kept: these names in a node's folder are not paths. */
const SPECIAL: ReadonlyMap<string, { readonly path: string; readonly mode?: number }> = new Map([
  ['hosts', { path: '/etc/hosts', mode: 0o644 }],
  ['hostname', { path: '/etc/hostname', mode: 0o644 }],
  ['settings.sh', { path: SETTINGS_PATH, mode: 0o700 }],
]);

/** A hook with `files` watches them whatever their source; one without watches the overlay's own. */
function watching({ run, files }: DeclaredHook, { sources, folders }: NodeFolder): Hook {
  if (files !== undefined) return { run, watches: globMatcher(files) };
  const paths = new Set([...sources, ...folders].map(({ path }) => path));
  return { run, watches: (path) => paths.has(path) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
