import { type Place, ReveilleError } from '../errors.ts';

/** IMPORT_INVALID at a place of the configuration that is being read. */
export function invalid(place: Place, message: string, hint?: string): ReveilleError {
  return new ReveilleError('IMPORT_INVALID', message, { place, ...(hint === undefined ? {} : { hint }) });
}

const MOST_TOLD = 20;

/**
 * Problems of one configuration, so that all of them are reported at once: each is an IMPORT_INVALID with its place. Anything
 * else that is thrown passes.
 */
export class Problems {
  readonly #found: ReveilleError[] = [];

  get count(): number {
    return this.#found.length;
  }

  add(problem: unknown): void {
    if (!(problem instanceof ReveilleError)) throw problem;
    if (problem.code !== 'IMPORT_INVALID') throw problem;
    if (!this.#found.some((one) => one.message === problem.message && samePlace(one.place, problem.place)))
      this.#found.push(problem);
  }

  /** Throws them as one error, at the place of the first, if there are any. */
  throwAll(): void {
    const [first, ...others] = this.#found;
    if (first === undefined) return;
    const shown = others
      .slice(0, MOST_TOLD)
      .map(({ place, message, hint }) => `${placeWords(place)}${message}${hint === undefined ? '' : ` (${hint})`}`);
    if (others.length > MOST_TOLD) shown.push(`... and ${others.length - MOST_TOLD} more`);
    const hint = [...(first.hint === undefined ? [] : [first.hint]), ...(shown.length > 0 ? ['also:', ...shown] : [])];
    throw new ReveilleError('IMPORT_INVALID', first.message, {
      ...(first.place === undefined ? {} : { place: first.place }),
      ...(hint.length === 0 ? {} : { hint: hint.join('\n') }),
    });
  }
}

function placeWords(place: Place | undefined): string {
  return place === undefined ? '' : `${place.file}:${place.line}:${place.col}: `;
}

function samePlace(a: Place | undefined, b: Place | undefined): boolean {
  return a?.file === b?.file && a?.line === b?.line && a?.col === b?.col;
}
