import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ReveilleError } from '../errors.ts';

/** One entry of apt's configuration, in the terms of sources.list(5): further deb822 fields keep their text. */
export type AptSource = {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly fields: ReadonlyMap<string, string>;
};

/** What apt needs to build a root: where packages come from, and the settings with which to reach them. */
export type AptSetup = {
  readonly sources: readonly AptSource[];
  /** Lines of apt.conf: a proxy, dates that are not checked. They are used in the build and not shipped. */
  readonly settings: readonly string[];
};

/** By what a distribution's own entries are known among those of others. */
export type Own = { readonly components: readonly string[]; readonly signer: string };

export const DEBIAN_OWN: Own = {
  components: ['main', 'contrib', 'non-free', 'non-free-firmware'],
  signer: 'debian-archive',
};

/** Reads a one-line style file (sources.list). Source packages and comments are passed over. */
export function parseOneLine(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const fields = new Map<string, string>();
    for (const option of options.split(/\s+/)) {
      const [key = '', value = ''] = option.split(/=(.*)/s);
      if (key !== '') fields.set(ONE_LINE_FIELDS.get(key.toLowerCase()) ?? titleCase(key), value.replaceAll(',', ' '));
    }
    sources.push({ uris: [uri], suites: [suite], components: words(components), fields });
  }
  return sources;
}

/** Fields whose deb822 name is not the one-line option's in title case (sources.list(5)). */
const ONE_LINE_FIELDS: ReadonlyMap<string, string> = new Map([
  ['arch', 'Architectures'],
  ['lang', 'Languages'],
  ['target', 'Targets'],
  ['pdiffs', 'PDiffs'],
]);

function titleCase(key: string): string {
  return key.toLowerCase().replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
}

/** Reads a deb822 style file (*.sources). Entries that are switched off are passed over. */
export function parseDeb822(text: string): readonly AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of text.replace(/^#.*\n?/gm, '').split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, string>();
    for (const match of paragraph.matchAll(/^([A-Za-z0-9-]+):(.*(?:\n[ \t].*)*)/gm)) {
      fields.set(titleCase(match[1] ?? ''), (match[2] ?? '').replace(/^[ \t]+/, '').trimEnd());
    }
    const take = (name: string) => {
      const value = words(fields.get(name) ?? '');
      fields.delete(name);
      return value;
    };
    const enabled = !/^(no|false|0|off|without|disable)$/i.test(fields.get('Enabled') ?? 'yes');
    const types = take('Types');
    const [uris, suites, components] = [take('Uris'), take('Suites'), take('Components')];
    if (enabled && types.includes('deb') && uris.length > 0) sources.push({ uris, suites, components, fields });
  }
  return sources;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** Suites that have neither updates nor security updates beside them. */
const ROLLING = new Set(['sid', 'unstable', 'experimental']);

/**
 * Keeps a distribution's own entries of a machine that runs the suite `from`, for a root of the suite `to`: the release,
 * its updates and its security updates. Other archives' entries and backports stay behind.
 */
export function selectSources(
  all: readonly AptSource[],
  from: string,
  to: string,
  own: Own = DEBIAN_OWN,
): readonly AptSource[] {
  const selected: AptSource[] = [];
  for (const source of all) {
    const signer = source.fields.get('Signed-By');
    const foreign = signer?.startsWith('/') && !signer.includes(own.signer);
    const known = source.components.every((name) => own.components.includes(name));
    if (foreign || source.components.length === 0 || !known) continue;
    const suites = source.suites
      .map((suite) => /^(.*?)(|-updates|-security)$/.exec(suite))
      .filter((match) => match !== null && (match[1] === from || match[1] === to || match[1] === 'stable'))
      .filter((match) => !ROLLING.has(to) || match?.[2] === '')
      .map((match) => `${to}${match?.[2] ?? ''}`);
    if (suites.length > 0) selected.push({ ...source, suites: [...new Set(suites)] });
  }
  return selected;
}

