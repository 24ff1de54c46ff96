import { globMatcher } from '../site/glob.ts';
import type { RootIndex } from './index.ts';
import type { Package } from './packages.ts';
import { KEPT_PACKAGES, KEPT_PATHS, NEEDS_IN_NAME_ONLY, USELESS_PACKAGES, WASTE } from './savingRules.ts';

/** One line of `remove:` that would make an image smaller. Bytes are those of file contents, not compressed. */
export type Saving = {
  /** A package or a glob of paths. */
  readonly remove: string;
  readonly bytes: number;
  readonly why: string;
  /** `rule`: nodes without disks do not need it. `unopened`: no boot that was looked at has opened any of it. */
  readonly grounds: 'rule' | 'unopened';
};

/** Bytes of a package or folder in the image. `opened` counts those of files that a boot has opened. */
export type Use = { readonly name: string; readonly bytes: number; readonly opened?: number };

export type Savings = {
  readonly bytes: number;
  /** The largest first, each with the installed packages that need it. */
  readonly packages: readonly (Use & { readonly neededBy: readonly string[] })[];
  readonly folders: readonly Use[];
  /** The largest first; no two of them count the same file. */
  readonly savings: readonly Saving[];
};

export type SavingsFrom = {
  readonly index: Pick<RootIndex, 'entries' | 'owners' | 'packages' | 'moduleLists'>;
  /** Version of the kernel that the image boots. */
  readonly kernel: string;
  /** Why the image leaves a path out already; undefined for what is in it. */
  readonly dropped: (path: string, isDirectory: boolean) => string | undefined;
  /** Packages that the recipe names itself, and paths that it spares. */
  readonly packages: readonly string[];
  readonly keepPaths: readonly string[];
  /** Absolute paths that boots have opened; absent where no boot was looked at. */
  readonly opened?: ReadonlySet<string>;
};

const WORTH_SAYING = 100_000;
const WORTH_A_FOLDER = 1_000_000;

/**
 * Finds what could go from an image: packages that only an installed machine needs, files that nodes never read, modules
 * of other kernels, and where boots were looked at, packages and folders of which they opened nothing. What a node needs
 * to start or to be mended, and what the recipe names itself, is never among it. Pure.
 */
export function findSavings(from: SavingsFrom): Savings {
  const { index, opened } = from;
  const files = [...index.entries.values()]
    .filter((entry) => entry.size > 0 && entry.kind === 'file' && from.dropped(entry.path, false) === undefined)
    .map((entry): KeptFile => {
      const path = `/${entry.path}`;
      const owner = index.owners.get(entry.path);
      return { path, bytes: entry.size, opened: opened?.has(path) ?? false, ...(owner === undefined ? {} : { owner }) };
    });
  const byPackage = grouped(files, ({ owner }) => owner);
  const taken = new Set<KeptFile>();
  const savings: Saving[] = [];
  const propose = (remove: string, of: readonly KeptFile[], why: string, grounds: Saving['grounds'], least: number) => {
    const fresh = of.filter((file) => !taken.has(file));
    const bytes = sum(fresh);
    if (bytes < least) return;
    for (const file of fresh) taken.add(file);
    savings.push({ remove, bytes, why, grounds });
  };

  const needed = neededBy(index.packages);
  const sparedPackage = (one: Package) =>
    one.essential || from.packages.includes(one.name) || KEPT_PACKAGES.some(({ name }) => name.test(one.name));
  const ruleOf = (name: string) => USELESS_PACKAGES.find((rule) => rule.name.test(name));
  const useless = ({ name, essential }: Package) =>
    !essential && !from.packages.includes(name) && ruleOf(name) !== undefined;
  const needful = index.packages.filter(({ name }) => !NEEDS_IN_NAME_ONLY.test(name));
  for (const name of idlePackages(needful, useless)) {
    propose(name, byPackage.get(name) ?? [], ruleOf(name)?.why ?? '', 'rule', 1);
  }
  for (const [version, { folder }] of index.moduleLists) {
    if (version === from.kernel) continue;
    const own = files.filter(({ path }) => path.startsWith(`/${folder}/`));
    propose(`/${folder}`, own, `modules of a kernel that is not booted (${from.kernel} is)`, 'rule', 1);
  }
  const spares = globMatcher(from.keepPaths);
  for (const { glob, why } of WASTE) {
    const matches = globMatcher([glob]);
    const own = files.filter(({ path }) => matches(path) && !spares(path));
    // A boot that reads a file knows better than a rule.
    if (!own.some((file) => file.opened)) propose(glob, own, why, 'rule', WORTH_SAYING);
  }
  if (opened !== undefined) {
    const idle = idlePackages(index.packages, (one) => {
      const own = byPackage.get(one.name) ?? [];
      return !sparedPackage(one) && own.length > 0 && !own.some((file) => file.opened);
    });
    for (const name of idle) propose(name, byPackage.get(name) ?? [], UNOPENED, 'unopened', WORTH_SAYING);
    const waits = globMatcher([...KEPT_PATHS.map(({ glob }) => glob), ...from.keepPaths]);
    for (const [folder, own] of idleFolders(files.filter((file) => !waits(file.path)))) {
      propose(folder, own, UNOPENED, 'unopened', WORTH_A_FOLDER);
    }
  }

  const use = (name: string, of: readonly KeptFile[]): Use => ({
    name,
    bytes: sum(of),
    ...(opened === undefined ? {} : { opened: sum(of.filter((file) => file.opened)) }),
  });
  return {
    bytes: sum(files),
    packages: [...byPackage]
      .map(([name, of]) => ({ ...use(name, of), neededBy: needed.get(name) ?? [] }))
      .sort(largestFirst),
    folders: [...grouped(files, ({ path }) => path.split('/').slice(0, -1).slice(0, FOLDER_DEPTH).join('/') || '/')]
      .map(([name, of]) => use(name, of))
      .sort(largestFirst),
    savings: savings.sort(largestFirst),
  };
}

