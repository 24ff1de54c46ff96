import type { Arguments, Comparison, Expression, Parameter, Statement } from './ast.ts';
import type { Budget } from './budget.ts';
import { filtered, filterNamed } from './filters.ts';
import { GLOBALS } from './globals.ts';
import { callMethod } from './methods.ts';
import { holds, OPERATORS } from './operators.ts';
import { parse } from './parser.ts';
import { type At, problem, TemplateProblem } from './problem.ts';
import { Scope } from './scope.ts';
import { isIn, TESTS, testNamed } from './tests.ts';
import {
  Callable,
  emptyDict,
  type Given,
  isDict,
  isSame,
  isTrue,
  keysOf,
  member,
  Pattern,
  plain,
  scalar,
  textOf,
} from './values.ts';

/** A template that has been read: gives the text for what it sees. Throws a TemplateProblem with its place. */
export type Program = (sees: object, budget: Budget) => string;

/** One rendering. */
type Run = {
  readonly budget: Budget;
  readonly sees: object;
  readonly top: Scope;
  scope: Scope;
  out: string;
  /** What is being looked at, for errors of filters and functions. */
  at: At;
  calls: number;
};

type Value = (run: Run) => unknown;
type Step = (run: Run) => void;

const MOST_CALLS = 100;

/**
 * Reads a template into functions of our own that walk over it. No text of a template ever becomes code, and values are
 * looked at by `member` alone: there is no way from a template to the program.
 */
export function program(text: string): Program {
  const body = steps(parse(text));
  return (sees, budget) => {
    const top = new Scope();
    const run: Run = { budget, sees, top, scope: top, out: '', at: { line: 1, col: 1 }, calls: 0 };
    try {
      body(run);
    } catch (error) {
      throw located(error, run.at);
    }
    budget.keep(run.out.length);
    return run.out;
  };
}

function located(error: unknown, at: At): TemplateProblem {
  if (error instanceof TemplateProblem) return error.at ? error : new TemplateProblem(error.kind, error.message, at);
  if (error instanceof RangeError) return new TemplateProblem('too-deep', 'the template is nested too deeply', at);
  const words = error instanceof Error ? error.message : String(error);
  const trouble = new TemplateProblem('other', words, at);
  trouble.cause = error;
  return trouble;
}

function steps(statements: readonly Statement[]): Step {
  const all = statements.map(step);
  const [only] = all;
  if (only && all.length === 1) return only;
  return (run) => {
    for (const one of all) one(run);
  };
}

function step(statement: Statement): Step {
  switch (statement.kind) {
    case 'text':
      return (run) => {
        run.budget.spend(1);
        write(run, statement.text);
      };
    case 'print':
      return print(statement.value, placeOf(statement));
    case 'if': {
      const [condition, then, otherwise] = [
        value(statement.condition),
        steps(statement.then),
        steps(statement.otherwise),
      ];
      return (run) => (isTrue(condition(run)) ? then(run) : otherwise(run));
    }
    case 'for':
      return loop(statement);
    case 'set': {
      const given = value(statement.value);
      return (run) => {
        const made = given(run);
        for (const name of statement.names) run.scope.set(name, made);
      };
    }
    case 'macro': {
      const make = macro(statement.parameters, statement.body);
      return (run) => run.scope.declare(statement.name, make(run, undefined));
    }
    case 'block': {
      const body = steps(statement.body);
      return (run) => within(run, new Scope(run.scope, true), () => body(run));
    }
    case 'switch':
      return choices(statement);
    case 'other-template':
      return () => {
        throw new TemplateProblem(
          'no-other-templates',
          'a template cannot include, import or extend another',
          placeOf(statement),
        );
      };
  }
}

function write(run: Run, text: string): void {
  run.budget.text(text.length);
  run.out += text;
  run.budget.fits(run.out.length);
}

function print(expression: Expression, at: At): Step {
  const printed = value(expression);
  return (run) => {
    const made = printed(run);
    if (made === undefined || made === null)
      throw new TemplateProblem('no-value', 'something printed here has no value', at);
    run.at = at;
    write(run, textOf(made, run.budget));
  };
}

/** Runs `work` in another scope. What throws ends the rendering, so nothing is put back then. */
function within(run: Run, scope: Scope, work: () => void): void {
  const before = run.scope;
  run.scope = scope;
  work();
  run.scope = before;
}

function captured(run: Run, body: Step): string {
  const before = run.out;
  run.out = '';
  body(run);
  const text = run.out;
  run.out = before;
  return text;
}

