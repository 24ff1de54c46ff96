import { resolve } from 'node:path';
import type { Findings } from './finding.ts';
import type { PathKind } from './menu.ts';
import type { Recipe } from './model.ts';
import type { ImageDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';

/** A recipe with its defaults filled in; a path of a tar archive is relative to the site folder `root`. */
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
    packages,
    remove,
    keep,
    slim,
    run,
    root: rootKind,
    initrdModules,
    compress,
  } = document.value;
  if (mirror !== undefined && mirrors !== undefined) {
    findings.error(document.keyPlace(['mirror']), '`mirror` and `mirrors` are both given', 'keep one of them');
  }
  const given = document.names(['from']).length;
  if (given !== 1) {
    const message = given === 0 ? 'it is not said where the image comes from' : 'an image comes from one place';
    findings.error(document.place(['from']), message, 'write { debian: SUITE } or { tar: FILE }');
  }
  const sources = mirrors ?? (mirror === undefined ? undefined : [mirror]);
  return {
    name,
    from:
      from.tar === undefined ? { kind: 'debian', suite: from.debian ?? '' } : { kind: 'tar', path: tarPath(from.tar) },
    ...(sources === undefined ? {} : { mirrors: sources }),
    packages,
    removePackages: remove.filter((one) => !one.startsWith('/')),
    removePaths: remove.filter((one) => one.startsWith('/')),
    keepPaths: keep,
    slim,
    run,
    root: rootKind,
    initrdModules,
    compress,
    place: document.place([]),
  };

  function tarPath(declared: string): string {
    const path = resolve(root, declared);
    if (kindOf(path) !== 'file') {
      findings.warn(
        document.place(['from', 'tar']),
        `there is no file ${path}`,
        'the image cannot be built without it',
      );
    }
    return path;
  }
}
