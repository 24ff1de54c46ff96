import { constants, type Dirent } from 'node:fs';
import { open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Place, wordsOf } from '../errors.ts';
import type { Vars } from '../model/node.ts';
import { type Findings, quoted } from '../site/finding.ts';
import { leftoverOf } from '../site/leftovers.ts';
import { followInside, holds, leavesTree } from '../site/siteLinks.ts';
import type { Origin } from './bundle.ts';
import { type Doubt, treeDoubt } from './folderNames.ts';
import { MANY_FILES } from './manyFiles.ts';
import { fileMode, folderMode, isPrivate, shieldOf } from './modes.ts';
import type { Access } from './overlayFile.ts';

/**
 * One file as the operator keeps it for a node. `file` is its name for errors: below the site folder, or below the
 * program's for an overlay that comes with it, and then it ends in ` (shipped)`.
 */
export type Source = {
  readonly file: string;
  readonly origin: Origin;
  /** Its path on the node, without `.j2`. */
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  /** What its template sees as `vars`; absent: the node's own. */
  readonly vars?: Vars;
  /** The real path of the content, if it was reached by a link. */
  readonly real?: string;
} & (
  | {
      readonly content: Uint8Array;
      readonly template: boolean;
      /** Whether its template makes several files; `path` then only gives their folder. */
      readonly several: boolean;
    }
  | { readonly target: string }
);

/**
 * One folder that a node is to have by itself: empty, private, or named in overlay.yaml. `declared`: its access counts also where
 * the image has the folder; else only where it is made.
 */
export type FolderSource = {
  readonly file: string;
  readonly origin: Origin;
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly declared: boolean;
};

export type Budget = { bytes: number; files: number };

/** Far more than a role needs; larger files belong in the image. */
const LARGEST_FILE = 16 * 1024 * 1024;
const LARGEST_NODE = 64 * 1024 * 1024;
const MOST_FILES = 10_000;
const DEEPEST = 40;
const LONGEST_PATH = 1024;
const LONGEST_NAME = 200;
const SETUID = 0o4000;
const SETID = 0o6000;
const STICKY = 0o1000;

export function newBudget(): Budget {
  return { bytes: LARGEST_NODE, files: MOST_FILES };
}

/**
 * Where a tree of files lies, whose it is, and what is added to the names of its files in errors. `public`: nothing of it is private,
 * whatever a umask made of it as it was installed.
 */
export type Home = {
  readonly root: string;
  readonly origin: Origin;
  readonly suffix: string;
  readonly public: boolean;
};

/** A folder as it is walked: its name for errors, its real path, and the real paths of the piece of tree that it is part of. */
export type Folder = {
  readonly file: string;
  readonly real: string;
  /** Where this piece begins; a link that stays in it is written as a link. */
  readonly base: string;
  /** The folders from which links led here, to detect a circle. */
  readonly through: readonly string[];
};

/**
 * Collects the files of one origin. A link in a tree that is laid over `/` is written as a link where its target is one of the node; where
 * it leads to something of the site, it is followed. What cannot be taken is a finding; nothing is passed over in silence.
 */
export class Tree {
  readonly sources: Source[] = [];
  readonly folders: FolderSource[] = [];
  readonly #from: Home;
  readonly #findings: Findings;
  readonly #budget: Budget;
  readonly #paths = new Map<string, string>();
  #access: ReadonlyMap<string, Access> = new Map();
  #realRoot: string | undefined;
  /** Regular files of trees, and how many of them others cannot read. */
  #files = 0;
  #private = 0;

  constructor(from: Home, findings: Findings, budget: Budget) {
    this.#from = from;
    this.#findings = findings;
    this.#budget = budget;
  }

  /** The folder `file` of the site, or what a link of that name leads to; `undefined`, and a finding, if it cannot be had. */
  async open(file: string): Promise<Folder | undefined> {
    const found = await this.#followed(file, join(this.#from.root, file));
    if (found === undefined) return undefined;
    if (!found.isFolder) {
      this.#wrong(file, 'is not a folder');
      return undefined;
    }
    return { file, real: found.path, base: found.path, through: [] };
  }