/** Writes entries as a deb822 file. */
export function formatSources(sources: readonly AptSource[]): string {
  return sources
    .map((source) => {
      const fields = [...source.fields].map(([name, value]) => `${name}: ${value}\n`).join('');
      return (
        `Types: deb\nURIs: ${source.uris.join(' ')}\nSuites: ${source.suites.join(' ')}\n` +
        `Components: ${source.components.join(' ')}\n${fields}`
      );
    })
    .join('\n');
}

/** The sources that a recipe names in `mirrors`: lines of sources.list, or just addresses. */
export function mirrorSources(
  mirrors: readonly string[],
  suite: string,
  components: readonly string[] = ['main'],
): readonly AptSource[] {
  const binary = mirrors.filter((line) => !/^\s*deb-src\s/.test(line));
  const lines = binary.map((line) =>
    /^\s*deb\s/.test(line) ? line : `deb ${line.trim()} ${suite} ${components.join(' ')}`,
  );
  const sources = parseOneLine(lines.join('\n'));
  if (sources.length === lines.length) return sources;
  throw new ReveilleError('RECIPE_INVALID', 'a line of `mirrors` is neither an address nor a line of sources.list', {
    hint: 'write http://mirror.example.org/debian, or deb http://mirror.example.org/debian bookworm main',
  });
}

/** Of `apt-config dump`, what a download needs and a build may take over. */
export function selectSettings(dump: string): readonly string[] {
  const wanted =
    /^Acquire::((http|https|ftp|tor)(::.*)?|Check-Valid-Until|Check-Date|Max-ValidTime|Min-ValidTime|Retries|ForceIPv[46]|ForceHash|By-Hash|Queue-Mode|AllowInsecureRepositories|AllowWeakRepositories|AllowDowngradeToInsecureRepositories) "[^"]+";$/;
  return dump
    .split('\n')
    .filter((line) => wanted.test(line))
    .map((line) => line.slice(0, -1));
}

/** What a system is, by its os-release(5): `{ id: 'debian', suite: 'bookworm' }`. */
export type Release = { readonly id: string; readonly suite?: string };

/** Reads the text of an os-release file. */
export function parseRelease(text: string): Release {
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1];
  const suite = field('VERSION_CODENAME');
  return { id: field('ID') ?? '', ...(suite === undefined ? {} : { suite }) };
}

/** What this machine runs. */
export async function machineRelease(etc = '/etc'): Promise<Release> {
  return parseRelease(await textOf(join(etc, 'os-release')));
}

/** Reads the machine's own apt configuration for a root of the given suite of the distribution that it runs. */
export async function machineSources(suite: string, etc = '/etc', own = DEBIAN_OWN): Promise<readonly AptSource[]> {
  const all: AptSource[] = [...parseOneLine(await textOf(join(etc, 'apt/sources.list')))];
  const folder = join(etc, 'apt/sources.list.d');
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    if (name.endsWith('.list')) all.push(...parseOneLine(await textOf(join(folder, name))));
    if (name.endsWith('.sources')) all.push(...parseDeb822(await textOf(join(folder, name))));
  }
  const release = (await machineRelease(etc)).suite ?? suite;
  const selected = selectSources(all, release, suite, own);
  if (selected.length > 0) return selected;
  throw new ReveilleError('IMAGE_BUILD_FAILED', `this machine's apt configuration has no source for ${suite}`, {
    hint: `name one in the recipe: mirrors: [deb http://mirror.example.org/debian ${suite} main]`,
  });
}

/** Reads the machine's apt settings that a build takes over. */
export async function machineSettings(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('apt-config', ['dump']).catch((cause: unknown) => {
    throw new ReveilleError('TOOL_MISSING', 'apt-config does not run: images are built on Debian or its kin', {
      cause,
    });
  });
  return selectSettings(stdout);
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new ReveilleError('IMAGE_BUILD_FAILED', `${path} cannot be read: ${error.message}`, { cause: error });
  });
}
