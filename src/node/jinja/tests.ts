import type { Budget } from './budget.ts';
import { found } from './patterns.ts';
import { problem } from './problem.ts';
import { Callable, isDict, isSame, isTrue, listOf, placeIn, scalar, textOf } from './values.ts';

export type Test = (value: unknown, other: unknown, budget: Budget) => boolean;

/** What stands behind `is`, and what `select` and `reject` take. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => value !== undefined],
  ['undefined', (value) => value === undefined],
  ['none', (value) => value === null],
  ['None', (value) => value === null],
  ['null', (value) => value === null],
  ['truthy', (value) => isTrue(value)],
  ['falsy', (value) => !isTrue(value)],
  ['equalto', isSame],
  ['eq', isSame],
  ['sameas', isSame],
  ['==', isSame],
  ['ne', (value, other, budget) => !isSame(value, other, budget)],
  ['!=', (value, other, budget) => !isSame(value, other, budget)],
  ['gt', (value, other, budget) => numberOf(value, budget) > numberOf(other, budget)],
  ['greaterthan', (value, other, budget) => numberOf(value, budget) > numberOf(other, budget)],
  ['ge', (value, other, budget) => numberOf(value, budget) >= numberOf(other, budget)],
  ['lt', (value, other, budget) => numberOf(value, budget) < numberOf(other, budget)],
  ['lessthan', (value, other, budget) => numberOf(value, budget) < numberOf(other, budget)],
  ['le', (value, other, budget) => numberOf(value, budget) <= numberOf(other, budget)],
  ['divisibleby', (value, other, budget) => numberOf(value, budget) % numberOf(other, budget) === 0],
  ['even', (value, _, budget) => numberOf(value, budget) % 2 === 0],
  ['odd', (value, _, budget) => Math.abs(numberOf(value, budget) % 2) === 1],
  ['in', isIn],
  ['match', (value, other, budget) => found(`^(?:${textOf(other, budget)})`, '', textOf(value, budget), budget)],
  ['callable', (value) => value instanceof Callable],
  ['string', (value) => typeof value === 'string'],
  ['number', (value) => typeof value === 'number'],
  ['boolean', (value) => typeof value === 'boolean'],
  ['iterable', (value) => typeof value === 'string' || Array.isArray(value)],
  ['sequence', (value) => typeof value === 'string' || Array.isArray(value)],
  ['mapping', (value) => isDict(value)],
  ['lower', unchanged((text) => text.toLowerCase())],
  ['upper', unchanged((text) => text.toUpperCase())],
  ['escaped', () => false],
]);

/** What `selectattr` and `rejectattr` take: there what is null is not defined either. */
export const ATTRIBUTE_TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ...TESTS,
  ['defined', (value) => value !== undefined && value !== null],
  ['undefined', (value) => value === undefined || value === null],
]);

/** A test by its name. Throws if there is none. */
export function testNamed(name: unknown, tests: ReadonlyMap<string, Test>): Test {
  const test = typeof name === 'string' ? tests.get(name) : undefined;
  if (test) return test;
  throw problem(`there is no test "${typeof name === 'string' ? name : '?'}"; known: ${[...tests.keys()].join(', ')}`);
}

/** Whether a list holds a value, a text another, or a map a key. */
export function isIn(value: unknown, other: unknown, budget: Budget): boolean {
  if (typeof other === 'string') {
    budget.text(other.length);
    return other.includes(textOf(value, budget));
  }
  if (isDict(other)) return Object.hasOwn(other, textOf(value, budget));
  const list = listOf(other);
  // What is no number is in a list that holds such a value.
  return placeIn(list, value, budget) >= 0 || (Number.isNaN(value) && list.includes(value));
}

/** Whether a change of a text leaves it as it is. */
function unchanged(change: (text: string) => string): Test {
  return (value, _, budget) => {
    const text = textOf(value, budget);
    budget.text(text.length);
    return change(text) === text;
  };
}

function numberOf(value: unknown, budget: Budget): number {
  return Number(scalar(value, budget));
}
