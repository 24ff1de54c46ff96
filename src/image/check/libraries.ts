import { posix } from 'node:path';
import { globMatcher, mergedPlaces } from '../../site/glob.ts';
import type { Entry } from '../entry.ts';
import type { Linked } from './elf.ts';

/** A program or library of an image, and what it needs that the image does not have. Paths are absolute. */
export type MissingLibraries = {
  readonly path: string;
  readonly package?: string;
  readonly libraries: readonly string[];
};

/** What is known of an image's files, by path without the leading slash. */
export type LinkedRoot = {
  readonly entries: ReadonlyMap<string, Pick<Entry, 'kind' | 'target'>>;
  readonly linked: ReadonlyMap<string, Linked>;
  /** Lines of ld.so.conf and what it includes. */
  readonly folders: readonly string[];
};

const MOST_LINKS = 40;

/** What Debian's own packages lack on purpose: parts that a package only suggests. */
const HARMLESS = ['/usr/lib/tc/q_atm.so', '/usr/lib/*/tc/q_atm.so'];

/**
 * Every program and library whose libraries are not all found, as ld.so would look for them: in its own RUNPATH, the folders
 * of ld.so.conf and the usual ones. Beside itself counts too: a private library is loaded by a program that has found its
 * sisters already. Files for another processor than most are firmware or guests, and not looked at. `ignored` are globs of files that may miss something. Pure.
 */
export function missingLibraries(
  { entries, linked, folders }: LinkedRoot,
  owners: ReadonlyMap<string, string>,
  ignored: readonly string[],
): readonly MissingLibraries[] {
  const isIgnored = globMatcher([...HARMLESS, ...ignored.flatMap(mergedPlaces)]);
  const usual = usualFolders(entries, folders);
  const most = mostCommon([...linked.values()].map(({ machine }) => machine));
  return [...linked].flatMap(([path, { machine, needed, runpath, interpreter }]) => {
    if (machine !== most || isIgnored(`/${path}`)) return [];
    const own = posix.dirname(`/${path}`);
    const places = [...runpath.map((one) => one.replace(/\$\{?ORIGIN\}?/g, own)), own, ...usual];
    const isThere = (name: string) =>
      name.includes('/')
        ? resolved(entries, name) !== undefined
        : places.some((folder) => resolved(entries, `${folder}/${name}`) !== undefined);
    const libraries = [...new Set([...needed, ...(interpreter === undefined ? [] : [interpreter])])].filter(
      (name) => !isThere(name),
    );
    const owner = owners.get(path);
    return libraries.length === 0
      ? []
      : [{ path: `/${path}`, ...(owner === undefined ? {} : { package: owner }), libraries }];
  });
}

function mostCommon(values: readonly number[]): number | undefined {
  const groups = [...Map.groupBy(values, (value) => value)];
  return groups.sort(([, a], [, b]) => b.length - a.length)[0]?.[0];
}

function usualFolders(entries: LinkedRoot['entries'], configured: readonly string[]): readonly string[] {
  const folders = new Set(configured.filter((folder) => folder.startsWith('/')));
  for (const folder of ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/lib32', '/usr/lib32', '/usr/local/lib'])
    folders.add(folder);
  for (const [path, { kind }] of entries) {
    if (kind === 'directory' && /^(usr\/)?lib\/[^/]+-linux-(gnu|musl)[^/]*$/.test(path)) folders.add(`/${path}`);
  }
  return [...folders];
}

/** Where a path ends once every link on the way is followed; undefined where nothing is. */
export function resolved(entries: LinkedRoot['entries'], path: string): string | undefined {
  let rest = posix
    .normalize(`/${path}`)
    .split('/')
    .filter((name) => name !== '');
  let at = '';
  for (let links = 0; rest.length > 0; ) {
    const [name = '', ...others] = rest;
    const next = at === '' ? name : `${at}/${name}`;
    const entry = entries.get(next);
    if (entry === undefined) return undefined;
    if (entry.kind === 'symlink') {
      if (++links > MOST_LINKS) return undefined;
      const target = entry.target ?? '';
      const whole = target.startsWith('/') ? target : `/${at}/${target}`;
      rest = [
        ...posix
          .normalize(whole)
          .split('/')
          .filter((one) => one !== ''),
        ...others,
      ];
      at = '';
    } else {
      at = next;
      rest = others;
    }
  }
  return at;
}
