import { readFile } from 'node:fs/promises';
import { ReveilleError } from '../errors.ts';
import type { Recipe } from '../model/recipe.ts';
import { MARK, quote, recipeHooks } from './hooks.ts';
import type { RootIndex } from './index.ts';
import { type BuiltRoot, type RootStep, rootMode, runMmdebstrap } from './mmdebstrap.ts';
import { openRootTar } from './roottar.ts';
import { moduleGlobs } from './slim.ts';
import { formatSources, mirrorSources, parseRelease } from './sources.ts';

/** A root that was not built here, and what its recipe does to it. */
export type ReworkRequest = {
  readonly recipe: Recipe;
  readonly site: string;
  /** Lines of apt.conf with which this machine reaches mirrors. */
  readonly settings: readonly string[];
  /** The root as a tar, and what a pass over it collected. */
  readonly source: string;
  readonly index: Pick<RootIndex, 'entries' | 'osRelease'>;
  /** Where the new tar goes. */
  readonly tar: string;
  readonly log: string;
};

/** Whether a recipe asks for programs to run in a root: installing, removing, `run` lines, or sorting out modules. */
export function needsRework(recipe: Recipe, index: Pick<RootIndex, 'entries'>): boolean {
  const asked = [recipe.packages, recipe.removePackages, recipe.run].some((list) => list.length > 0);
  const globs = moduleGlobs({ slim: recipe.slim, remove: recipe.removePaths, keep: recipe.keepPaths });
  const modules = () => [...index.entries.keys()].some((path) => /^(usr\/)?lib\/modules\/[^/]+\/kernel\/./.test(path));
  return asked || (globs.length > 0 && modules());
}

/**
 * Unpacks a root into a temporary folder, does there what the recipe says, and packs it again: by mmdebstrap, which
 * knows how to do so as root and as an ordinary user, with /proc, /sys and /dev as programs expect them.
 */
export async function reworkRoot(request: ReworkRequest, onStep: (step: RootStep) => void): Promise<BuiltRoot> {
  const args = await reworkArguments(request, await rootMode());
  return runMmdebstrap({ ...request, args, sources: '', input: await openRootTar(request.source) }, onStep);
}

/** The command line of mmdebstrap that changes a root instead of building one. The root's tar is descriptor 3. */
export async function reworkArguments(request: ReworkRequest, mode: 'root' | 'unshare'): Promise<readonly string[]> {
  const { recipe, index } = request;
  const hooks = recipeHooks(recipe);
  const dpkg = [...index.entries.keys()].some((path) => /^(usr\/)?s?bin\/dpkg$/.test(path));
  const apt = [...index.entries.keys()].some((path) => /^(usr\/)?bin\/apt-get$/.test(path));
  if ((recipe.packages.length > 0 && !apt) || (recipe.removePackages.length > 0 && !dpkg)) {
    const lacks = recipe.packages.length > 0 ? 'apt-get' : 'dpkg';
    throw new ReveilleError('RECIPE_INVALID', `image ${recipe.name} names packages, and its root has no ${lacks}`, {
      place: recipe.place,
      hint: "use the root's own package program in `run`, and paths in `remove`",
    });
  }
  return [
    `--mode=${mode}`,
    '--variant=custom',
    '--format=tar',
    '--verbose',
    '--skip=setup,update,cleanup,check/signed-by',
    `--setup-hook=${unpack(index, mode)}`,
    ...(mode === 'root' ? [`--setup-hook=${MAKE_DEVICES}`] : []),
    `--setup-hook=${LEND_RESOLVER}`,
    ...(dpkg ? hooks.essential.map((hook) => `--essential-hook=${hook}`) : []),
    ...(recipe.packages.length > 0 ? [`--customize-hook=${await install(request)}`] : []),
    ...hooks.customize.slice(dpkg ? 0 : 1).map((hook) => `--customize-hook=${hook}`),
    `--customize-hook=${RETURN_RESOLVER}`,
    '',
    request.tar,
  ];
}

