import { constants, type Dirent } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Place, wordsOf } from '../errors.ts';
import { Findings, quoted } from '../site/finding.ts';
import { globMatcher } from '../site/glob.ts';
import type { Site, SiteNode, Vars } from '../site/model.ts';
import { overlayHome } from '../site/shipped.ts';
import { type Hook, type Origin, SETTINGS_PATH } from './bundle.ts';
import { MANY_FILES } from './manyFiles.ts';
import { type Access, type DeclaredHook, OVERLAY_FILE, readOverlayFile } from './overlayFile.ts';
import { type OverlayVars, overlayVars, readOverlayVars } from './overlayVars.ts';

/**
 * One file as the operator keeps it for a node. `file` is its name for errors: below the site folder, or below the
 * program's for an overlay that comes with it, and then it ends in ` (shipped)`.
 */
export type Source = {
  readonly file: string;
  readonly origin: Origin;
  /** Where it goes on the node, without `.j2`. */
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  /** What its template sees as `vars`; absent: the node's own. */
  readonly vars?: Vars;
} & (
  | {
      readonly content: Uint8Array;
      readonly template: boolean;
      /** Whether its template makes several files; `path` then only says beside what. */
      readonly several: boolean;
    }
  | { readonly target: string }
);

/** Far more than a role needs; what is larger belongs into the image. */
const LARGEST_FILE = 16 * 1024 * 1024;
const LARGEST_NODE = 64 * 1024 * 1024;
const MOST_FILES = 10_000;
const DEEPEST = 40;
const LONGEST_PATH = 1024;
const LONGEST_NAME = 200;

/** What is read for a node: its files in the order in which later ones win, and its hooks in the order in which they run. */
export type NodeSources = { readonly sources: readonly Source[]; readonly hooks: readonly Hook[] };

/**
 * All files for `node`: its overlays in order, then its own folders; and the overlays' hooks. Throws SITE_INVALID at the
 * first that cannot be taken.
 */
export async function readSources(site: Site, node: SiteNode): Promise<NodeSources> {
  const findings = new Findings();
  const budget = newBudget();
  const sources: Source[] = [];
  const hooks: Hook[] = [];
  for (const name of node.overlays) {
    const overlay = await readOverlay(site.root, name, findings, budget);
    sources.push(...sourcesFor(node, overlay));
    hooks.push(...overlay.hooks.map((hook) => watching(hook, overlay.sources)));
  }
  for (const folder of node.folders) sources.push(...(await readNodeFolder(site.root, folder, findings, budget)));
  findings.throwFirst();
  return { sources, hooks };
}

/** An overlay as it is on disk: its files, and what its overlay.yaml says. */
export type Overlay = {
  readonly name: string;
  /** Whether it is one that comes with the program. */
  readonly shipped: boolean;
  readonly about?: string;
  readonly vars: OverlayVars;
  readonly hooks: readonly DeclaredHook[];
  readonly sources: readonly Source[];
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
  const tree = new Tree({ root, origin: `overlay ${name}${suffix}`, suffix }, findings, budget);
  await tree.walk(folder, '', 0, (entry) => entry.name !== OVERLAY_FILE);
  const told = await readOverlayFile(join(root, folder, OVERLAY_FILE), `${folder}/${OVERLAY_FILE}${suffix}`, findings);
  return {
    name,
    shipped,
    ...(told.about === undefined ? {} : { about: told.about }),
    vars: readOverlayVars(told.yaml, findings),
    hooks: told.hooks,
    sources: withAccess(tree.sources, told.access, findings),
  };
}

/** An overlay's files as `node` gets them. Throws SITE_INVALID if the node's variables are not what the overlay needs. */
export function sourcesFor(node: SiteNode, { name, vars: known, sources }: Overlay): readonly Source[] {
  if (known.size === 0) return sources;
  const vars = overlayVars(name, known, node.vars, node.overlayOrigins.get(name));
  return sources.map((source) => ({ ...source, vars }));
}

/** What `nodes/<folder>` gives a node: hosts, hostname, settings.sh (each also as .j2) and the tree `files/`. */
export async function readNodeFolder(
  root: string,
  name: string,
  findings: Findings,
  budget: Budget = newBudget(),
): Promise<readonly Source[]> {
  const folder = `nodes/${name}`;
  const tree = new Tree({ root, origin: folder, suffix: '' }, findings, budget);
  for (const entry of await tree.entries(folder)) {
    const special = SPECIAL.get(entry.name.replace(/\.j2$/, ''));
    if (special && entry.isFile()) await tree.add(`${folder}/${entry.name}`, special.path, special.mode);
    else if (entry.name === 'files' && entry.isDirectory()) await tree.walk(`${folder}/files`, '', 0, () => true);
  }
  return tree.sources;
}

/** Old meaning, kept: these names in a node's folder are not paths. */
const SPECIAL: ReadonlyMap<string, { readonly path: string; readonly mode?: number }> = new Map([
  ['hosts', { path: '/etc/hosts', mode: 0o644 }],
  ['hostname', { path: '/etc/hostname', mode: 0o644 }],
  ['settings.sh', { path: SETTINGS_PATH, mode: 0o700 }],
]);

export type Budget = { bytes: number; files: number };

function newBudget(): Budget {
  return { bytes: LARGEST_NODE, files: MOST_FILES };
}

/** Where a tree of files lies, whose it is, and what is added to the names of its files in errors. */
type Home = { readonly root: string; readonly origin: Origin; readonly suffix: string };

