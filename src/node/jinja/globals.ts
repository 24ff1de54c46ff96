import type { Budget } from './budget.ts';
import { problem } from './problem.ts';
import { Callable, emptyDict, type Given, isTrue, scalar, textOf } from './values.ts';

/** The functions that every template has. */
export const GLOBALS: ReadonlyMap<string, Callable> = new Map([
  ['range', new Callable(range)],
  ['cycler', new Callable(cycler)],
  ['joiner', new Callable(joiner)],
  [
    'fail',
    new Callable(({ values }, budget) => {
      throw problem(textOf(values[0], budget));
    }),
  ],
]);

function range({ values }: Given, budget: Budget): readonly number[] {
  const number = (value: unknown) => Number(scalar(value, budget));
  const [first, second, third] = values;
  const [start, stop] = second === undefined ? [0, number(first)] : [number(first), number(second)];
  const step = second === undefined || !isTrue(third) ? 1 : number(third);
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (Number.isNaN(length)) return [];
  budget.list(length);
  return Array.from({ length }, (_, i) => start + i * step);
}

function cycler({ values }: Given): object {
  let at = -1;
  const current = () => (at < 0 ? null : values[at]);
  const next = new Callable(() => {
    at = (at + 1) % Math.max(1, values.length);
    return current();
  });
  const reset = new Callable(() => {
    at = -1;
  });
  const dict = Object.assign(emptyDict(), { next, reset });
  return Object.defineProperty(dict, 'current', { get: current, enumerable: true });
}

function joiner({ values: [by] }: Given, budget: Budget): Callable {
  const between = isTrue(by) ? textOf(by, budget) : ',';
  let first = true;
  return new Callable(() => {
    if (!first) return between;
    first = false;
    return '';
  });
}
