import { type Budget, LONGEST_LIST } from './budget.ts';
import { found } from './patterns.ts';
import { problem } from './problem.ts';
import { isIn } from './tests.ts';
import { type Dict, isDict, keysOf, listOf, member, Pattern, placeIn, scalar, textOf } from './values.ts';

type Method<T> = (of: T, args: readonly unknown[], budget: Budget) => unknown;
type Methods<T> = ReadonlyMap<string, Method<T>>;

/**
 * Calls a method of a text, list, map or pattern: those of Python that Ansible's users know, and those of JavaScript that
 * templates have been written with. `undefined` in a list of one if there is no such method.
 */
export function callMethod(
  of: unknown,
  name: unknown,
  args: readonly unknown[],
  budget: Budget,
): readonly [unknown] | undefined {
  if (typeof name !== 'string') return undefined;
  if (typeof of === 'string') return called(STRING, of, name, args, budget);
  if (typeof of === 'number') return called(NUMBER, of, name, args, budget);
  if (Array.isArray(of)) return called(LIST, of as unknown[], name, args, budget);
  if (isDict(of)) return called(DICT, of, name, args, budget);
  return of instanceof Pattern ? called(PATTERN, of, name, args, budget) : undefined;
}

function called<T>(methods: Methods<T>, of: T, name: string, args: readonly unknown[], budget: Budget) {
  const method = methods.get(name);
  return method === undefined ? undefined : ([method(of, args, budget)] as const);
}

function text(value: unknown, budget: Budget): string {
  return textOf(value, budget);
}

function number(value: unknown, otherwise: number, budget: Budget): number {
  const asked = Number(value === undefined ? otherwise : scalar(value, budget));
  return Number.isNaN(asked) ? 0 : Math.trunc(asked);
}

/** A method of texts that goes over the whole of one and makes a text of about that length. */
function whole(change: (of: string) => string): Method<string> {
  return (of, _, budget) => {
    budget.text(of.length * 2);
    return change(of);
  };
}

function search(change: (of: string, sought: string, from: number | undefined) => unknown): Method<string> {
  return (of, [sought, from], budget) => {
    budget.text(of.length);
    return change(of, text(sought, budget), from === undefined ? undefined : number(from, 0, budget));
  };
}

function padded(change: (of: string, length: number, fill: string) => string): Method<string> {
  return (of, [length, fill], budget) => {
    const to = number(length, 0, budget);
    budget.text(Math.max(to, of.length));
    return change(of, to, fill === undefined ? ' ' : text(fill, budget));
  };
}

const split: Method<string> = (of, [by, most], budget) => {
  budget.spend(of.length);
  const parts = by === undefined ? of.split(/\s+/).filter((part) => part !== '') : of.split(text(by, budget));
  budget.list(parts.length);
  return most === undefined ? parts : parts.slice(0, Math.max(0, number(most, 0, budget)));
};

/** Puts `by` in the place of the first, or of so many, or of all. */
export function replacedText(of: string, old: string, by: string, most: number, budget: Budget): string {
  budget.text(of.length);
  let result = '';
  let from = 0;
  for (let count = 0; count < most; count++) {
    const at = old === '' ? (count > of.length ? -1 : count) : of.indexOf(old, from);
    if (at < 0) break;
    budget.text(at - from + by.length);
    result += of.slice(from, at) + by;
    budget.fits(result.length);
    from = at + old.length;
  }
  return result + of.slice(from);
}