/** Collects the files of one origin. Links are kept as links and never followed. */
class Tree {
  readonly sources: Source[] = [];
  readonly #from: Home;
  readonly #findings: Findings;
  readonly #budget: Budget;
  readonly #paths = new Map<string, string>();

  constructor(from: Home, findings: Findings, budget: Budget) {
    this.#from = from;
    this.#findings = findings;
    this.#budget = budget;
  }

  async walk(folder: string, path: string, depth: number, takes: (entry: Dirent) => boolean): Promise<void> {
    if (depth > DEEPEST) return this.#wrong(folder, `folders are nested more than ${DEEPEST} deep`);
    for (const entry of await this.entries(folder)) {
      if (!takes(entry)) continue;
      const file = `${folder}/${entry.name}`;
      const at = `${path}/${entry.name}`;
      if (!isPlainName(entry.name) || at.length > LONGEST_PATH) {
        this.#wrong(file, `the file name ${quoted(entry.name)} cannot be laid: control characters, or too long`);
      } else if (entry.isDirectory()) {
        await this.walk(file, at, depth + 1, () => true);
      } else if (entry.isSymbolicLink()) {
        await this.#link(file, at);
      } else if (entry.isFile()) {
        await this.add(file, at.replace(/\.j2$/, ''));
      } else {
        this.#wrong(file, 'only files, folders and symbolic links can be laid on a node');
      }
    }
  }

  /** The folder's entries by name; a folder that cannot be read is a finding. */
  async entries(folder: string): Promise<readonly Dirent[]> {
    try {
      const entries = await readdir(join(this.#from.root, folder), { withFileTypes: true });
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      this.#wrong(folder, `cannot be read: ${wordsOf(error)}`);
      return [];
    }
  }

  /** A regular file; executable for all where it is for its owner, unless `mode` says otherwise. */
  async add(file: string, path: string, mode?: number): Promise<void> {
    if (!this.#room(file)) return;
    try {
      const handle = await open(
        join(this.#from.root, file),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      try {
        const stat = await handle.stat();
        if (stat.size > LARGEST_FILE)
          return this.#wrong(file, `is larger than ${LARGEST_FILE >> 20} MiB`, 'put it into the image');
        this.#budget.bytes -= stat.size;
        if (this.#budget.bytes < 0) {
          return this.#wrong(
            file,
            `all files of a node together are larger than ${LARGEST_NODE >> 20} MiB`,
            'put large files into the image',
          );
        }
        const content = Buffer.alloc(stat.size);
        const { bytesRead } = await handle.read(content, 0, stat.size, 0);
        this.#take({
          file: `${file}${this.#from.suffix}`,
          origin: this.#from.origin,
          path,
          mode: mode ?? (stat.mode & 0o100 ? 0o755 : 0o644),
          owner: 'root',
          group: 'root',
          content: content.subarray(0, bytesRead),
          template: file.endsWith('.j2'),
          several: file.endsWith(MANY_FILES),
        });
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
    }
  }

  async #link(file: string, path: string): Promise<void> {
    if (!this.#room(file)) return;
    try {
      const target = await readlink(join(this.#from.root, file));
      if (!hasNoControls(target)) return this.#wrong(file, 'the target of this link holds control characters');
      this.#take({
        file: `${file}${this.#from.suffix}`,
        origin: this.#from.origin,
        path,
        mode: 0o777,
        owner: 'root',
        group: 'root',
        target,
      });
    } catch (error) {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
    }
  }

  #room(file: string): boolean {
    this.#budget.files--;
    if (this.#budget.files === -1)
      this.#wrong(file, `a node gets more than ${MOST_FILES} files`, 'put them into the image');
    return this.#budget.files >= 0;
  }

  #take(source: Source): void {
    const other = this.#paths.get(source.path);
    if (other === undefined) {
      this.#paths.set(source.path, source.file);
      this.sources.push(source);
    } else {
      this.#findings.error(start(source.file), `${other} would be laid as ${source.path} too`, 'keep one of the two');
    }
  }

  #wrong(file: string, message: string, hint?: string): void {
    this.#findings.error(start(`${file}${this.#from.suffix}`), message, hint);
  }
}

/** A hook that names its files watches them whoever gives them; one that names none watches the overlay's own. */
function watching({ run, files }: DeclaredHook, sources: readonly Source[]): Hook {
  if (files !== undefined) return { run, watches: globMatcher(files) };
  const paths = new Set(sources.map(({ path }) => path));
  return { run, watches: (path) => paths.has(path) };
}

function withAccess(
  sources: readonly Source[],
  access: ReadonlyMap<string, Access>,
  findings: Findings,
): readonly Source[] {
  const paths = new Set(sources.map((source) => source.path));
  for (const [path, { place }] of access) {
    if (!paths.has(path))
      findings.error(place, `this overlay has no file ${path}`, 'paths are those on the node, without .j2');
  }
  return sources.map((source) => {
    const { place: _, ...set } = access.get(source.path) ?? { place: undefined };
    return { ...source, ...set };
  });
}

function isPlainName(name: string): boolean {
  return name.length <= LONGEST_NAME && !name.includes('\ufffd') && hasNoControls(name);
}

function hasNoControls(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  return !/[\u0000-\u001f\u007f]/.test(text);
}

function start(file: string): Place {
  return { file, line: 1, col: 1 };
}
