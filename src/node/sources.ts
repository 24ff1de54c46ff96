import { constants, type Dirent } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Place, ReveilleError } from '../errors.ts';
import { Findings, quoted } from '../site/finding.ts';
import { globMatcher } from '../site/glob.ts';
import type { Site, SiteNode } from '../site/model.ts';
import { type Hook, type Origin, SETTINGS_PATH } from './bundle.ts';
import { type Access, type DeclaredHook, OVERLAY_FILE, readOverlayFile } from './overlayFile.ts';

/** One file as the operator keeps it for a node. `file` is its name below the site folder, for errors. */
export type Source = {
  readonly file: string;
  readonly origin: Origin;
  /** Where it goes on the node, without `.j2`. */
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
} & ({ readonly content: Uint8Array; readonly template: boolean } | { readonly target: string });

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
    sources.push(...overlay.sources);
    hooks.push(...overlay.hooks);
  }
  for (const folder of node.folders) sources.push(...(await readNodeFolder(site.root, folder, findings, budget)));
  const first = findings.errors[0];
  if (first) {
    throw new ReveilleError('SITE_INVALID', first.message, {
      place: first.place,
      ...(first.hint === undefined ? {} : { hint: first.hint }),
    });
  }
  return { sources, hooks };
}

/** The files of `overlays/<name>`, a tree that is laid over `/`, and its hooks. What is wrong goes into `findings`. */
export async function readOverlay(
  root: string,
  name: string,
  findings: Findings,
  budget: Budget = newBudget(),
): Promise<NodeSources> {
  const folder = `overlays/${name}`;
  const tree = new Tree(root, `overlay ${name}`, findings, budget);
  await tree.walk(folder, '', 0, (entry) => entry.name !== OVERLAY_FILE);
  const { access, hooks } = await readOverlayFile(root, `${folder}/${OVERLAY_FILE}`, findings);
  const sources = withAccess(tree.sources, access, findings);
  return { sources, hooks: hooks.map((hook) => watching(hook, sources)) };
}

/** What `nodes/<folder>` gives a node: hosts, hostname, settings.sh (each also as .j2) and the tree `files/`. */
export async function readNodeFolder(
  root: string,
  name: string,
  findings: Findings,
  budget: Budget = newBudget(),
): Promise<readonly Source[]> {
  const folder = `nodes/${name}`;
  const tree = new Tree(root, folder, findings, budget);
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

/** Collects the files of one origin. Links are kept as links and never followed. */
class Tree {
  readonly sources: Source[] = [];
  readonly #root: string;
  readonly #origin: Origin;
  readonly #findings: Findings;
  readonly #budget: Budget;
  readonly #paths = new Map<string, string>();

  constructor(root: string, origin: Origin, findings: Findings, budget: Budget) {
    this.#root = root;
    this.#origin = origin;
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
      const entries = await readdir(join(this.#root, folder), { withFileTypes: true });
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      this.#wrong(folder, `cannot be read: ${reason(error)}`);
      return [];
    }
  }

  /** A regular file; executable for all where it is for its owner, unless `mode` says otherwise. */
  async add(file: string, path: string, mode?: number): Promise<void> {
    if (!this.#room(file)) return;
    try {
      const handle = await open(
        join(this.#root, file),
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
          file,
          origin: this.#origin,
          path,
          mode: mode ?? (stat.mode & 0o100 ? 0o755 : 0o644),
          owner: 'root',
          group: 'root',
          content: content.subarray(0, bytesRead),
          template: file.endsWith('.j2'),
        });
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.#wrong(file, `cannot be read: ${reason(error)}`);
    }
  }

  async #link(file: string, path: string): Promise<void> {
    if (!this.#room(file)) return;
    try {
      const target = await readlink(join(this.#root, file));
      if (!hasNoControls(target)) return this.#wrong(file, 'the target of this link holds control characters');
      this.#take({ file, origin: this.#origin, path, mode: 0o777, owner: 'root', group: 'root', target });
    } catch (error) {
      this.#wrong(file, `cannot be read: ${reason(error)}`);
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
      this.#wrong(source.file, `${other} would be laid as ${source.path} too`, 'keep one of the two');
    }
  }

  #wrong(file: string, message: string, hint?: string): void {
    this.#findings.error(start(file), message, hint);
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

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