function loop(statement: Statement & { readonly kind: 'for' }): Step {
  const { names } = statement;
  const [of, body, otherwise] = [value(statement.of), steps(statement.body), steps(statement.otherwise)];
  const at = placeOf(statement);
  const [first = ''] = names;
  return (run) =>
    within(run, new Scope(run.scope), () => {
      const over = of(run);
      run.at = at;
      const items = itemsOf(over, names.length, run.budget);
      const state = Object.assign(emptyDict(), {
        index: 0,
        index0: 0,
        revindex: 0,
        revindex0: 0,
        first: false,
        last: false,
        length: items.length,
      });
      const length = items.length;
      run.scope.declare('loop', state);
      // A list that grows while it is walked is walked to its end.
      for (let i = 0; i < items.length; i++) {
        run.budget.spend(2);
        const item = member(items, i);
        if (names.length === 1) run.scope.declare(first, item);
        else {
          if (item === undefined || item === null) {
            run.at = at;
            throw problem('an item without a value has no parts');
          }
          for (const [u, name] of names.entries()) run.scope.declare(name, member(item, u));
        }
        state.index = i + 1;
        state.index0 = i;
        state.revindex = length - i;
        state.revindex0 = length - i - 1;
        state.first = i === 0;
        state.last = i === length - 1;
        body(run);
      }
      if (length === 0) otherwise(run);
    });
}

/** What a loop walks over: a list or text, or with two names the pairs of a map. */
function itemsOf(over: unknown, names: number, budget: Budget): readonly unknown[] | string {
  if (Array.isArray(over)) return over;
  if (typeof over === 'string' && names === 1) return over;
  if (isDict(over) && names > 1) return keysOf(over, budget).map((key) => [key, member(over, key)]);
  return [];
}

function choices(statement: Statement & { readonly kind: 'switch' }): Step {
  const of = value(statement.of);
  const cases = statement.cases.map((one) => ({
    value: value(one.value),
    body: one.body.length > 0 ? steps(one.body) : undefined,
  }));
  const otherwise = steps(statement.otherwise);
  return (run) => {
    const wanted = of(run);
    const at = cases.findIndex((one) => isSame(one.value(run), wanted, run.budget));
    // A case without a body shares that of the next.
    const found = at < 0 ? undefined : cases.slice(at).find((one) => one.body !== undefined);
    (found?.body ?? otherwise)(run);
  };
}

/** Makes a macro: with `around` it sees the variables of its place, else those of the whole template alone. */
function macro(parameters: readonly Parameter[], statements: readonly Statement[]) {
  const body = steps(statements);
  const all = parameters.map(({ name, otherwise }) => ({ name, otherwise: otherwise && value(otherwise) }));
  return (run: Run, around: Scope | undefined): Callable =>
    new Callable(({ values, named }) => {
      if (++run.calls > MOST_CALLS) throw new TemplateProblem('too-deep', 'macros call each other too deeply');
      run.budget.spend(5);
      const scope = new Scope(around ?? run.top, true);
      let text = '';
      within(run, scope, () => {
        if (named.has('caller')) scope.declare('caller', named.get('caller'));
        for (const [i, { name, otherwise }] of all.entries()) {
          if (i < values.length) scope.declare(name, values[i]);
          else if (named.has(name)) scope.declare(name, named.get(name));
          else scope.declare(name, otherwise?.(run));
        }
        text = captured(run, body);
      });
      run.calls--;
      return text;
    });
}

/** One step of a budget for each expression that is looked at. */
function value(expression: Expression): Value {
  switch (expression.kind) {
    case 'literal': {
      const made = expression.value;
      return () => made;
    }
    case 'regex': {
      const made = new Pattern(expression.source, expression.flags);
      return () => made;
    }
    case 'name':
      return variable(expression.name);
    case 'list': {
      const items = expression.items.map(value);
      return (run) => {
        run.budget.spend(1 + items.length);
        return items.map((item) => item(run));
      };
    }
    case 'map': {
      const entries = expression.entries.map(([key, item]) => [key, value(item)] as const);
      return (run) => {
        run.budget.spend(1 + entries.length);
        const dict = emptyDict();
        for (const [key, item] of entries) dict[key] = item(run);
        return dict;
      };
    }
    case 'member': {
      const [of, key] = [value(expression.of), value(expression.key)];
      return (run) => {
        run.budget.spend(1);
        return member(of(run), key(run));
      };
    }
    case 'call':
      return call(expression);
    case 'filter':
      return filterOf(expression);
    case 'test': {
      const [of, given] = [value(expression.of), givenBy(expression.args)];
      const at = placeOf(expression);
      return (run) => {
        const [tested, { values }] = [of(run), given(run)];
        run.at = at;
        run.budget.spend(1);
        return testNamed(expression.name, TESTS)(tested, values[0], run.budget);
      };
    }
    case 'choice': {
      const [condition, then] = [value(expression.condition), value(expression.then)];
      const otherwise = expression.otherwise && value(expression.otherwise);
      return (run) => (isTrue(condition(run)) ? then(run) : otherwise ? otherwise(run) : '');
    }
    case 'and': {
      const [left, right] = [value(expression.left), value(expression.right)];
      return (run) => {
        const made = left(run);
        return isTrue(made) ? right(run) : made;
      };
    }
    case 'or': {
      const [left, right] = [value(expression.left), value(expression.right)];
      return (run) => {
        const made = left(run);
        return isTrue(made) ? made : right(run);
      };
    }
    case 'in': {
      const [left, right] = [value(expression.left), value(expression.right)];
      const at = placeOf(expression);
      return (run) => {
        const [sought, among] = [left(run), right(run)];
        run.at = at;
        if (typeof among !== 'string' && !Array.isArray(among) && !isDict(among)) {
          throw problem(`Cannot use "in" operator to search for "${textOf(sought, run.budget)}" in unexpected types.`);
        }
        return isIn(sought, among, run.budget);
      };
    }
    case 'not': {
      const of = value(expression.of);
      return (run) => !isTrue(of(run));
    }
    case 'negative': {
      const of = value(expression.of);
      return (run) => -Number(scalar(of(run), run.budget));
    }
    case 'positive': {
      const of = value(expression.of);
      return (run) => Number(scalar(of(run), run.budget));
    }
    case 'binary':
      return binary(expression);
    case 'compare':
      return comparison(expression.first, expression.rest);
    case 'capture': {
      const body = steps(expression.body);
      return (run) => captured(run, body);
    }
    case 'caller': {
      const make = macro(expression.parameters, expression.body);
      return (run) => make(run, run.scope);
    }
  }
}

