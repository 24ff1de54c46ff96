import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Place } from '../errors.ts';
import { Findings } from '../site/finding.ts';
import type { Recipe } from '../site/model.ts';
import { type Path, readYaml } from '../site/yaml.ts';

/**
 * Where a part of a recipe stands (`['run', 2]`); the recipe's own place if the file has changed beneath the build. `site` is the
 * folder that relative names start from.
 */
export async function linePlace(recipe: Recipe, site: string, path: Path): Promise<Place> {
  const { file } = recipe.place;
  const text = await readFile(isAbsolute(file) ? file : join(site, file), 'utf8').catch(() => undefined);
  return text === undefined ? recipe.place : readYaml(file, text, new Findings()).place(path);
}
