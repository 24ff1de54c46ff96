import { resolve } from 'node:path';
import type { Findings } from './finding.ts';
import type { PathKind } from './menu.ts';
import type { Recipe, RecipeSource } from './model.ts';
import type { ImageDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';

/** The keys of `from` that name no place, and the one that each says more about. */
const FURTHER = [
  ['tag', 'oci'],
  ['partition', 'disk'],
] as const;

/** A recipe with its defaults filled in; its paths are relative to the site folder `root`. */
export function resolveRecipe(
  name: string,
  document: Declared<ImageDeclaration>,
  root: string,
  kindOf: (path: string) => PathKind,
  findings: Findings,
): Recipe {
  const {
    from,
    mirror,
    mirrors,
    keyring,
    packages,
    remove,
    keep,
    slim,
    run,
    check,
    ignoreMissing,
    root: rootKind,
    initrdModules,
    compress,
  } = document.value;
  if (mirror !== undefined && mirrors !== undefined) {
    findings.error(document.keyPlace(['mirror']), '`mirror` and `mirrors` are both given', 'keep one of them');
  }
  const given = document.names(['from']).filter((key) => FURTHER.every(([further]) => further !== key));
  if (given.length !== 1) {
    const message = given.length === 0 ? 'it is not said where the image comes from' : 'an image comes from one place';
    const hint = 'write { debian: SUITE }, { ubuntu: SUITE }, { tar: FILE }, { oci: FILE } or { disk: FILE }';
    findings.error(document.place(['from']), message, hint);
  }
  for (const [key, of] of FURTHER) {
    if (from[key] !== undefined && from[of] === undefined) {
      findings.error(document.keyPlace(['from', key]), `\`${key}\` says nothing without \`${of}\``);
    }
  }
  const sources = mirrors ?? (mirror === undefined ? undefined : [mirror]);
  return {
    name,
    from: source(),
    ...(sources === undefined ? {} : { mirrors: sources }),
    ...(keyring === undefined ? {} : { keyring: named(keyring, ['keyring']) }),
    packages,
    removePackages: remove.filter((one) => !one.startsWith('/')),
    removePaths: remove.filter((one) => one.startsWith('/')),
    keepPaths: keep,
    slim,
    run,
    check,
    ignoreMissing,
    root: rootKind,
    initrdModules,
    compress,
    place: document.place([]),
  };

  function source(): RecipeSource {
    if (from.tar !== undefined) return { kind: 'tar', path: named(from.tar, ['from', 'tar']) };
    if (from.oci !== undefined) {
      const path = named(from.oci, ['from', 'oci'], 'folder');
      return { kind: 'oci', path, ...(from.tag === undefined ? {} : { tag: from.tag }) };
    }
    if (from.disk !== undefined) {
      const path = named(from.disk, ['from', 'disk']);
      return { kind: 'disk', path, ...(from.partition === undefined ? {} : { partition: from.partition }) };
    }
    if (from.ubuntu !== undefined) return { kind: 'ubuntu', suite: from.ubuntu };
    return { kind: 'debian', suite: from.debian ?? '' };
  }

  /** Where a file that the recipe names lies; it is only missed when the image is built. */
  function named(declared: string, at: readonly string[], orElse?: PathKind): string {
    const path = resolve(root, declared);
    const kind = kindOf(path);
    if (kind !== 'file' && kind !== orElse) {
      findings.warn(document.place(at), `there is no file ${path}`, 'the image cannot be built without it');
    }
    return path;
  }
}
