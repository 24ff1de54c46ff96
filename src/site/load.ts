import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { type Place, wordsOf } from '../errors.ts';
import type { Finding } from '../model/finding.ts';
import { readRegular } from '../regularFile.ts';
import { formedText } from '../textForm.ts';
import { checkExposure } from './exposure.ts';
import { Findings } from './finding.ts';
import { NAME_PATTERN } from './forms.ts';
import { heldText } from './heldText.ts';
import { warnOfHere } from './here.ts';
import { imageSchema } from './imageSchema.ts';
import { KnownNodes } from './knownNodes.ts';
import { leftoverOf } from './leftovers.ts';
import type { PathKind } from './menu.ts';
import { namedPaths, resolveSite, type SiteDocuments } from './resolve.ts';
import { profileSchema } from './schema.ts';
import type { InterfaceAddresses } from './servers.ts';
import type { Declared } from './shape.ts';
import { PROGRAM_ROOT } from './shipped.ts';
import type { Site } from './site.ts';
import { followInside } from './siteLinks.ts';
import { SiteMemory } from './siteMemory.ts';
import { aroundNodes, heldSite, withoutNodes } from './siteText.ts';

/**
 * A site loads whole or not at all. Findings are sorted by file, line and column; `findings` has at least one. `texts` are those
 * of its YAML files that could be read, by name.
 */
export type Loaded = { readonly texts: ReadonlyMap<string, string> } & (
  | { readonly ok: true; readonly site: Site; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[]; readonly warnings: readonly Finding[] }
);

/**
 * Loads the site in `folder`: site.yaml, profiles/*.yaml, images/*.yaml, and the names of the folders below overlays/ and nodes/.
 * Reports all faults at once. Places name files relative to `folder`. Never rejects for what the operator wrote or for missing
 * files. `siteText` replaces the text of site.yaml, to try an edit; `stateFolder` is the state folder of the server that serves
 * the site, if known; `here` are this machine's interfaces, to check the site's against; `memory` is of earlier readings of this folder.
 */
export async function loadSite(
  folder: string,
  {
    siteText,
    stateFolder,
    here,
    memory = new SiteMemory(),
  }: {
    readonly siteText?: string;
    readonly stateFolder?: string;
    readonly here?: InterfaceAddresses;
    readonly memory?: SiteMemory;
  } = {},
): Promise<Loaded> {
  const root = resolve(folder);
  const findings = new Findings();
  const texts = new Map<string, string>();
  if ((await kindOf(root)) === 'file') {
    findings.error(startOf('.'), `${root} is a file`, 'name the folder that holds site.yaml: --site DIR');
    return { ok: false, findings: findings.errors, warnings: [], texts };
  }
  const documents = await readDocuments(root, siteText, texts, memory, findings);
  if (documents === undefined) return { ok: false, findings: findings.errors, warnings: findings.warnings, texts };

  const kinds = new Map<string, PathKind>();
  for (const path of new Set(namedPaths(documents))) kinds.set(path, await kindOf(path));
  const known = new KnownNodes(memory, around(documents, texts));
  const site = resolveSite(documents, (path) => kinds.get(path) ?? 'missing', known, findings);
  if (here) warnOfHere(site, documents.site, here, findings);
  checkExposure(documents, site, stateFolder, findings);
  const { errors, warnings } = findings;
  const misplaced = errors.length > 0 ? sectionInVars(documents.site) : undefined;
  if (misplaced) return { ok: false, findings: [misplaced], warnings, texts };
  return errors.length > 0 ? { ok: false, findings: errors, warnings, texts } : { ok: true, site, warnings, texts };
}

/** Loads a site as if `nodes:` were empty, which takes no longer for a large rack than for a small one. Its findings are of a text that is on no disk. */
export async function loadWithoutNodes(folder: string): Promise<Loaded> {
  const text = await readText(resolve(folder), 'site.yaml', LONGEST_SITE, new Findings());
  return loadSite(folder, text === undefined ? {} : { siteText: withoutNodes(text) });
}

/** Far more than a site needs: 10 MB of YAML hold some 50,000 nodes. */
export const LONGEST_SITE = 10_000_000;
const LONGEST_OTHER = 1_000_000;
const MOST_FILES = 2000;
const MOST_FOLDERS = 200_000;

/** A section that the rest asks for, indented so that it has become a variable. */
function sectionInVars({ value, keyPlace }: SiteDocuments['site']): Finding | undefined {
  const section = (['networks', 'profiles', 'nodes'] as const).find(
    (name) => Object.keys(value[name] ?? {}).length === 0 && Object.hasOwn(value.vars, name),
  );
  if (section === undefined) return undefined;
  const message = `"${section}" stands in vars, where it is a variable`;
  return { place: keyPlace(['vars', section]), message, hint: 'a section begins in the first column' };
}

async function readDocuments(
  root: string,
  siteText: string | undefined,
  texts: Map<string, string>,
  memory: SiteMemory,
  findings: Findings,
): Promise<SiteDocuments | undefined> {
  const text = siteText ?? (await readText(root, 'site.yaml', LONGEST_SITE, findings));
  if (text !== undefined) texts.set('site.yaml', text);
  const site = text === undefined ? undefined : heldSite(text, findings, memory);
  const profiles = await readFolder(root, 'profiles', profileSchema, texts, memory, findings);
  const images = await readFolder(root, 'images', imageSchema, texts, memory, findings);
  const overlays = await foldersIn(root, 'overlays', findings);
  const shippedOverlays = await foldersIn(PROGRAM_ROOT, 'overlays', findings);
  const nodeFolders = await foldersIn(root, 'nodes', findings);
  await warnOfRoot(root, findings);
  return site === undefined ? undefined : { root, site, profiles, images, overlays, shippedOverlays, nodeFolders };
}

