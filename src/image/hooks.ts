import type { Recipe } from '../model/recipe.ts';
import { globSource, mergedPlaces } from '../site/glob.ts';
import { SETTLE_BYTECODE } from './bytecode.ts';
import { isModuleGlob, moduleGlobs } from './slim.ts';

// Shell that mmdebstrap runs beside the growing root ($1). Everything is passed as text, because in a user namespace of its own
// mmdebstrap may not read the files of the user who started it. Lines that begin with MARK report its progress.

export const MARK = 'reveille: ';

/** The order in which the root's hooks run, for mmdebstrap's command line. */
export type Hooks = { readonly essential: readonly string[]; readonly customize: readonly string[] };

/**
 * Hooks for a recipe: the `run` lines in their order, then the packages to remove, Python's bytecode, the kernel modules to leave out.
 */
export function recipeHooks(recipe: Recipe): Hooks {
  const keep = recipe.keepPaths.flatMap(mergedPlaces);
  const drop = moduleGlobs({ slim: recipe.slim, remove: recipe.removePaths, keep: recipe.keepPaths });
  return {
    essential: [HOLD_INITRAMFS],
    customize: [
      RELEASE_INITRAMFS,
      ...recipe.run.map(
        (line, at) => `echo '${MARK}run ${at}' >&2; chroot "$1" /bin/sh -ec ${quote(line)} >&2 </dev/null`,
      ),
      ...(recipe.removePackages.length === 0 ? [] : [purge(recipe.removePackages)]),
      FORGET_BUILDER,
      SETTLE,
      ...(drop.length === 0
        ? []
        : [
            dropModules(
              drop,
              keep.filter((glob) => isModuleGlob(glob)),
            ),
          ]),
    ],
  };
}

/** Writes a word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

// The image is the initrd: another one made in the root would take half a minute and not be used.
const HOLD_INITRAMFS =
  'chroot "$1" dpkg-divert --quiet --local --rename --divert /usr/sbin/update-initramfs.held --add /usr/sbin/update-initramfs' +
  ' && ln -s /bin/true "$1/usr/sbin/update-initramfs"';
const RELEASE_INITRAMFS =
  'rm "$1/usr/sbin/update-initramfs"' +
  ' && chroot "$1" dpkg-divert --quiet --local --rename --remove /usr/sbin/update-initramfs';

// Exactly the named packages, even essential ones: the recipe is responsible for what depended on them.
function purge(names: readonly string[]): string {
  const list = names.map(quote).join(' ');
  return (
    `echo '${MARK}purge' >&2; ` +
    `chroot "$1" dpkg --purge --force-depends --force-remove-essential --force-remove-protected ${list} >&2`
  );
}

// mmdebstrap copies these from the machine that builds; what the recipe itself wrote stays.
const FORGET_BUILDER =
  `echo '${MARK}forget' >&2; ` +
  'for name in resolv.conf hostname; do' +
  ' if cmp -s "/etc/$name" "$1/etc/$name" && [ ! -L "$1/etc/$name" ]; then rm "$1/etc/$name"; fi;' +
  ' done';

// A root without Python has no bytecode; with one that cannot do this, its programs start no slower than they did.
const SETTLE =
  `echo '${MARK}bytecode' >&2; ` +
  'if [ -e "$1/usr/bin/python3" ] || [ -L "$1/usr/bin/python3" ]; then ' +
  `chroot "$1" /usr/bin/python3 -BIS -c ${quote(SETTLE_BYTECODE)} >&2 </dev/null || echo 'bytecode is left as it is' >&2; fi`;

// modules.dep has a line for each module: its path, a colon, the paths of everything it needs.
function dropModules(drop: readonly string[], keep: readonly string[]): string {
  const source = (globs: readonly string[]) => globs.map((glob) => `(${globSource(glob)})`).join('|');
  const awk = `{
    name = $1
    sub(/:$/, "", name)
    doomed[name] = match(folder name, ENVIRON["DROP"]) && !(ENVIRON["KEEP"] != "" && match(folder name, ENVIRON["KEEP"]))
    needs[name] = $0
  }
  END {
    for (name in doomed) if (!doomed[name]) {
      count = split(needs[name], words, " ")
      for (at = 2; at <= count; at++) needed[words[at]] = 1
    }
    for (name in doomed) if (doomed[name] && !(name in needed)) print name
  }`;
  return `echo '${MARK}modules' >&2
    export DROP=${quote(source(drop))} KEEP=${quote(source(keep))}
    modules="$1/usr/lib/modules"
    [ -d "$modules" ] || modules="$1/lib/modules"
    for folder in "$modules"/*/; do
      version=$(basename "$folder")
      [ -f "$folder/modules.dep" ] || continue
      before=$(du -sk "$folder" | cut -f1)
      awk -v folder="/usr/lib/modules/$version/" ${quote(awk)} "$folder/modules.dep" | (cd "$folder" && xargs -r rm -f)
      find "$folder/kernel" -depth -type d -empty -delete
      chroot "$1" depmod "$version" || exit 1
      after=$(du -sk "$folder" | cut -f1)
      echo "${MARK}modules-freed $((before - after))" >&2
    done`;
}
