import nunjucks from 'nunjucks';
import { stringify } from 'yaml';
import { type Place, ReveilleError } from '../errors.ts';
import { addTruth, compileConditionsAsJinja, isTrue } from './jinjaTruth.ts';

/** Turns one template's text into a file's; `file` is its name in errors. Throws TEMPLATE_INVALID with the place. */
export type Renderer = {
  compile(file: string, text: string): void;
  render(file: string, text: string, sees: object): string;
};

/**
 * Templates in the syntax that operators know from Ansible (Jinja2): no HTML escaping, the newline after a block tag is
 * dropped, empty lists and maps are false, a value that does not exist is an error where it is printed, and `fail(words)` is one anywhere. A template stands alone: include, import and
 * extends find nothing, so that none reads a file it should not.
 */
export function createRenderer(): Renderer {
  const environment = new nunjucks.Environment([], {
    autoescape: false,
    throwOnUndefined: true,
    trimBlocks: true,
    // Keeps the line in errors.
    ...{ dev: true },
  });
  for (const [name, filter] of Object.entries(FILTERS)) environment.addFilter(name, filter);
  environment.addGlobal('fail', (words: unknown) => {
    throw new Error(String(words));
  });
  addTruth(environment);

  // The same template is rendered for many nodes, and for each again and again.
  const known = new Map<string, nunjucks.Template>();
  const compiled = (file: string, text: string): nunjucks.Template => {
    const name = `${file}\0${text}`;
    const before = known.get(name);
    if (before) return before;
    try {
      const template = new nunjucks.Template(text, environment, file, true);
      if (known.size === MOST_KNOWN) known.clear();
      known.set(name, template);
      return template;
    } catch (error) {
      throw templateError(file, text, error);
    }
  };
  return {
    compile: (file, text) => {
      compiled(file, text);
    },
    render(file, text, sees) {
      const template = compiled(file, text);
      try {
        return template.render(sees);
      } catch (error) {
        throw templateError(file, text, error);
      }
    },
  };
}

/**
 * Compiled templates reach every member of a value through this one function of the library. Without `constructor` and
 * its kind a template cannot climb from a text to the program that renders it.
 */
const runtime = (nunjucks as unknown as { runtime: { memberLookup: (from: unknown, name: unknown) => unknown } })
  .runtime;
const lookup = runtime.memberLookup;
runtime.memberLookup = (from, name) => (FORBIDDEN.has(String(name)) ? undefined : lookup(from, name));
const FORBIDDEN: ReadonlySet<string> = new Set([
  'constructor',
  '__proto__',
  'prototype',
  '__defineGetter__',
  '__defineSetter__',
]);

compileConditionsAsJinja();

/** Templates that are kept compiled. */
const MOST_KNOWN = 2000;

type Test = (value: unknown, other: unknown) => boolean;

/** What Ansible's users expect beside the library's own filters, or expect to take more. */
const FILTERS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  to_json: (value: unknown) => JSON.stringify(value),
  to_nice_json: (value: unknown) => JSON.stringify(value, null, 4),
  to_yaml: (value: unknown) => stringify(value, { lineWidth: 0 }),
  default: orDefault,
  d: orDefault,
  unique: (items: unknown) => [...new Set(list(items))],
  /** `map('upper')` is not offered: `map(attribute='name')` is what lists of nodes and cards need. */
  map: (items: unknown, options: unknown) => {
    const name =
      typeof options === 'object' && options !== null && 'attribute' in options
        ? String((options as { attribute?: unknown }).attribute)
        : undefined;
    if (name === undefined) throw new Error("map is used as map(attribute='name')");
    return list(items).map((item) => attribute(item, name));
  },
  selectattr: (items: unknown, name: string, test?: string, other?: unknown) =>
    list(items).filter((item) => holds(attribute(item, name), test, other)),
  rejectattr: (items: unknown, name: string, test?: string, other?: unknown) =>
    list(items).filter((item) => !holds(attribute(item, name), test, other)),
};

function orDefault(value: unknown, other: unknown, alsoIfFalse?: unknown): unknown {
  return value === undefined || (isTrue(alsoIfFalse) && !isTrue(value)) ? other : value;
}