/** All `NAME.yaml` in `folder` by name. */
async function readFolder<T>(
  root: string,
  folder: string,
  schema: z.ZodType<T>,
  texts: Map<string, string>,
  memory: SiteMemory,
  findings: Findings,
): Promise<ReadonlyMap<string, Declared<T> | undefined>> {
  const documents = new Map<string, Declared<T> | undefined>();
  for (const { name: entry } of await entriesOf(root, folder, MOST_FILES, findings)) {
    const file = `${folder}/${entry}`;
    if (entry.startsWith('.') || leftoverOf(entry) !== undefined) continue;
    if (!entry.endsWith('.yaml')) {
      if (/\.(?:ya?ml|json)(?:\.(?:j2|txt))?$/i.test(entry))
        findings.warn(startOf(file), 'this file is not read', 'its name must end in .yaml');
      continue;
    }
    const name = entry.slice(0, -'.yaml'.length);
    if (!NAME_PATTERN.test(name)) {
      findings.error(startOf(file), `"${name}" cannot be a name`, 'use letters, digits, ".", "_" and "-"');
    }
    const text = await readText(root, file, LONGEST_OTHER, findings);
    if (text !== undefined) texts.set(file, text);
    if (text?.trim() === '')
      findings.error(startOf(file), 'this file is empty', 'an empty file of settings contains {}');
    const read = (given: string) => () => {
      const own = new Findings();
      const declared = heldText(file, given, schema, own);
      findings.take(own);
      return { declared, clean: own.count === 0 };
    };
    documents.set(name, text === undefined ? undefined : memory.file(file, text, read(text)));
  }
  return documents;
}

/** All that the settings of nodes depend on beside their entries, as a text. */
function around({ overlays, shippedOverlays, nodeFolders }: SiteDocuments, texts: ReadonlyMap<string, string>): string {
  const files = [...texts].map(([file, text]) => [file, file === 'site.yaml' ? aroundNodes(text) : text]);
  return JSON.stringify([files, overlays, shippedOverlays, nodeFolders]);
}

async function readText(root: string, file: string, longest: number, findings: Findings): Promise<string | undefined> {
  try {
    const form = formedText('yaml', await readRegular(join(root, file), longest));
    if ('text' in form) return form.text;
    const { line, col, message, hint } = form.problem;
    findings.error({ file, line, col }, message, hint);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') findings.error(startOf(file), `there is no ${file} in ${root}`, absenceHint(file));
    else if (codeOf(error) === undefined) findings.error(startOf(file), wordsOf(error));
    else findings.error(startOf(file), `this file cannot be read: ${wordsOf(error)}`);
  }
  return undefined;
}

function absenceHint(file: string): string | undefined {
  return file === 'site.yaml' ? 'name the site folder with --site DIR' : undefined;
}

/**
 * Names of the folders in `folder`, except hidden ones; a link to a folder of the site counts. Anything else there is reported.
 */
async function foldersIn(root: string, folder: string, findings: Findings): Promise<readonly string[]> {
  const names: string[] = [];
  for (const entry of await entriesOf(root, folder, MOST_FOLDERS, findings)) {
    const { name } = entry;
    const file = `${folder}/${name}`;
    if (name.startsWith('.') || leftoverOf(name, entry.isDirectory() ? 'folder' : 'file') !== undefined) continue;
    if (entry.isDirectory()) names.push(name);
    else if (entry.isSymbolicLink()) {
      const found = await followInside(await realpath(root), join(root, file));
      if ('message' in found) findings.error(startOf(file), found.message, found.hint);
      else if (found.isFolder) names.push(name);
      else findings.warn(startOf(file), ...strayFile(folder));
    } else if (!/^readme|\.(?:md|rst|txt)$/i.test(name)) findings.warn(startOf(file), ...strayFile(folder));
  }
  return names;
}

function strayFile(folder: string): readonly [message: string, hint: string] {
  return ['this is not a folder, and nothing reads it here', `files stand in folders: ${folder}/NAME/...`];
}

/** The names at the root of a site that have a meaning, and common misspellings of them. */
const ROOT_NAMES = {
  'site.yaml': /^site\.ya?ml(?:\.txt)?$/i,
  profiles: /^profiles?$/i,
  images: /^images?$/i,
  overlays: /^over-?lays?$/i,
  nodes: /^nodes?$/i,
} as const;

/** Warns of unused names at the root that resemble a used one. */
async function warnOfRoot(root: string, findings: Findings): Promise<void> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    for (const [known, alike] of Object.entries(ROOT_NAMES)) {
      if (entry.name === known || !alike.test(entry.name) || entry.isDirectory() !== !known.includes('.')) continue;
      const message = `this ${entry.isDirectory() ? 'folder' : 'file'} is not used by the site`;
      findings.warn(startOf(entry.name), message, `did you mean "${known}"?`);
    }
  }
}

/** The entries of a folder, sorted by name; none if it is missing. */
async function entriesOf(root: string, folder: string, most: number, findings: Findings): Promise<readonly Dirent[]> {
  try {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (entries.length <= most) return entries;
    findings.error(startOf(folder), `this folder holds more than ${most} entries`);
    return entries.slice(0, most);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') findings.error(startOf(folder), `this folder cannot be read: ${wordsOf(error)}`);
    return [];
  }
}

async function kindOf(path: string): Promise<PathKind> {
  try {
    const about = await stat(path);
    return about.isDirectory() ? 'folder' : 'file';
  } catch {
    return 'missing';
  }
}

function startOf(file: string): Place {
  return { file, line: 1, col: 1 };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