  /** Takes all of a folder that is laid over `/`, but for what `takes` refuses at its root. `access`: what overlay.yaml says. */
  async take(
    folder: Folder | undefined,
    kind: 'overlay' | 'files',
    access: ReadonlyMap<string, Access>,
    takes: (name: string) => boolean = () => true,
  ): Promise<void> {
    this.#access = access;
    if (folder === undefined) return;
    for (const entry of await this.entries(folder)) {
      if (!takes(entry.name)) continue;
      this.doubt(folder, entry, treeDoubt(entry.name, entry.isDirectory(), kind));
      await this.#entry(folder, entry, '', 0, 0);
    }
    await this.#judgeUmask(folder);
  }

  /** The folder's entries by name, without leftovers, of which it makes notes; a folder that cannot be read is a finding. */
  async entries({ file, real }: Folder): Promise<readonly Dirent[]> {
    try {
      const entries = await readdir(real, { withFileTypes: true });
      return entries.filter((entry) => !this.#isLeftover(file, entry)).sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
      return [];
    }
  }

  /** One entry by its name, if it is there. */
  async entry(folder: Folder, name: string): Promise<Dirent | undefined> {
    const entries = await readdir(folder.real, { withFileTypes: true }).catch(() => []);
    return entries.find((one) => one.name === name);
  }

  /** Adds a warning about a name. */
  doubt(folder: Folder, entry: Dirent, doubt: Doubt | undefined): void {
    if (doubt) this.#findings.warn(this.#place(`${folder.file}/${entry.name}`), doubt.message, doubt.hint);
  }

  /** What `entry` is, links followed: a file, or a folder where `wanted` says so. Anything else is a finding. */
  async resolved(
    folder: Folder,
    entry: Dirent,
    wanted: 'file' | 'folder',
  ): Promise<{ readonly path: string; readonly linked: boolean } | undefined> {
    const file = `${folder.file}/${entry.name}`;
    const linked = entry.isSymbolicLink();
    const own = { path: join(folder.real, entry.name), isFolder: entry.isDirectory(), isFile: entry.isFile() };
    const found = linked ? await this.#followed(file, own.path) : own;
    if (found === undefined) return undefined;
    if (wanted === 'folder' ? found.isFolder : found.isFile) return { path: found.path, linked };
    const is = found.isFolder ? 'a folder' : found.isFile ? 'a file' : kindOf(entry);
    this.#wrong(file, `is ${is}, and has to be a ${wanted}`);
    return undefined;
  }

  /** A regular file at `real`, laid at `path`; with `mode`, or with one that is made of its own. */
  async add(
    file: string,
    real: string,
    path: string,
    { mode, linked = false, shield = 0 }: { mode?: number | undefined; linked?: boolean; shield?: number } = {},
  ): Promise<void> {
    if (!this.#room(file)) return;
    if (linked && real.endsWith('.j2') && !file.endsWith('.j2')) {
      return this.#wrong(file, 'this link leads to a template and has no name of one', `call it ${nameOf(file)}.j2`);
    }
    try {
      const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const about = await handle.stat();
        if (!about.isFile()) return this.#wrong(file, 'became something else than a file while it was read');
        if (about.size > LARGEST_FILE)
          return this.#wrong(file, `is larger than ${LARGEST_FILE >> 20} MiB`, 'put it into the image');
        this.#budget.bytes -= about.size;
        if (this.#budget.bytes < 0) {
          return this.#wrong(
            file,
            `all files of a node together are larger than ${LARGEST_NODE >> 20} MiB`,
            'put large files into the image',
          );
        }
        if (mode === undefined) this.#warnOfBits(file, path.replace(/\.j2$/, ''), about.mode & SETID, about.mode);
        const content = Buffer.alloc(about.size);
        const { bytesRead } = await handle.read(content, 0, about.size, 0);
        if (mode === undefined) {
          this.#files++;
          if (isPrivate(this.#asMeant(about.mode))) this.#private++;
        }
        this.#take({
          file: `${file}${this.#from.suffix}`,
          origin: this.#from.origin,
          path,
          mode: mode ?? fileMode(this.#asMeant(about.mode), shield),
          owner: 'root',
          group: 'root',
          content: content.subarray(0, bytesRead),
          template: file.endsWith('.j2'),
          several: file.endsWith(MANY_FILES),
          ...(linked ? { real } : {}),
        });
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
    }
  }

  /** All files with the owners and modes of overlay.yaml; a path in it that names none of them is a finding. */
  withAccess(): { readonly sources: readonly Source[]; readonly folders: readonly FolderSource[] } {
    const access = this.#access;
    const files = new Set(this.sources.map((source) => source.path));
    const folders = new Set(this.folders.map((folder) => folder.path));
    const made: FolderSource[] = [];
    for (const [path, one] of access) {
      if (one.folder && files.has(path)) {
        this.#findings.error(one.place, `${path} is a file here`, 'write it without the / at its end');
      } else if (one.folder && !folders.has(path)) {
        made.push(
          declaredFolder({ file: one.place.file, origin: this.#from.origin, path, mode: 0o755, ...ROOTS }, one),
        );
      } else if (!files.has(path) && !folders.has(path)) {
        const what = this.#from.origin.startsWith('overlay') ? 'overlay' : 'folder';
        const hint = 'paths are those on the node, without .j2; a folder that is not here ends in /';
        this.#findings.error(one.place, `this ${what} has no file ${path}`, hint);
      }
    }
    return {
      sources: this.sources.map((source) => ({ ...source, ...accessOf(access.get(source.path)) })),
      folders: [...this.folders, ...made],
    };
  }

  async #walk(folder: Folder, path: string, depth: number, shield: number): Promise<void> {
    if (depth > DEEPEST) return this.#wrong(folder.file, `folders are nested more than ${DEEPEST} deep`);
    const mode = await this.#modeOf(folder);
    if (mode === undefined) return;
    this.#warnOfBits(folder.file, `${path}/`, mode & STICKY, mode);
    const declared = this.#access.get(path);
    const within = declared?.mode === undefined ? shield | shieldOf(mode) : 0;
    const entries = await this.entries(folder);
    for (const entry of entries) await this.#entry(folder, entry, path, depth, within);
    if (entries.length > 0 && !isPrivate(mode) && declared === undefined) return;
    if (!this.#room(folder.file)) return;
    const file = `${folder.file}${this.#from.suffix}`;
    const plain = { file, origin: this.#from.origin, path, mode: folderMode(mode, shield), ...ROOTS };
    this.folders.push(declared === undefined ? { ...plain, declared: false } : declaredFolder(plain, declared));
  }

  async #entry(folder: Folder, entry: Dirent, path: string, depth: number, shield: number): Promise<void> {
    const file = `${folder.file}/${entry.name}`;
    const at = `${path}/${entry.name}`;
    const real = join(folder.real, entry.name);
    if (!isPlainName(entry.name) || at.length > LONGEST_PATH) {
      this.#wrong(file, `the file name ${quoted(entry.name)} cannot be written: control characters, or too long`);
    } else if (entry.isDirectory()) {
      await this.#walk({ ...folder, file, real }, at, depth + 1, shield);
    } else if (entry.isSymbolicLink()) {
      await this.#link(folder, file, real, at, depth, shield);
    } else if (entry.isFile()) {
      await this.add(file, real, at.replace(/\.j2$/, ''), { shield });
    } else {
      this.#wrong(file, `is ${kindOf(entry)}: only files, folders and symbolic links can be written on a node`);
    }
  }

  async #link(folder: Folder, file: string, real: string, at: string, depth: number, shield: number): Promise<void> {
    const target = await readlink(real).catch((error) => {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
      return undefined;
    });
    if (target === undefined) return;
    const roots = [resolve(this.#from.root), await this.#real()];
    if (!leavesTree(target, real, folder.base, roots)) {
      if (!target.startsWith('/') && (await leadsRound(real)))
        return this.#wrong(file, 'this link leads round in a circle', 'take it away');
      this.#linkOnNode(file, at, target);
      return;
    }
    const found = await this.#followed(file, real, target);
    if (found?.isFile) return this.add(file, found.path, at.replace(/\.j2$/, ''), { linked: true, shield });
    if (found?.isFolder) {
      const { path } = found;
      const through = [...folder.through, folder.real];
      if (through.some((one) => holds(path, one)))
        return this.#wrong(file, 'this link leads to a folder that it lies in itself', 'take it away');
      return this.#walk({ file, real: path, base: path, through }, at, depth + 1, shield);
    }
    if (found) this.#wrong(file, 'this link leads to what is neither a file nor a folder', 'take it away');
  }

  #linkOnNode(file: string, path: string, target: string): void {
    if (!this.#room(file)) return;
    if (!hasNoControls(target)) {
      this.#wrong(file, 'the target of this link holds control characters');
      return;
    }
    const { suffix, origin } = this.#from;
    this.#take({ file: `${file}${suffix}`, origin, path, mode: 0o777, ...ROOTS, target });
  }

  async #followed(file: string, link: string, target?: string) {
    const found = await followInside(await this.#real(), link);
    if (!('message' in found)) return found;
    const more =
      target?.startsWith('/') === false
        ? `; a link to something of the node is written with its whole path there, as /${target.replace(/^(?:\.\.?\/)*/, '')}`
        : '';
    this.#wrong(file, found.message, `${found.hint}${more}`);
    return undefined;
  }

  async #real(): Promise<string> {
    this.#realRoot ??= await realpath(this.#from.root).catch(() => resolve(this.#from.root));
    return this.#realRoot;
  }

  /**
   * Bits that only overlay.yaml sets, and does not. A setgid bit of a folder sets the group of new files in the site, and is not
   * meant for the node.
   */
  #warnOfBits(file: string, path: string, bits: number, mode: number): void {
    if (bits === 0 || this.#access.get(path.replace(/\/$/, ''))?.mode !== undefined) return;
    const name = bits === STICKY ? 'sticky' : bits & SETUID ? 'setuid' : 'setgid';
    const meant = (mode & 0o7777).toString(8);
    this.#findings.warn(
      this.#place(file),
      `the ${name} bit is not set on the node`,
      `overlay.yaml gives it: ${path}: { mode: "${meant}" }`,
    );
  }

  #asMeant(mode: number): number {
    return this.#from.public ? mode | 0o444 : mode;
  }

  async #modeOf({ file, real }: Folder): Promise<number | undefined> {
    try {
      return this.#asMeant((await stat(real)).mode);
    } catch (error) {
      this.#wrong(file, `cannot be read: ${wordsOf(error)}`);
      return undefined;
    }
  }

  /** If a strict umask made the whole tree private, it is hardly meant, and services of the node cannot read their files. */
  async #judgeUmask(folder: Folder): Promise<void> {
    if (this.#files < 2 || this.#private < this.#files) return;
    const mode = await stat(folder.real).then(
      (about) => about.mode,
      () => 0o755,
    );
    if (!isPrivate(mode)) return;
    const message = `none of the ${this.#files} files here can be read by others, so none can on the node`;
    const hint = `if a umask caused this: chmod -R go+rX ${folder.file}`;
    this.#findings.warn(this.#place(folder.file), message, hint);
  }

  #isLeftover(folder: string, entry: Dirent): boolean {
    const what = leftoverOf(entry.name, entry.isDirectory() ? 'folder' : 'file');
    if (what === undefined) return false;
    this.#findings.note(this.#place(`${folder}/${entry.name}`), `is left out: ${what}`);
    return true;
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
      this.#findings.error(
        start(source.file),
        `${other} would be written as ${source.path} too`,
        'keep one of the two',
      );
    }
  }

  #wrong(file: string, message: string, hint?: string): void {
    this.#findings.error(this.#place(file), message, hint);
  }

  #place(file: string): Place {
    return start(`${file}${this.#from.suffix}`);
  }
}

/** Whether following a link comes back to it. */
async function leadsRound(link: string): Promise<boolean> {
  return stat(link).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ELOOP',
  );
}

const ROOTS = { owner: 'root', group: 'root' } as const;

function declaredFolder(folder: Omit<FolderSource, 'declared'>, access: Access): FolderSource {
  return { ...folder, ...accessOf(access), declared: true };
}

/** What overlay.yaml sets, and nothing else of it. */
function accessOf(access: Access | undefined): Partial<Pick<Source, 'mode' | 'owner' | 'group'>> {
  if (access === undefined) return {};
  const { owner, group, mode } = access;
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function kindOf(entry: Dirent): string {
  if (entry.isFIFO()) return 'a FIFO';
  return entry.isSocket() ? 'a socket' : 'a device';
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
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
