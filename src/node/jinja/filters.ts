import { stringify } from 'yaml';
import { osloText, shellText } from '../quoting.ts';
import type { Budget } from './budget.ts';
import { joined, replacedText } from './methods.ts';
import { replaced } from './patterns.ts';
import { problem } from './problem.ts';
import { ATTRIBUTE_TESTS, TESTS, type Test, testNamed } from './tests.ts';
import {
  emptyDict,
  type Given,
  isDict,
  isTrue,
  jsonOf,
  keysOf,
  listOf,
  member,
  Pattern,
  plain,
  scalar,
  textOf,
} from './values.ts';

/** A filter: the value, its arguments in the order of its names, and what it may use. */
type Filter = {
  readonly names: readonly string[];
  readonly of: (value: unknown, args: readonly unknown[], budget: Budget) => unknown;
};

/** Runs a filter that is there. */
export function filtered(filter: Filter, value: unknown, { values, named }: Given, budget: Budget): unknown {
  const args = [...values];
  for (const [name, given] of named) {
    const at = filter.names.indexOf(name);
    if (at < 0) throw problem(`the filter takes no argument ${name}=`);
    args[at] = given;
  }
  return filter.of(value, args, budget);
}

/** A filter by its name. */
export function filterNamed(name: string): Filter | undefined {
  return FILTERS.get(name);
}

const LONGEST_PATH = 1000;

function filter(names: readonly string[], of: Filter['of']): Filter {
  return { names, of };
}

/** A filter of a text that goes over the whole of it; what has no value is the empty text. */
function textual(
  names: readonly string[],
  of: (text: string, args: readonly unknown[], budget: Budget) => unknown,
): Filter {
  return filter(names, (value, args, budget) => {
    const text = value === undefined || value === null || value === false ? '' : textOf(value, budget);
    budget.text(text.length * 2);
    return of(text, args, budget);
  });
}

function numeric(value: unknown, budget: Budget): number {
  return Number(scalar(value, budget));
}

function count(value: unknown, otherwise: number, budget: Budget): number {
  const number = value === undefined || value === null ? otherwise : Math.trunc(numeric(value, budget));
  return Number.isNaN(number) ? otherwise : number;
}

/** A list that has a value. */
function items(value: unknown, budget: Budget): readonly unknown[] {
  if (!Array.isArray(value)) throw problem('a list is needed here');
  budget.list(value.length);
  return value;
}

/** The member at a path such as `a.b`. */
function attribute(item: unknown, path: unknown, budget: Budget): unknown {
  if (typeof path === 'number') return member(item, path);
  if (typeof path !== 'string') throw problem('an attribute is named by a text');
  if (path.length > LONGEST_PATH) throw problem('the name of an attribute is too long');
  budget.spend(path.length / 8);
  let value = item;
  for (const name of path.split('.')) value = member(value, name);
  return value;
}

const fallback = filter(['default_value', 'boolean'], (value, [other, alsoIfFalse]) =>
  value === undefined || (isTrue(alsoIfFalse) && !isTrue(value)) ? other : value,
);

