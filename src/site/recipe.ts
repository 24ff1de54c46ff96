import { resolve } from 'node:path';
import type { Recipe, RecipeSource } from '../model/recipe.ts';
import { type Findings, suggestion } from './finding.ts';
import type { ImageDeclaration } from './imageSchema.ts';
import type { PathKind } from './menu.ts';
import type { Declared } from './shape.ts';

/** The keys of `from` that are no source, and the source that each of them modifies. */
const FURTHER = [
  ['tag', 'oci'],
  ['partition', 'disk'],
] as const;

type KindOf = (path: string) => PathKind;

/** The recipes of a site by name. Paths in them are relative to the site folder `root`. */
export function resolveRecipes(
  documents: ReadonlyMap<string, Declared<ImageDeclaration> | undefined>,
  root: string,
  kindOf: KindOf,
  findings: Findings,
): ReadonlyMap<string, Recipe> {
  const recipes = new Map<string, Recipe>();

  /** `by` are the recipes that extend this one, directly or indirectly. */
  const resolveNamed = (name: string, by: readonly string[]): Recipe | undefined => {
    const document = documents.get(name);
    if (document === undefined || recipes.has(name)) return recipes.get(name);
    const own = ownRecipe(name, document, root, kindOf, findings);
    const base = extended(document, [...by, name]);
    const recipe = base === undefined ? own : takeOver(base, own, document.names([]));
    recipes.set(name, recipe);
    return recipe;
  };

  const extended = (document: Declared<ImageDeclaration>, chain: readonly string[]): Recipe | undefined => {
    const { extends: base } = document.value;
    if (base === undefined) return undefined;
    const place = document.place(['extends']);
    if (!documents.has(base)) {
      const hint = suggestion(base, [...documents.keys()], 'images') ?? `write its recipe, images/${base}.yaml`;
      findings.error(place, `there is no image "${base}"`, hint);
    } else if (chain.includes(base)) {
      findings.error(place, `a recipe cannot extend itself: ${[...chain, base].join(', ')}`);
    } else {
      return resolveNamed(base, chain);
    }
    return undefined;
  };

  for (const name of documents.keys()) resolveNamed(name, []);
  return recipes;
}

/** A recipe over the one that it extends: lists are joined, any other key of its own replaces the base's. */
function takeOver(base: Recipe, own: Recipe, given: readonly string[]): Recipe {
  const either = <K extends keyof Recipe>(key: K) => (given.includes(key) ? own[key] : base[key]);
  const mirrors = own.mirrors ?? base.mirrors;
  const keyring = own.keyring ?? base.keyring;
  return {
    name: own.name,
    extends: base,
    from: either('from'),
    ...(mirrors === undefined ? {} : { mirrors }),
    ...(keyring === undefined ? {} : { keyring }),
    packages: [...base.packages, ...own.packages],
    removePackages: [...base.removePackages, ...own.removePackages],
    removePaths: [...base.removePaths, ...own.removePaths],
    keepPaths: [...base.keepPaths, ...own.keepPaths],
    slim: either('slim'),
    run: [...base.run, ...own.run],
    check: [...base.check, ...own.check],
    ignoreMissing: [...base.ignoreMissing, ...own.ignoreMissing],
    root: either('root'),
    initrdModules: [...base.initrdModules, ...own.initrdModules],
    compress: either('compress'),
    place: own.place,
  };
}

/** The settings of a recipe, with defaults filled in. */
function ownRecipe(
  name: string,
  document: Declared<ImageDeclaration>,
  root: string,
  kindOf: KindOf,
  findings: Findings,
): Recipe {
  const {
    from = {},
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
  checkFrom();
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

  function checkFrom(): void {
    const keys = document.names([]);
    if (!keys.includes('from')) {
      if (keys.includes('extends')) return;
      findings.error(document.keyPlace([]), 'key "from" is missing: where the image comes from');
      return;
    }
    if (document.lost(['from'])) return;
    const given = document.names(['from']).filter((key) => FURTHER.every(([further]) => further !== key));
    if (given.length !== 1) {
      const message = given.length === 0 ? 'no key names the source of the image' : 'an image comes from one place';
      const hint = 'write { debian: SUITE }, { ubuntu: SUITE }, { tar: FILE }, { oci: FILE } or { disk: FILE }';
      findings.error(document.place(['from']), message, hint);
    }
    for (const [key, of] of FURTHER) {
      if (from[key] !== undefined && from[of] === undefined) {
        findings.error(document.keyPlace(['from', key]), `\`${key}\` has no effect without \`${of}\``);
      }
    }
  }

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

  /** The path of a file that the recipe names; a missing file matters only when the image is built. */
  function named(declared: string, at: readonly string[], orElse?: PathKind): string {
    const path = resolve(root, declared);
    const kind = kindOf(path);
    if (kind !== 'file' && kind !== orElse) {
      findings.warn(document.place(at), `there is no file ${path}`, 'the image cannot be built without it');
    }
    return path;
  }
}