const UNOPENED = 'no boot opened any of it';
/** `/usr/lib/python3`: deep enough to show where to look. */
const FOLDER_DEPTH = 4;

type KeptFile = { readonly path: string; readonly bytes: number; readonly opened: boolean; readonly owner?: string };

/** By package, the installed packages that need it, sorted; where several could meet a need, it counts for none of them. */
export function neededBy(packages: readonly Package[]): ReadonlyMap<string, readonly string[]> {
  const needed = new Map<string, string[]>();
  const meets = providers(packages);
  for (const one of packages) {
    for (const names of one.needs) {
      const able = new Set(names.flatMap((name) => meets.get(name) ?? []));
      const [only] = able;
      if (able.size !== 1 || only === undefined || only === one.name) continue;
      const known = needed.get(only);
      if (known === undefined) needed.set(only, [one.name]);
      else if (!known.includes(one.name)) known.push(one.name);
    }
  }
  return needed;
}

/** The packages that are `idle` and that no package which stays needs, sorted. */
export function idlePackages(packages: readonly Package[], idle: (one: Package) => boolean): readonly string[] {
  const meets = providers(packages);
  const goes = new Set(packages.filter(idle).map(({ name }) => name));
  for (let before = -1; before !== goes.size; ) {
    before = goes.size;
    for (const one of packages) {
      if (goes.has(one.name)) continue;
      for (const names of one.needs) {
        const able = names.flatMap((name) => meets.get(name) ?? []);
        if (able.length > 0 && able.every((name) => goes.has(name))) for (const name of able) goes.delete(name);
      }
    }
  }
  return [...goes].sort();
}

/** Which installed packages stand for a name. */
function providers(packages: readonly Package[]): ReadonlyMap<string, readonly string[]> {
  const meets = new Map<string, string[]>();
  for (const { name, provides } of packages) {
    for (const one of new Set([name, ...provides])) meets.set(one, [...(meets.get(one) ?? []), name]);
  }
  return meets;
}

/** The highest folders of which no file was opened, at least three names deep, with their files. */
function idleFolders(files: readonly KeptFile[]): readonly (readonly [string, readonly KeptFile[]])[] {
  const within = new Map<string, { files: KeptFile[]; opened: boolean }>();
  for (const file of files) {
    for (let at = file.path.indexOf('/', 1); at > 0; at = file.path.indexOf('/', at + 1)) {
      const folder = file.path.slice(0, at);
      const known = within.get(folder) ?? { files: [], opened: false };
      known.files.push(file);
      known.opened ||= file.opened;
      within.set(folder, known);
    }
  }
  const idle = (folder: string) => within.get(folder)?.opened === false && folder.split('/').length >= 4;
  return [...within]
    .filter(([folder]) => idle(folder) && !idle(folder.slice(0, folder.lastIndexOf('/'))))
    .map(([folder, { files: own }]) => [folder, own] as const);
}

function grouped<T>(all: readonly T[], key: (one: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const name = key(one);
    if (name === undefined) continue;
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [one]);
    else known.push(one);
  }
  return groups;
}

function sum(files: readonly KeptFile[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}

function largestFirst(a: { readonly bytes: number }, b: { readonly bytes: number }): number {
  return b.bytes - a.bytes;
}
