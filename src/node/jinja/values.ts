import type { Budget } from './budget.ts';
import { problem } from './problem.ts';

/** What a call is given: arguments by place, and those by name. */
export type Given = { readonly values: readonly unknown[]; readonly named: ReadonlyMap<string, unknown> };

/** A function that templates may call. It is the only kind of function that they ever hold. */
export class Callable {
  readonly call: (given: Given, budget: Budget) => unknown;

  constructor(call: (given: Given, budget: Budget) => unknown) {
    this.call = call;
  }
}

/** A regular expression that a template wrote as `r/.../`. */
export class Pattern {
  readonly source: string;
  readonly flags: string;

  constructor(source: string, flags: string) {
    this.source = source;
    this.flags = flags;
  }
}

/** A map: an object that is nothing but its own members. */
export type Dict = Readonly<Record<string, unknown>>;

const DEEPEST = 100;

/** Whether a value is a map to templates. Nothing else that is an object has members. */
export function isDict(value: unknown): value is Dict {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A map without a prototype, so that every name is a key and nothing more. */
export function emptyDict(): Record<string, unknown> {
  return Object.create(null);
}

/**
 * The member `key` of a value: a map's own, a list's or a text's by number, and `length` of both. A key is a text or a
 * number, never anything that would have to be made into one. Functions of the program are no members.
 */
export function member(of: unknown, key: unknown): unknown {
  if (typeof key !== 'string' && typeof key !== 'number') return undefined;
  if (typeof of === 'string' || Array.isArray(of)) {
    if (key === 'length') return of.length;
    const index = typeof key === 'number' ? key : /^(0|[1-9][0-9]{0,9})$/.test(key) ? Number(key) : -1;
    return Number.isInteger(index) && index >= 0 && index < of.length ? data(of[index]) : undefined;
  }
  return isDict(of) && Object.hasOwn(of, key) ? data(of[key]) : undefined;
}

/** The value, unless it is a function of the program. */
function data(value: unknown): unknown {
  return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
}

/** What is false in Jinja2: nothing, `false`, 0 and the empty text, but also the empty list and the empty map. */
export function isTrue(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  return isDict(value) ? Object.keys(value).length > 0 : true;
}

/** The value as text: nothing is the word for it, a list its items with commas between. */
export function textOf(value: unknown, budget: Budget, depth = 0): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return String(primitive(value));
  if (depth > DEEPEST) throw problem('a list is nested too deeply');
  let text = '';
  for (const [i, item] of value.entries()) {
    const next = item === undefined || item === null ? '' : textOf(item, budget, depth + 1);
    text += i === 0 ? next : `,${next}`;
    budget.text(next.length);
  }
  budget.text(text.length);
  return text;
}

/** A value that is no list as what operators of arithmetic take. It runs no code of the value's. */
function primitive(value: unknown): string | number | boolean | null | undefined {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      return String(value);
    default:
      return value === null ? null : value instanceof Pattern ? `/${value.source}/${value.flags}` : '[object Object]';
  }
}

/** A value for arithmetic and comparison: lists as their text, else as it is. A text costs what it takes to go over it. */
export function scalar(value: unknown, budget: Budget): string | number | boolean | null | undefined {
  if (typeof value === 'string') budget.look(value.length);
  return Array.isArray(value) ? textOf(value, budget) : primitive(value);
}

/** Whether two values are the same: texts by what they hold, lists and maps only if they are one. */
export function isSame(left: unknown, right: unknown, budget: Budget): boolean {
  if (typeof left === 'string' && typeof right === 'string') budget.look(Math.min(left.length, right.length));
  return left === right;
}

/** Where a value stands in a list; -1 if it does not. */
export function placeIn(list: readonly unknown[], sought: unknown, budget: Budget): number {
  budget.list(list.length);
  return typeof sought === 'string' ? list.findIndex((item) => isSame(item, sought, budget)) : list.indexOf(sought);
}

/** The items of a list; none for what has no value. Throws for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw problem('a list is needed here');
  return value;
}

/** The keys of a map, in order. */
export function keysOf(value: Dict, budget: Budget): readonly string[] {
  const keys = Object.keys(value);
  budget.list(keys.length);
  budget.spend(keys.length * 3);
  return keys;
}

/**
 * A copy that holds texts, numbers, true, false, null, lists and maps and nothing else. With `shared` a value that stands in
 * several places is one copy. Each value costs `cost` steps.
 */
export function plain(
  value: unknown,
  budget: Budget,
  options: { readonly shared?: Map<unknown, unknown>; readonly cost?: number } = {},
  depth = 0,
): unknown {
  const { shared, cost = 6 } = options;
  budget.spend(cost);
  if (typeof value === 'string') {
    // Each character may become two, or six.
    budget.text(value.length * 2);
    return value;
  }
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  const before = shared?.get(value);
  if (before !== undefined) return before;
  if (depth > DEEPEST) throw problem('a value is nested too deeply');
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    shared?.set(value, copy);
    for (const item of value) copy.push(plain(item, budget, options, depth + 1));
    return copy;
  }
  if (!isDict(value)) return undefined;
  const copy = emptyDict();
  shared?.set(value, copy);
  for (const key of keysOf(value, budget)) {
    budget.text(key.length);
    copy[key] = plain(value[key], budget, options, depth + 1);
  }
  return copy;
}

/** JSON of a value, with `spaces` for each level. `undefined` for what has no value. */
export function jsonOf(value: unknown, budget: Budget, spaces?: number): string | undefined {
  const json = JSON.stringify(plain(value, budget), null, spaces);
  if (json !== undefined) budget.text(json.length);
  return json;
}
