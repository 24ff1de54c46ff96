import { type Place, ReveilleError } from '../../errors.ts';
import type { Recipe } from '../../model/recipe.ts';
import { linePlace } from '../recipePlace.ts';
import { type ImageRoot, runUnattended } from '../shell/run.ts';

const MARK = 'reveille: check ';
/** Each line in a shell of its own; what it prints follows its mark. */
const EACH = `n=0; for line in "$@"; do echo "${MARK}$n"; /bin/sh -ec "$line" </dev/null 2>&1 || exit; n=$((n + 1)); done`;
const KEPT_LINES = 20;
const LONGEST_LINE = 500;
const PATIENCE_MS = 10 * 60_000;

/**
 * Runs the lines of a recipe's `check` in an image's root as it will be shipped, in namespaces, one after the other. Throws
 * IMAGE_BUILD_FAILED with the first that fails, what it printed and its place in the recipe (`site` is the site's folder).
 */
export async function runChecks(
  recipe: Recipe,
  site: string,
  image: ImageRoot,
  onLine: (line: number) => void,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  let at = -1;
  let printed: string[] = [];
  const hear = (text: string) => {
    const mark = text.startsWith(MARK) ? Number(text.slice(MARK.length)) : Number.NaN;
    if (mark === at + 1) {
      at = mark;
      printed = [];
      onLine(at);
    } else printed = [...printed.slice(1 - KEPT_LINES), text.slice(0, LONGEST_LINE)];
  };
  const code = await runUnattended(image, ['/bin/sh', '-c', EACH, 'sh', ...recipe.check], hear, patienceMs);
  if (code === 0) return;
  const how = code === 'stopped' ? `takes longer than ${patienceMs / 1000} s` : `fails with exit code ${code}`;
  const line = recipe.check[at];
  const where: Place = line === undefined ? recipe.place : await linePlace(recipe, site, 'check', at);
  throw new ReveilleError(
    'IMAGE_BUILD_FAILED',
    line === undefined
      ? `the checks of image ${recipe.name} cannot be run: its root has no /bin/sh that works`
      : `check line ${at + 1} of image ${recipe.name} ${how}: ${line.trim()}\n${printed.join('\n')}`.trimEnd(),
    {
      place: where,
      hint: 'the image before stays in use; see what the root lacks with `remove` and `slim`, or build with --no-check and look: reveille image shell',
    },
  );
}
