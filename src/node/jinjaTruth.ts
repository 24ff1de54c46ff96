import nunjucks from 'nunjucks';

/** What is false in Jinja2: nothing, `false`, 0 and the empty text, but also the empty list and the empty map. */
export function isTrue(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  if (Array.isArray(value) || value instanceof String) return value.length > 0;
  return Object.keys(value).length > 0;
}

/** Makes `truthy` and `falsy`, which `select` and `reject` use too, tests for `isTrue`. */
export function addTruth(environment: nunjucks.Environment): void {
  const tests = environment as unknown as { addTest(name: string, test: (value: unknown) => boolean): void };
  tests.addTest('truthy', isTrue);
  tests.addTest('falsy', (value) => !isTrue(value));
}

type Expression = object;
type Step<Parts> = (this: Compiler, parts: Parts, ...rest: unknown[]) => void;
type Compiler = {
  _emit(code: string): void;
  compile(expression: Expression, frame: unknown): void;
  compileIf: Step<{ cond: Expression }>;
  compileInlineIf: Step<{ cond: Expression }>;
  compileNot: Step<{ target: Expression }>;
  compileOr: Step<{ left: Expression; right: Expression }>;
  compileAnd: Step<{ left: Expression; right: Expression }>;
};

const { compiler, nodes } = nunjucks as unknown as {
  compiler: { Compiler: { prototype: Compiler } };
  nodes: Record<'Is' | 'Symbol', new (line: number, col: number, ...parts: unknown[]) => Expression>;
};

/**
 * The library compiles conditions to JavaScript's own, to which an empty list is true. From here on they are compiled as
 * if each said `is truthy`, the test that `addTruth` defines. `and` and `or` still give one of their
 * sides, and look at the right one only if they must.
 */
export function compileConditionsAsJinja(): void {
  const steps = compiler.Compiler.prototype;
  const { compileIf, compileInlineIf, compileNot } = steps;
  const truthy = (asked: Expression) => new nodes.Is(0, 0, asked, new nodes.Symbol(0, 0, 'truthy'));

  steps.compileIf = function (parts, ...rest) {
    parts.cond = truthy(parts.cond);
    compileIf.call(this, parts, ...rest);
  };
  steps.compileInlineIf = function (parts, ...rest) {
    parts.cond = truthy(parts.cond);
    compileInlineIf.call(this, parts, ...rest);
  };
  steps.compileNot = function (parts, ...rest) {
    parts.target = truthy(parts.target);
    compileNot.call(this, parts, ...rest);
  };
  const eitherSide = (leftIsTheAnswer: string): Step<{ left: Expression; right: Expression }> =>
    function ({ left, right }, frame) {
      this._emit(`((left) => ${leftIsTheAnswer} ? left : `);
      this.compile(right, frame);
      this._emit(')(');
      this.compile(left, frame);
      this._emit(')');
    };
  steps.compileOr = eitherSide('env.getTest("truthy")(left)');
  steps.compileAnd = eitherSide('!env.getTest("truthy")(left)');
}
