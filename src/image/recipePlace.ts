import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Place } from '../errors.ts';
import type { Recipe } from '../model/recipe.ts';
import { Findings } from '../site/finding.ts';
import { readYaml } from '../site/yaml.ts';

/**
 * Where line `at` of a recipe's `run` or `check` stands, perhaps in a recipe that it extends; the recipe's own place if the
 * file has changed beneath the build. `site` is the folder that relative names start from.
 */
export async function linePlace(recipe: Recipe, site: string, list: 'run' | 'check', at: number): Promise<Place> {
  const { file } = recipe.place;
  const takenOver = recipe.extends?.[list].length ?? 0;
  if (recipe.extends && at < takenOver) return linePlace(recipe.extends, site, list, at);
  const text = await readFile(isAbsolute(file) ? file : join(site, file), 'utf8').catch(() => undefined);
  return text === undefined ? recipe.place : readYaml(file, text, new Findings()).place([list, at - takenOver]);
}
