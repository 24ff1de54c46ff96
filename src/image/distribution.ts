import { existsSync } from 'node:fs';
import { ReveilleError } from '../errors.ts';
import type { Recipe } from '../model/recipe.ts';
import { type AptSource, DEBIAN_OWN, machineRelease, machineSources, mirrorSources, type Own } from './sources.ts';

/** A family of suites that roots are built from. */
export type Distribution = 'debian' | 'ubuntu';

/** The public archives of a distribution, and the keys that sign them. */
type Archive = {
  readonly title: string;
  /** What identifies a machine's own sources of it. */
  readonly own: Own;
  /** The suites and components of an archive of which only the address is known. */
  readonly components: readonly string[];
  readonly keyring: string;
  /** How to install the keys. */
  readonly keyringFrom: string;
  /**
   * Addresses with the suffixes of their suites: `jammy`, `jammy-updates`. Empty if a machine that does not run the distribution
   * must name a mirror.
   */
  readonly mirrors: readonly { readonly uri: string; readonly endings: readonly string[] }[];
};

const ARCHIVES: { readonly [D in Distribution]: Archive } = {
  debian: {
    title: 'Debian',
    own: DEBIAN_OWN,
    components: ['main'],
    keyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
    keyringFrom: 'apt-get install debian-archive-keyring',
    mirrors: [],
  },
  ubuntu: {
    title: 'Ubuntu',
    own: { components: ['main', 'restricted', 'universe', 'multiverse'], signer: 'ubuntu-archive' },
    components: ['main', 'universe'],
    keyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
    keyringFrom:
      'apt-get install ubuntu-archive-keyring where your Debian has it, or copy that file from an Ubuntu machine',
    mirrors: [
      { uri: 'http://archive.ubuntu.com/ubuntu', endings: ['', '-updates'] },
      { uri: 'http://security.ubuntu.com/ubuntu', endings: ['-security'] },
    ],
  },
};

/** Ubuntu keeps what is neither amd64 nor i386 elsewhere. */
const UBUNTU_PORTS = [{ uri: 'http://ports.ubuntu.com/ubuntu-ports', endings: ['', '-updates', '-security'] }];

/**
 * Where a root of `suite` comes from: the recipe's mirrors; else the machine's own sources, if it runs that
 * distribution; else the public archive, where one is known. Throws ReveilleError where sources or keys are missing.
 */
export async function suiteSources(
  distribution: Distribution,
  suite: string,
  recipe: Pick<Recipe, 'mirrors' | 'keyring'>,
  machine: { readonly etc: string; readonly architecture: string } = { etc: '/etc', architecture: process.arch },
): Promise<readonly AptSource[]> {
  const archive = ARCHIVES[distribution];
  if (recipe.mirrors !== undefined) {
    const sources = mirrorSources(recipe.mirrors, suite, archive.components);
    if (recipe.keyring !== undefined) return signed(sources, recipe.keyring);
    // apt knows Debian's keys by itself.
    return distribution === 'debian' ? sources : signed(sources, archiveKeyring(archive, sources));
  }
  if (await runs(distribution, machine.etc)) {
    const sources = await machineSources(suite, machine.etc, archive.own);
    return recipe.keyring === undefined ? sources : signed(sources, recipe.keyring);
  }
  const ported = distribution === 'ubuntu' && !['x64', 'ia32'].includes(machine.architecture);
  if (archive.mirrors.length === 0) {
    throw new ReveilleError('IMAGE_BUILD_FAILED', `this machine has no apt sources of ${archive.title}`, {
      hint: 'name one in the recipe: mirrors: [http://mirror.example.org/debian]',
    });
  }
  const sources = (ported ? UBUNTU_PORTS : archive.mirrors).map(
    ({ uri, endings }): AptSource => ({
      uris: [uri],
      suites: endings.map((ending) => suite + ending),
      components: archive.components,
      fields: new Map(),
    }),
  );
  return signed(sources, recipe.keyring ?? archiveKeyring(archive, sources));
}

/** Whether a machine's own apt sources are this distribution's. Debian's kin take theirs from Debian; Ubuntu does not. */
async function runs(distribution: Distribution, etc: string): Promise<boolean> {
  const { id } = await machineRelease(etc);
  return distribution === 'ubuntu' ? id === 'ubuntu' : id !== 'ubuntu';
}

/** The keys of a distribution on this machine, if one of the sources needs them. */
function archiveKeyring(archive: Archive, sources: readonly AptSource[]): string {
  if (sources.every(saysItsKeys) || existsSync(archive.keyring)) return archive.keyring;
  throw new ReveilleError('IMAGE_BUILD_FAILED', `the keys of ${archive.title}'s archive are not here`, {
    hint: `${archive.keyringFrom}; or name them in the recipe: keyring: FILE`,
  });
}

/** Adds the keys to sources that name none. */
function signed(sources: readonly AptSource[], keyring: string): readonly AptSource[] {
  return sources.map((source) =>
    saysItsKeys(source) ? source : { ...source, fields: new Map([...source.fields, ['Signed-By', keyring]]) },
  );
}

function saysItsKeys(source: AptSource): boolean {
  return source.fields.has('Signed-By') || source.fields.get('Trusted') === 'yes';
}