const STRING: Methods<string> = new Map<string, Method<string>>([
  ['toUpperCase', whole((of) => of.toUpperCase())],
  ['upper', whole((of) => of.toUpperCase())],
  ['toLowerCase', whole((of) => of.toLowerCase())],
  ['lower', whole((of) => of.toLowerCase())],
  ['trim', whole((of) => of.trim())],
  ['strip', whole((of) => of.trim())],
  ['trimStart', whole((of) => of.trimStart())],
  ['lstrip', whole((of) => of.trimStart())],
  ['trimEnd', whole((of) => of.trimEnd())],
  ['rstrip', whole((of) => of.trimEnd())],
  ['toString', whole((of) => of)],
  ['startsWith', search((of, sought, from) => of.startsWith(sought, from))],
  ['startswith', search((of, sought, from) => of.startsWith(sought, from))],
  ['endsWith', search((of, sought, to) => of.endsWith(sought, to))],
  ['endswith', search((of, sought) => of.endsWith(sought))],
  ['includes', search((of, sought, from) => of.includes(sought, from))],
  ['indexOf', search((of, sought, from) => of.indexOf(sought, from))],
  ['find', search((of, sought, from) => of.indexOf(sought, from))],
  ['lastIndexOf', search((of, sought) => of.lastIndexOf(sought))],
  ['padStart', padded((of, length, fill) => of.padStart(length, fill))],
  ['padEnd', padded((of, length, fill) => of.padEnd(length, fill))],
  ['split', split],
  ['splitlines', (of, _, budget) => split(of, ['\n'], budget)],
  [
    'replace',
    (of, [old, by], budget) => {
      if (old instanceof Pattern) throw problem('use the filter replace for a regular expression');
      return replacedText(of, text(old, budget), text(by, budget), 1, budget);
    },
  ],
  [
    'replaceAll',
    (of, [old, by], budget) => replacedText(of, text(old, budget), text(by, budget), Number.POSITIVE_INFINITY, budget),
  ],
  [
    'slice',
    (of, [from, to], budget) => {
      budget.text(of.length);
      return of.slice(number(from, 0, budget), to === undefined ? undefined : number(to, 0, budget));
    },
  ],
  [
    'substring',
    (of, [from, to], budget) => {
      budget.text(of.length);
      return of.substring(number(from, 0, budget), to === undefined ? undefined : number(to, 0, budget));
    },
  ],
  ['charAt', (of, [at], budget) => of.charAt(number(at, 0, budget))],
  ['charCodeAt', (of, [at], budget) => of.charCodeAt(number(at, 0, budget))],
  [
    'concat',
    (of, args, budget) => {
      let result = of;
      for (const one of args) {
        result += text(one, budget);
        budget.text(result.length);
      }
      return result;
    },
  ],
  [
    'repeat',
    (of, [times], budget) => {
      const count = Math.max(0, number(times, 0, budget));
      budget.text(of.length * count);
      return of.repeat(count);
    },
  ],
  ['join', (of, [items], budget) => joined(listOf(items), of, budget)],
]);

/** Items as text with a separator between. */
export function joined(items: readonly unknown[], by: string, budget: Budget): string {
  let result = '';
  let length = 0;
  for (const [i, item] of items.entries()) {
    const next = item === undefined || item === null ? '' : textOf(item, budget);
    length += next.length + by.length;
    budget.text(next.length + by.length);
    budget.fits(length);
    result += i === 0 ? next : by + next;
  }
  budget.text(result.length);
  return result;
}

const NUMBER: Methods<number> = new Map<string, Method<number>>([
  ['toString', (of, [base]) => of.toString(typeof base === 'number' && base >= 2 && base <= 36 ? base : 10)],
  ['toFixed', (of, [digits], budget) => of.toFixed(Math.min(100, Math.max(0, number(digits, 0, budget))))],
]);

const LIST: Methods<unknown[]> = new Map<string, Method<unknown[]>>([
  [
    'push',
    (of, items, budget) => {
      budget.list(items.length);
      if (of.length + items.length > LONGEST_LIST) budget.list(of.length + items.length);
      return of.push(...items);
    },
  ],
  [
    'append',
    (of, [item], budget) => {
      budget.list(1);
      if (of.length >= LONGEST_LIST) budget.list(of.length + 1);
      of.push(item);
      return '';
    },
  ],
  ['pop', (of) => of.pop()],
  [
    'concat',
    (of, more, budget) => {
      const lists = more.map((one) => (Array.isArray(one) ? one : [one]));
      budget.list(lists.reduce((sum, one) => sum + one.length, of.length));
      return of.concat(...lists);
    },
  ],
  ['includes', (of, [sought], budget) => isIn(sought, of, budget)],
  ['indexOf', (of, [sought], budget) => placeIn(of, sought, budget)],
  ['join', (of, [by], budget) => joined(of, by === undefined ? ',' : text(by, budget), budget)],
  [
    'slice',
    (of, [from, to], budget) => {
      budget.list(of.length);
      return of.slice(number(from, 0, budget), to === undefined ? undefined : number(to, 0, budget));
    },
  ],
  [
    'reverse',
    (of, _, budget) => {
      budget.list(of.length);
      return of.reverse();
    },
  ],
]);

const DICT: Methods<Dict> = new Map<string, Method<Dict>>([
  ['items', (of, _, budget) => keysOf(of, budget).map((key) => [key, member(of, key)])],
  ['keys', (of, _, budget) => [...keysOf(of, budget)]],
  ['values', (of, _, budget) => keysOf(of, budget).map((key) => member(of, key))],
  ['get', (of, [key, otherwise]) => member(of, key) ?? otherwise],
  ['hasOwnProperty', (of, [key]) => typeof key === 'string' && Object.hasOwn(of, key)],
]);

const PATTERN: Methods<Pattern> = new Map<string, Method<Pattern>>([
  ['test', (of, [subject], budget) => found(of.source, of.flags, text(subject, budget), budget)],
]);