// mmdebstrap brings a /dev of its own, and an ordinary user can make no device elsewhere either.
function unpack(index: Pick<RootIndex, 'entries'>, mode: 'root' | 'unshare'): string {
  const devices = [...index.entries.values()].filter((entry) => entry.kind === 'character' || entry.kind === 'block');
  const unmakeable = mode === 'root' ? [] : devices.flatMap(({ path }) => [path, `./${path}`]);
  return (
    `echo '${MARK}unpack' >&2; mkdir -p "$1/dev"; ` +
    "tar -C \"$1\" -x --numeric-owner --same-owner -p --anchored --wildcards --exclude='dev/*' --exclude='./dev/*' " +
    `--no-wildcards ${unmakeable.map((path) => `--exclude=${quote(path)}`).join(' ')} ` +
    "--xattrs --xattrs-include=security.capability --xattrs-include='user.*' -f - <&3"
  );
}

// As root, mmdebstrap makes the nodes while it prepares an empty root, a step that is left out here.
const MAKE_DEVICES = `cd "$1/dev" || exit 1
  mknod -m 666 null c 1 3 2>/dev/null || exit 0
  mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7; mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9
  mknod -m 666 tty c 5 0; mknod -m 600 console c 5 1; mknod -m 666 ptmx c 5 2; mkdir pts shm
  ln -s /proc/self/fd fd; ln -s fd/0 stdin; ln -s fd/1 stdout; ln -s fd/2 stderr`;

// Programs in the root find hosts as this machine does. The root's own file comes back unless a `run` line wrote one.
const LEND_RESOLVER =
  'mkdir -p "$1/etc"; cd "$1/etc" || exit 1; ' +
  'if [ -e resolv.conf ] || [ -L resolv.conf ]; then mv resolv.conf resolv.conf.reveille; fi; ' +
  '[ ! -e /etc/resolv.conf ] || cat /etc/resolv.conf >resolv.conf';
const RETURN_RESOLVER =
  'cd "$1/etc" || exit 1; if cmp -s resolv.conf /etc/resolv.conf; then rm -f resolv.conf; fi; ' +
  'if [ -e resolv.conf.reveille ] || [ -L resolv.conf.reveille ]; then ' +
  'if [ -e resolv.conf ] || [ -L resolv.conf ]; then rm resolv.conf.reveille; else mv resolv.conf.reveille resolv.conf; fi; fi';

/** Shell that installs the recipe's packages by the root's own apt, from the recipe's mirrors or the root's own sources. */
async function install({ recipe, settings, index }: ReworkRequest): Promise<string> {
  const lines = [...settings, 'Acquire::Languages "none"', 'Acquire::Retries "3"', 'APT::Install-Recommends "false"'];
  const files = new Map<string, Buffer>();
  if (recipe.mirrors !== undefined) {
    const keyring = '/etc/apt/reveille-build.gpg';
    const sources = mirrorSources(recipe.mirrors, parseRelease(index.osRelease).suite ?? 'stable');
    const keyed = sources.map((source) => ({ ...source, fields: new Map([...source.fields, ['Signed-By', keyring]]) }));
    if (recipe.keyring !== undefined) files.set(keyring, await readFile(recipe.keyring));
    files.set('/etc/apt/reveille-build.sources', Buffer.from(formatSources(recipe.keyring ? keyed : sources)));
    lines.push('Dir::Etc::SourceList "/etc/apt/reveille-build.sources"', 'Dir::Etc::SourceParts "/dev/null"');
  }
  files.set('/etc/apt/apt.conf.d/00reveille-build', Buffer.from(lines.map((line) => `${line};\n`).join('')));
  const lay = [...files].map(([path, text]) => `echo ${text.toString('base64')} | base64 -d >"$1${path}"`);
  const apt = 'DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get --yes';
  return [
    'set -e',
    `echo '${MARK}install' >&2`,
    ...lay,
    `${apt} update >&2 </dev/null`,
    `${apt} --no-install-recommends install ${recipe.packages.map(quote).join(' ')} >&2 </dev/null`,
    `chroot "$1" apt-get clean`,
    ...[...files.keys()].map((path) => `rm "$1${path}"`),
  ].join('\n');
}
