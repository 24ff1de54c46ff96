import { type Package, packageOwners } from '../packages.ts';

/** One file as find(1) saw it. `stamp` changes with every change of the file's content, mode or owner. */
type Seen = {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: number;
  readonly stamp: string;
};

/** What became different in a root; paths are absolute. Files of packages that came or went are not listed with them. */
export type RootChanges = {
  readonly packages: {
    /** Asked for by name; those that came along with them are not listed. */
    readonly installed: readonly Package[];
    readonly removed: readonly Package[];
    readonly changed: readonly { readonly name: string; readonly before: string; readonly after: string }[];
  };
  readonly files: {
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
};

export type Snapshot = {
  /** What `find -printf '%y %m %U:%G %s %i %C@ %p\0%l\0'` wrote. */
  readonly listing: string;
  readonly packages: readonly Package[];
};

/** What package programs write beside the packages themselves, and what is no part of an image. */
const TRACES =
  /^\/(proc|sys|dev|run|tmp)(\/|$)|^\/var\/(cache|log|lib\/(dpkg|apt|systemd))\/|^\/etc\/(ld\.so\.cache|apt\/.*reveille-shell.*)$|\/__pycache__(\/|$)/;

/**
 * Compares a root before and after. `lists` are dpkg's file lists of all packages afterwards (name -> lines of paths),
 * `automatic` the packages that apt installed for others.
 */
export function rootChanges(
  before: Snapshot,
  after: Snapshot,
  lists: ReadonlyMap<string, string>,
  automatic: ReadonlySet<string>,
): RootChanges {
  const versions = (of: Snapshot) => new Map(of.packages.map((one) => [one.name, one.version]));
  const [had, has] = [versions(before), versions(after)];
  const owners = packageOwners(lists);
  /** Whether a path came with a package that was not there before, or not in this version. */
  const packaged = (path: string) => {
    const owner = owners.get(path.slice(1));
    return owner !== undefined && had.get(owner) !== has.get(owner);
  };
  const [was, is] = [readListing(before.listing), readListing(after.listing)];
  const shown = (path: string) => !TRACES.test(path) && !packaged(path);
  const installed = after.packages.filter((one) => !had.has(one.name));
  const gone = before.packages.filter((one) => !has.has(one.name));
  return {
    packages: {
      installed: installed.filter((one) => !automatic.has(one.name)),
      removed: gone,
      changed: after.packages.flatMap(({ name, version }) => {
        const old = had.get(name);
        return old === undefined || old === version ? [] : [{ name, before: old, after: version }];
      }),
    },
    files: {
      added: [...is.keys()].filter((path) => !was.has(path) && shown(path)),
      changed: [...is].flatMap(([path, now]) => {
        const then = was.get(path);
        return then !== undefined && differs(then, now) && shown(path) ? [path] : [];
      }),
      // dpkg has forgotten the files of a removed package: they are listed one by one.
      removed: gone.length > 0 ? [] : [...was.keys()].filter((path) => !is.has(path) && shown(path)),
    },
  };
}

/** A folder's stamp changes when an entry appears or goes; the entry is listed then, and not the folder. */
function differs(then: Seen, now: Seen): boolean {
  if (then.kind !== now.kind || then.mode !== now.mode || then.owner !== now.owner) return true;
  return now.kind !== 'd' && then.stamp !== now.stamp;
}

function readListing(text: string): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>();
  const fields = text.split('\0');
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const match = /^(.) (\S+) (\S+) (\d+) (\d+ \S+) \.(\/.*)$/s.exec(fields[at] ?? '');
    if (match === null) continue;
    const [, kind = '', mode = '', owner = '', size, stamp = '', path = ''] = match;
    seen.set(path, { kind, mode, owner, size: Number(size), stamp: `${stamp} ${fields[at + 1]}` });
  }
  return seen;
}

/** The packages that apt marks as installed for others (`/var/lib/apt/extended_states`). */
export function automaticPackages(extendedStates: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const paragraph of extendedStates.split(/\n\n+/)) {
    const name = /^Package: (.*)$/m.exec(paragraph)?.[1];
    if (name !== undefined && /^Auto-Installed: 1$/m.test(paragraph)) names.add(name);
  }
  return names;
}