const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => value !== undefined && value !== null,
  undefined: (value) => value === undefined || value === null,
  equalto: (value, other) => value === other,
  eq: (value, other) => value === other,
  '==': (value, other) => value === other,
  ne: (value, other) => value !== other,
  '!=': (value, other) => value !== other,
  gt: (value, other) => Number(value) > Number(other),
  ge: (value, other) => Number(value) >= Number(other),
  lt: (value, other) => Number(value) < Number(other),
  le: (value, other) => Number(value) <= Number(other),
  in: (value, other) => (typeof other === 'string' ? other.includes(String(value)) : list(other).includes(value)),
  match: (value, other) => new RegExp(`^(?:${other})`).test(String(value)),
};

function holds(value: unknown, test: string | undefined, other: unknown): boolean {
  if (test === undefined) return isTrue(value);
  const known = Object.hasOwn(TESTS, test) ? TESTS[test] : undefined;
  if (!known) throw new Error(`there is no test "${test}"; known: ${Object.keys(TESTS).join(', ')}`);
  return known(value, other);
}

function list(items: unknown): readonly unknown[] {
  if (items === undefined || items === null) return [];
  if (!Array.isArray(items)) throw new Error('a list is needed here');
  return items;
}

function attribute(item: unknown, path: string): unknown {
  let value: unknown = item;
  for (const name of path.split('.')) value = runtime.memberLookup(value, name);
  return value;
}

/** The library's error with the place it happened at and in the operator's words. */
function templateError(file: string, text: string, error: unknown): ReveilleError {
  const {
    message = String(error),
    lineno,
    colno,
    cause,
  } = error as {
    message?: string;
    lineno?: number;
    colno?: number;
    cause?: { message?: string };
  };
  const said =
    (cause?.message ?? message)
      .split('\n')
      .at(-1)
      ?.replace(/^\s*(Error|TypeError): /, '')
      .trim() ?? message;
  const known = inWords(said);
  // Where the library passes an error on, it counts lines and columns from 0.
  const shift = cause === undefined ? 0 : 1;
  const place = known.find
    ? placeOf(file, text, known.find)
    : { line: (lineno ?? -1) + shift, col: (colno ?? -1) + shift };
  const inside: Place =
    place.line > 0 ? { file, line: place.line, col: Math.max(1, place.col) } : { file, line: lastLine(text), col: 1 };
  const expression = known.valueless ? expressionAt(text, inside) : undefined;
  return new ReveilleError('TEMPLATE_INVALID', expression === undefined ? known.words : `${expression} has no value`, {
    place: inside,
    ...(known.hint === undefined ? {} : { hint: known.hint(text, expression) }),
    cause: error,
  });
}

type Words = {
  readonly words: string;
  readonly hint?: (text: string, expression: string | undefined) => string;
  /** What to look for in the text where the library names no place. */
  readonly find?: RegExp;
  readonly valueless?: boolean;
};

function inWords(said: string): Words {
  if (said.includes('attempted to output null or undefined')) {
    return {
      words: 'something printed here has no value',
      valueless: true,
      hint: (_, expression) =>
        expression !== undefined && /\bfacts\b/.test(expression)
          ? 'facts is what the machine itself has told; guard it with {% if facts %}, or give another value: | default("...")'
          : 'set it under vars: of the site, a profile or the node, or give another value: | default("...")',
    };
  }
  const filter = /filter not found: (\w+)/.exec(said)?.[1];
  if (filter !== undefined) return { words: `there is no filter "${filter}"`, find: new RegExp(`\\|\\s*${filter}\\b`) };
  if (/template not found/.test(said)) {
    return {
      words: 'a template cannot include, import or extend another',
      find: /\{%-?\s*(include|import|from|extends)\b/,
      hint: () => 'write it out here',
    };
  }
  if (/got end of file|unexpected end|parseAggregate/.test(said)) {
    return { words: said, hint: () => 'a block is not closed: is an {% endif %} or {% endfor %} missing?' };
  }
  return { words: said };
}

function placeOf(file: string, text: string, what: RegExp): Place {
  const before = text.slice(0, Math.max(0, text.search(what))).split('\n');
  return { file, line: before.length, col: (before.at(-1)?.length ?? 0) + 1 };
}

function lastLine(text: string): number {
  return Math.max(1, text.trimEnd().split('\n').length);
}

/** What stands between the braces that open at `place`. */
function expressionAt(text: string, place: Place): string | undefined {
  const rest = text.split('\n')[place.line - 1]?.slice(place.col - 1) ?? '';
  const inside = /\{\{-?\s*(.*?)\s*-?\}\}/.exec(rest)?.[1];
  return inside === undefined || inside === '' || inside.length > 100 ? undefined : inside;
}