function variable(name: string): Value {
  return (run) => {
    run.budget.spend(1);
    const own = run.scope.get(name);
    if (own !== undefined || run.scope.has(name)) return own;
    const seen: unknown = Object.hasOwn(run.sees, name)
      ? (run.sees as Readonly<Record<string, unknown>>)[name]
      : undefined;
    if (typeof seen === 'function') return ofProgram(seen as (...args: unknown[]) => unknown);
    return seen === undefined ? GLOBALS.get(name) : seen;
  };
}

/** A function that the program gives to a template beside its values. It gets copies: texts, numbers, lists, maps. */
function ofProgram(of: (...args: unknown[]) => unknown): Callable {
  return new Callable(({ values, named }, budget) => {
    const args = values.map((one) => plain(one, budget));
    if (named.size === 0) return of(...args);
    const options = emptyDict();
    for (const [name, one] of named) options[name] = plain(one, budget);
    return of(...args, options);
  });
}

function givenBy({ values, named }: Arguments): (run: Run) => Given {
  const byPlace = values.map(value);
  const byName = named.map(([name, one]) => [name, value(one)] as const);
  return (run) => {
    run.budget.spend(byPlace.length + byName.length);
    return {
      values: byPlace.map((one) => one(run)),
      named: byName.length === 0 ? NONE : new Map(byName.map(([name, one]) => [name, one(run)])),
    };
  };
}
const NONE: ReadonlyMap<string, unknown> = new Map();

function call({ of, args, ...place }: Expression & { readonly kind: 'call' }): Value {
  const given = givenBy(args);
  const at = placeOf(place);
  const words = wordsFor(of);
  const invoke = (called: unknown, run: Run, arguments_: Given): unknown => {
    run.at = at;
    run.budget.spend(1);
    if (called instanceof Callable) return called.call(arguments_, run.budget);
    throw problem(`Unable to call \`${words}\`, which is ${isTrue(called) ? 'not a function' : 'undefined or falsey'}`);
  };
  if (of.kind !== 'member') {
    const called = value(of);
    return (run) => {
      const found = called(run);
      return invoke(found, run, given(run));
    };
  }
  const [target, key] = [value(of.of), value(of.key)];
  return (run) => {
    const [from, name] = [target(run), key(run)];
    const own = member(from, name);
    const arguments_ = given(run);
    run.at = at;
    if (own === undefined) {
      const result = callMethod(from, name, arguments_.values, run.budget);
      if (result) return result[0];
    }
    return invoke(own, run, arguments_);
  };
}

function filterOf({ name, of, args, ...place }: Expression & { readonly kind: 'filter' }): Value {
  const at = placeOf(place);
  const filter = filterNamed(name);
  if (filter === undefined) {
    // As ever, a branch that is not taken may name what there is not.
    return () => {
      throw new TemplateProblem('no-filter', `there is no filter "${name}"`, at);
    };
  }
  const [from, given] = [value(of), givenBy(args)];
  return (run) => {
    const [taken, arguments_] = [from(run), given(run)];
    run.at = at;
    run.budget.spend(1);
    return filtered(filter, taken, arguments_, run.budget);
  };
}

function binary({ operator, left, right }: Expression & { readonly kind: 'binary' }): Value {
  const [first, second, apply] = [value(left), value(right), OPERATORS[operator]];
  return (run) => apply(first(run), second(run), run.budget);
}

function comparison(first: Expression, rest: readonly Comparison[]): Value {
  const start = value(first);
  const others = rest.map(({ operator, right }) => ({ operator, right: value(right) }));
  return (run) => {
    let left = start(run);
    for (const { operator, right } of others) {
      run.budget.spend(1);
      left = holds(operator, left, right(run), run.budget);
    }
    return left;
  };
}

/** What is called, in words for errors. */
function wordsFor(of: Expression): string {
  if (of.kind === 'name') return of.name;
  if (of.kind === 'call') return `the return value of (${wordsFor(of.of)})`;
  if (of.kind === 'member') return `${wordsFor(of.of)}["${wordsFor(of.key)}"]`;
  return of.kind === 'literal' ? String(of.value) : '--expression--';
}

function placeOf({ line, col }: At): At {
  return { line, col };
}
