/** The lists that depmod writes into /lib/modules/<version>/ (modules.dep(5)); a list that is missing is empty. */
export type ModuleLists = {
  /** The folder of this kernel's modules in the root: `usr/lib/modules/6.1.0`. */
  readonly folder: string;
  readonly dep: string;
  readonly builtin: string;
  readonly softdep: string;
  readonly alias: string;
};

export const MODULE_LISTS = ['dep', 'builtin', 'softdep', 'alias'] as const;

/** Modules of one kernel that were chosen, with what modprobe needs to load them. */
export type ChosenModules = {
  /** Paths below the folder of modules, as the root has them: `kernel/fs/overlayfs/overlay.ko.xz`. */
  readonly files: readonly string[];
  /** Names of those that were asked for and are neither modules of this kernel nor built into it. */
  readonly missing: readonly string[];
  /** The lists for these modules alone, whose files end in `.ko` here. */
  readonly dep: string;
  readonly alias: string;
};

/**
 * Chooses modules by name, with all their dependencies: those of modules.dep, and those that modules.softdep lists as `pre`,
 * which become plain dependencies because busybox's modprobe does not read that list. What is built in has none.
 */
export function chooseModules(lists: Omit<ModuleLists, 'folder'>, wanted: readonly string[]): ChosenModules {
  const needs = parseDependencies(lists.dep);
  const pathOf = new Map([...needs.keys()].map((path) => [moduleName(path), path]));
  const builtin = new Set(linesOf(lists.builtin).map(moduleName));
  const aliases = parseAliases(lists.alias);
  const first = parseSoftDependencies(lists.softdep);

  /** What must be loaded before a module, itself left out; the last is loaded first, as modprobe expects it. */
  const before = (path: string, seen: Set<string>): string[] => {
    const found: string[] = [];
    const soft = (first.get(moduleName(path)) ?? []).flatMap((name) => namesFor(name)).map((name) => pathOf.get(name));
    for (const need of [...(needs.get(path) ?? []), ...soft.filter((one) => one !== undefined)]) {
      if (need === path || seen.has(need) || !needs.has(need)) continue;
      seen.add(need);
      found.push(need, ...before(need, seen));
    }
    return found;
  };
  const namesFor = (name: string): readonly string[] => [normal(name), ...(aliases.get(name) ?? [])];

  const chosen = new Map<string, readonly string[]>();
  const missing: string[] = [];
  const choose = (path: string): void => {
    if (chosen.has(path)) return;
    const own = before(path, new Set([path]));
    chosen.set(path, own);
    for (const one of own) choose(one);
  };
  for (const name of wanted) {
    const path = pathOf.get(normal(name));
    if (path !== undefined) choose(path);
    else if (!builtin.has(normal(name))) missing.push(name);
  }

  const files = [...chosen.keys()].sort();
  const names = new Set(files.map(moduleName));
  return {
    files,
    missing,
    dep: files.map((path) => `${plainName(path)}: ${(chosen.get(path) ?? []).map(plainName).join(' ')}\n`).join(''),
    alias: linesOf(lists.alias)
      .filter((line) => names.has(normal(line.split(' ')[2] ?? '')))
      .map((line) => `${line}\n`)
      .join(''),
  };
}

/** `kernel/drivers/net/net-failover.ko.xz` -> `net_failover`: the kernel takes both signs for one. */
export function moduleName(path: string): string {
  return normal(path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.\w+)?$/, ''));
}

/** The file's name without its compression. */
export function plainName(path: string): string {
  return path.replace(/\.ko\.\w+$/, '.ko');
}

function normal(name: string): string {
  return name.replaceAll('-', '_');
}

/** modules.dep: `path: path path ...`. */
function parseDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    linesOf(text).flatMap((line) => {
      const colon = line.indexOf(':');
      if (colon <= 0) return [];
      return [
        [
          line.slice(0, colon),
          line
            .slice(colon + 1)
            .split(' ')
            .filter(Boolean),
        ] as const,
      ];
    }),
  );
}

/** modules.alias: `alias PATTERN MODULE`; by the pattern as it stands. */
function parseAliases(text: string): ReadonlyMap<string, readonly string[]> {
  const aliases = new Map<string, string[]>();
  for (const line of linesOf(text)) {
    const [word, pattern, module] = line.split(' ');
    if (word !== 'alias' || pattern === undefined || module === undefined) continue;
    aliases.set(pattern, [...(aliases.get(pattern) ?? []), normal(module)]);
  }
  return aliases;
}

/** modules.softdep: `softdep MODULE pre: NAME ... post: NAME ...`; what comes before, by module. */
function parseSoftDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  const first = new Map<string, readonly string[]>();
  for (const line of linesOf(text)) {
    const [, module, pre] = /^softdep (\S+) .*?pre: ?([^:]*?)(?: \w+:.*)?$/.exec(line) ?? [];
    if (module === undefined || pre === undefined) continue;
    first.set(normal(module), [...(first.get(normal(module)) ?? []), ...pre.split(' ').filter(Boolean)]);
  }
  return first;
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