const escaped = textual([], (text, _, budget) => {
  budget.text(text.length * 6);
  return text.replace(/[&"'<>\\]/g, (char) => ESCAPES[char] ?? char);
});

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
  '\\': '&#92;',
};

function capitalized(text: string): string {
  const low = text.toLowerCase();
  return low.charAt(0).toUpperCase() + low.slice(1);
}

function selecting(wanted: boolean): Filter {
  return filter(['test', 'other'], (value, [name, other], budget) => {
    const test = name === undefined ? testNamed('truthy', TESTS) : testNamed(name, TESTS);
    return items(value ?? [], budget).filter((item) => test(item, other, budget) === wanted);
  });
}

function selectingByAttribute(wanted: boolean): Filter {
  return filter(['attribute', 'test', 'other'], (value, [path, name, other], budget) => {
    const test: Test = name === undefined ? isTrue : testNamed(name, ATTRIBUTE_TESTS);
    return items(value ?? [], budget).filter((item) => test(attribute(item, path, budget), other, budget) === wanted);
  });
}

/** Numbers before and after each other as numbers, all else as text. */
function compared(a: unknown, b: unknown, ignoreCase: boolean, budget: Budget): number {
  budget.spend(1);
  let x = scalar(a, budget);
  let y = scalar(b, budget);
  if (ignoreCase && typeof x === 'string' && typeof y === 'string') {
    budget.text(x.length + y.length);
    x = x.toLowerCase();
    y = y.toLowerCase();
  }
  if (x === undefined || x === null || y === undefined || y === null) return 0;
  return x < y ? -1 : x > y ? 1 : 0;
}

function json(spaces: number | undefined): Filter {
  return filter(['indent'], (value, [indent], budget) =>
    jsonOf(value, budget, indent === undefined ? spaces : Math.min(10, Math.max(0, count(indent, 0, budget)))),
  );
}

function encoded(value: unknown, budget: Budget): string {
  const text = textOf(value, budget);
  budget.text(text.length * 9);
  try {
    return encodeURIComponent(text);
  } catch {
    throw problem('a text that is no Unicode cannot be encoded');
  }
}

/** Writes a value as another program's file takes it, each character as so many at most. */
function quoting(write: (text: string) => string, most: number): Filter {
  return filter([], (value, _, budget) => {
    // What has no value is refused where it is printed.
    if (value === undefined) return undefined;
    const text = textOf(value, budget);
    budget.text(text.length * most);
    try {
      return write(text);
    } catch (error) {
      throw problem((error as Error).message);
    }
  });
}

function added(a: unknown, b: unknown, budget: Budget): unknown {
  const [x, y] = [scalar(a, budget), scalar(b, budget)];
  if (typeof x !== 'string' && typeof y !== 'string') return Number(x) + Number(y);
  budget.text(String(x).length + String(y).length);
  return `${x}${y}`;
}

const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['default', fallback],
  ['d', fallback],
  ['to_json', json(undefined)],
  ['dump', json(undefined)],
  ['to_nice_json', json(4)],
  [
    'to_yaml',
    filter([], (value, _, budget) => {
      const text = stringify(plain(value, budget, { shared: new Map(), cost: 60 }), { lineWidth: 0 });
      budget.text(text.length);
      return text;
    }),
  ],
  ['upper', textual([], (text) => text.toUpperCase())],
  ['lower', textual([], (text) => text.toLowerCase())],
  ['capitalize', textual([], capitalized)],
  [
    'title',
    textual([], (text, _, budget) => {
      budget.spend(text.length);
      return text.split(' ').map(capitalized).join(' ');
    }),
  ],
  ['trim', textual([], (text) => text.trim())],
  ['string', textual([], (text) => text)],
  ['safe', textual([], (text) => text)],
  ['escape', escaped],
  ['e', escaped],
  ['forceescape', escaped],
  [
    'nl2br',
    textual([], (text, _, budget) => replacedText(text.replaceAll('\r\n', '\n'), '\n', '<br />\n', Infinity, budget)),
  ],
  [
    'urlencode',
    filter([], (value, _, budget) => {
      if (typeof value === 'string') return encoded(value, budget);
      const pairs = isDict(value)
        ? keysOf(value, budget).map((key) => [key, member(value, key)])
        : items(value, budget);
      return pairs.map((pair) => `${encoded(member(pair, 0), budget)}=${encoded(member(pair, 1), budget)}`).join('&');
    }),
  ],
  ['oslo', quoting(osloText, 2)],
  ['quote', quoting(shellText, 5)],
  [
    'center',
    textual(['width'], (text, [width], budget) => {
      const to = count(width, 80, budget);
      if (text.length >= to) return text;
      budget.text(to);
      const spaces = to - text.length;
      return ' '.repeat(Math.ceil(Math.max(0, spaces / 2 - (spaces % 2)))) + text + ' '.repeat(Math.ceil(spaces / 2));
    }),
  ],
  [
    'indent',
    textual(['width', 'first'], (text, [width, first], budget) => {
      if (text === '') return '';
      const by = Math.max(0, count(width, 4, budget)) || 4;
      budget.spend(text.length);
      const lines = text.split('\n');
      budget.list(lines.length);
      budget.text(text.length + lines.length * by);
      return lines.map((line, i) => (i === 0 && !isTrue(first) ? line : ' '.repeat(by) + line)).join('\n');
    }),
  ],
  [
    'truncate',
    textual(['length', 'killwords', 'end'], (text, [length, killWords, end], budget) => {
      const most = Math.max(0, count(length, 255, budget)) || 255;
      if (text.length <= most) return text;
      const space = text.lastIndexOf(' ', most);
      const cut = isTrue(killWords) || space === -1 ? most : space;
      return text.slice(0, cut) + (end === undefined || end === null ? '...' : textOf(end, budget));
    }),
  ],
  [
    'wordcount',
    textual([], (text, _, budget) => {
      budget.spend(text.length);
      return text.match(/\w+/g)?.length;
    }),
  ],
  [
    'replace',
    filter(['old', 'new', 'count'], (value, [old, by, most], budget) => {
      if (typeof value !== 'string' && typeof value !== 'number') return value;
      const text = String(value);
      if (old instanceof Pattern) return replaced(old.source, old.flags, text, textOf(by, budget), budget);
      if (typeof old !== 'string' && typeof old !== 'number') return value;
      const times = most === undefined || most === -1 ? Number.POSITIVE_INFINITY : count(most, 0, budget);
      return replacedText(text, String(old), textOf(by, budget), times, budget);
    }),
  ],
  [
    'reverse',
    filter([], (value, _, budget) => {
      if (typeof value !== 'string') return [...items(value, budget)].reverse();
      budget.list(value.length);
      return value.split('').reverse().join('');
    }),
  ],
  [
    'join',
    filter(['d', 'attribute'], (value, [by, path], budget) => {
      const all = items(value, budget);
      const shown = path === undefined ? all : all.map((item) => attribute(item, path, budget));
      return joined(shown, isTrue(by) ? textOf(by, budget) : '', budget);
    }),
  ],
  ['first', filter([], (value, _, budget) => edge(value, budget, 0))],
  ['last', filter([], (value, _, budget) => edge(value, budget, -1))],
  [
    'length',
    filter([], (value, _, budget) => {
      if (value === undefined || value === null || value === false) return 0;
      return isDict(value) ? keysOf(value, budget).length : member(value, 'length');
    }),
  ],
  [
    'list',
    filter([], (value, _, budget) => {
      if (typeof value === 'string') {
        budget.list(value.length);
        return value.split('');
      }
      if (!isDict(value)) return [...items(value, budget)];
      return keysOf(value, budget).map((key) => Object.assign(emptyDict(), { key, value: member(value, key) }));
    }),
  ],
  [
    'dictsort',
    filter(['case_sensitive', 'by'], (value, [caseSensitive, by], budget) => {
      if (!isDict(value)) throw problem('dictsort filter: val must be an object');
      if (by !== undefined && by !== 'key' && by !== 'value') {
        throw problem('dictsort filter: You can only sort by either key or value');
      }
      const at = by === 'value' ? 1 : 0;
      const pairs = keysOf(value, budget).map((key) => [key, member(value, key)] as const);
      return pairs.sort((a, b) => compared(a[at], b[at], !isTrue(caseSensitive), budget));
    }),
  ],
  [
    'sort',
    filter(['reverse', 'case_sensitive', 'attribute'], (value, [reverse, caseSensitive, path], budget) => {
      const keyed = listOf(value).map((item) => {
        const key = path === undefined ? item : attribute(item, path, budget);
        if (key === undefined && path !== undefined) throw problem(`sort: attribute "${path}" has no value`);
        return { item, key };
      });
      budget.list(keyed.length);
      const sign = isTrue(reverse) ? -1 : 1;
      return keyed
        .sort((a, b) => sign * compared(a.key, b.key, !isTrue(caseSensitive), budget))
        .map(({ item }) => item);
    }),
  ],
  [
    'groupby',
    filter(['attribute'], (value, [path], budget) => {
      const groups = emptyDict();
      for (const item of items(value, budget)) {
        const key = attribute(item, path, budget);
        if (key === undefined) throw problem(`groupby: attribute "${textOf(path, budget)}" has no value`);
        const name = textOf(key, budget);
        const group = groups[name];
        if (Array.isArray(group)) group.push(item);
        else groups[name] = [item];
      }
      return groups;
    }),
  ],
  [
    'unique',
    filter([], (value, _, budget) => {
      budget.list(listOf(value).length);
      return [...new Set(listOf(value))];
    }),
  ],
  /** `map('upper')` is not offered: `map(attribute='name')` is what lists of nodes and cards need. */
  [
    'map',
    filter(['', 'attribute'], (value, [, path], budget) => {
      if (path === undefined) throw problem("map is used as map(attribute='name')");
      budget.list(listOf(value).length);
      return listOf(value).map((item) => attribute(item, path, budget));
    }),
  ],
  ['select', selecting(true)],
  ['reject', selecting(false)],
  ['selectattr', selectingByAttribute(true)],
  ['rejectattr', selectingByAttribute(false)],
  [
    'sum',
    filter(['attribute', 'start'], (value, [path, start], budget) =>
      items(value, budget).reduce(
        (sum, item) => added(sum, isTrue(path) ? attribute(item, path, budget) : item, budget),
        start ?? 0,
      ),
    ),
  ],
  [
    'batch',
    filter(['linecount', 'fill_with'], (value, [size, fill], budget) => {
      const all = items(value, budget);
      const width = Math.max(1, count(size, 1, budget));
      const rows: unknown[][] = [];
      for (let i = 0; i < all.length; i += width) rows.push(all.slice(i, i + width));
      const last = rows.at(-1);
      if (last && isTrue(fill)) {
        budget.list(width);
        while (last.length < width) last.push(fill);
      }
      return rows;
    }),
  ],
  [
    'slice',
    filter(['slices', 'fill_with'], (value, [slices, fill], budget) => {
      const all = items(value, budget);
      const columns = Math.max(1, count(slices, 1, budget));
      budget.list(columns);
      const size = Math.floor(all.length / columns);
      const longer = all.length % columns;
      let at = 0;
      return Array.from({ length: columns }, (_, i) => {
        const part = all.slice(at, at + size + (i < longer ? 1 : 0));
        at += part.length;
        return isTrue(fill) && i >= longer ? [...part, fill] : part;
      });
    }),
  ],
  [
    'random',
    filter([], (value, _, budget) =>
      member(value, Math.floor(Math.random() * count(member(value, 'length'), 0, budget))),
    ),
  ],
  ['abs', filter([], (value, _, budget) => Math.abs(numeric(value, budget)))],
  [
    'round',
    filter(['precision', 'method'], (value, [precision, method], budget) => {
      const factor = 10 ** count(precision, 0, budget);
      const scaled = numeric(value, budget) * factor;
      return (
        (method === 'ceil' ? Math.ceil(scaled) : method === 'floor' ? Math.floor(scaled) : Math.round(scaled)) / factor
      );
    }),
  ],
  [
    'float',
    filter(['default'], (value, [otherwise], budget) => orElse(Number.parseFloat(readText(value, budget)), otherwise)),
  ],
  [
    'int',
    filter(['default', 'base'], (value, [otherwise, base], budget) =>
      orElse(Number.parseInt(readText(value, budget), count(base, 10, budget)), otherwise),
    ),
  ],
]);

function readText(value: unknown, budget: Budget): string {
  const text = textOf(value, budget);
  budget.look(text.length);
  return text;
}

function orElse(number: number, otherwise: unknown): unknown {
  return Number.isNaN(number) ? otherwise : number;
}

function edge(value: unknown, budget: Budget, at: number): unknown {
  if (typeof value === 'string') return member(value, at < 0 ? value.length + at : at);
  const all = items(value, budget);
  return member(all, at < 0 ? all.length + at : at);
}
