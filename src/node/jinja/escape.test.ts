import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../../errors.ts';
import { createRenderer } from '../templates.ts';

const renderer = createRenderer();
const MARK = 'reached the process';

/** Rises if any code of a template's runs: every way out ends in a call of `Function` or `eval`, or in a member of these. */
let reached = 0;
const canary = globalThis as { reveilleCanary?: () => string };
canary.reveilleCanary = () => {
  reached++;
  return MARK;
};

/** Objects as a template sees them, one of them with members that a machine's own words could have put there. */
function sees() {
  return {
    vars: { list: ['a', 'b'], map: { a: 1, b: [2] }, text: 'text', number: 7, nothing: null },
    facts: JSON.parse(
      '{"serial":"{{ range.constructor(1) }}","__proto__":{"polluted":true},"constructor":"c","nics":[{"name":"eth0"}]}',
    ),
    file: (...args: unknown[]) => JSON.stringify(args),
  };
}

const CODE = `"return globalThis.reveilleCanary()"`;

/** Ways out that other engines have had, and those of this one's predecessor. */
const ESCAPES: readonly string[] = [
  `{{ range.constructor(${CODE})() }}`,
  `{{ range["constructor"](${CODE})() }}`,
  `{{ range[["constructor"]](${CODE})() }}`,
  `{{ range["cons" ~ "tructor"](${CODE})() }}`,
  `{{ "".constructor.constructor(${CODE})() }}`,
  `{{ "".sub.constructor(${CODE})() }}`,
  `{{ [].map.constructor(${CODE})() }}`,
  `{{ [].concat.constructor(${CODE})() }}`,
  `{{ (1).constructor.constructor(${CODE})() }}`,
  `{{ true.constructor.constructor(${CODE})() }}`,
  `{{ {}.constructor.constructor(${CODE})() }}`,
  `{{ {}.__proto__.constructor.constructor(${CODE})() }}`,
  `{{ vars.__proto__.constructor.constructor(${CODE})() }}`,
  `{{ vars.map.toString.constructor(${CODE})() }}`,
  `{{ vars.__lookupGetter__("a").constructor(${CODE})() }}`,
  `{{ vars.__defineGetter__("a", fail) }}`,
  `{{ file.constructor(${CODE})() }}`,
  `{{ file.call.constructor(${CODE})() }}`,
  `{{ file.apply(1, [2]) }}`,
  `{{ file.bind(1) }}`,
  `{{ fail.constructor(${CODE})() }}`,
  `{{ cycler.prototype.constructor(${CODE})() }}`,
  `{{ cycler("a").next.constructor(${CODE})() }}`,
  `{{ cycler("a").constructor.constructor(${CODE})() }}`,
  `{{ joiner(",").constructor(${CODE})() }}`,
  `{{ joiner.call(1) }}`,
  // A key whose text is another each time that it is asked.
  `{% set c = cycler("x", "constructor", "constructor") %}{% set e = {"toString": c.next} %}{{ range[e](${CODE})() }}`,
  `{% set c = cycler("x", "constructor") %}{% set e = {"valueOf": c.next} %}{{ range[e](${CODE})() }}`,
  `{% set c = cycler("constructor") %}{% set e = {"toString": c.next} %}{{ "" ~ e }}{{ file[e](${CODE})() }}`,
  `{% set e = {"toString": file} %}{{ {} [e] }}{{ e ~ "" }}{{ e + 1 }}{{ e == "x" }}{{ e < 1 }}{{ [e] | join }}`,
  `{% set e = {"toJSON": cycler("a").next} %}{{ e | to_json }}{{ e | to_yaml }}`,
  `{% set e = {"then": file} %}{{ e }}`,
  `{% macro m() %}constructor{% endmacro %}{{ m.constructor(${CODE})() }}`,
  `{% macro m() %}constructor{% endmacro %}{{ range[m()](${CODE})() }}`,
  `{% macro m() %}{{ caller.constructor(${CODE})() }}{% endmacro %}{% call m() %}{% endcall %}`,
  `{% for i in [1] %}{{ loop.constructor.constructor(${CODE})() }}{% endfor %}`,
  `{{ self.constructor }}`,
  `{{ this.constructor }}`,
  `{{ globalThis.reveilleCanary() }}`,
  `{{ reveilleCanary() }}`,
  `{{ process.env }}`,
  `{{ require("fs") }}`,
  `{{ environment.globals }}`,
  `{{ context }}{{ frame }}{{ env }}{{ runtime }}`,
  `{{ __keywords }}{{ ctx }}`,
  `{% block a %}{{ super() }}{% endblock %}`,
  `{% block a %}{{ super.constructor(${CODE})() }}{% endblock %}`,
  // Filters and tests that look for members.
  `{{ [range] | map(attribute="constructor") | first }}`,
  `{{ ["x"] | map(attribute="constructor.constructor") | first }}`,
  `{{ (["x"] | map(attribute="constructor.constructor") | first)(${CODE})() }}`,
  `{{ ([range] | groupby("constructor"))(1) }}`,
  `{{ [range] | groupby("constructor") }}`,
  `{{ ([{}] | groupby("__proto__")).x }}`,
  `{{ ([range] | sort(attribute="constructor") | first).constructor(${CODE})() }}`,
  `{{ ([file] | selectattr("constructor") | first)() }}`,
  `{{ ([range] | rejectattr("nothing") | first).constructor(${CODE})() }}`,
  `{{ ([range] | select("callable") | first).constructor(${CODE})() }}`,
  `{{ ["a"] | select("constructor") }}`,
  `{{ ["a"] | select("__proto__") }}`,
  `{{ 1 | attr("constructor") }}`,
  `{{ range | attr("constructor") }}`,
  `{{ 1 | constructor }}`,
  `{{ 1 | __proto__ }}`,
  `{{ 1 | toString }}`,
  `{{ 1 is constructor }}`,
  `{{ 1 is __proto__ }}`,
  `{{ [range] | sum("constructor") ~ "" is callable and fail("callable") }}{{ missing }}`,
  `{{ [[1]] | sum("constructor") | length }}{{ missing }}`,
  `{{ ([range] | random).constructor(${CODE})() }}`,
  `{{ (range | default(1)).constructor(${CODE})() }}`,
  `{{ (range | list)(1) }}`,
  `{{ ({"a": range} | dictsort | first | last).constructor(${CODE})() }}`,
  `{{ ({"a": range}).items()[0][1].constructor(${CODE})() }}`,
  `{{ ([range] | reverse | first).constructor(${CODE})() }}`,
  `{{ "x" | replace(r/x/g, range) | length }}{{ missing }}`,
  `{{ r/x/.constructor.constructor(${CODE})() }}`,
  `{{ r/x/["exec"].constructor(${CODE})() }}`,
  `{{ "x".replace("x", range) is callable and 1 }}{{ missing }}`,
  `{{ "%s".format(1) }}`,
  `{{ "{0.constructor}".format(range) }}`,
  `{{ "a".at.constructor(${CODE})() }}`,
  `{{ "a".matchAll("a").constructor }}`,
  `{{ [1].filter(range) }}`,
  `{{ [1].map(range) }}`,
  `{{ [1].reduce(range) }}`,
  `{{ [1].forEach(fail) }}`,
  `{{ [1].sort(range) }}`,
  `{{ [1].entries().constructor }}`,
  `{{ [1].push.apply([], [1]) }}`,
  // Files of the server.
  `{% include "/etc/passwd" %}`,
  `{% include ["/etc/passwd"] %}`,
  `{% import "/etc/passwd" as p %}{{ p }}`,
  `{% from "/etc/passwd" import root %}{{ root }}`,
  `{% extends "/etc/passwd" %}`,
  `{% include __filename %}`,
  // Code in what a compiler would write into code.
  `{{ x["a\\"); globalThis.reveilleCanary(); (\\""].y.z() }}`,
  `{% set a"b = 1 %}{{ missing }}`,
  `{% set a;globalThis.reveilleCanary();b = 1 %}{{ missing }}`,
  `{% macro f(a=globalThis.reveilleCanary()) %}{% endmacro %}{{ f() }}{{ missing }}`,
  `{% for globalThis.reveilleCanary in [1] %}{% endfor %}`,
  `{{ "\u2028globalThis.reveilleCanary()" }}{{ missing }}`,
  `{{ r/x/g;globalThis.reveilleCanary() }}`,
];

describe('a template does not climb out of its values', () => {
  for (const text of ESCAPES) {
    test(text, () => {
      let made: string | undefined;
      try {
        made = renderer.render('t', text, sees());
      } catch (error) {
        assert(error instanceof ReveilleError, String(error));
        assert.equal(error.code, 'TEMPLATE_INVALID');
        assert(!error.message.includes(MARK));
      }
      // What is rendered at all is words of the template's own.
      if (made !== undefined) assert.doesNotMatch(made, /reached|native code|function|=>|root:|class /);
      assert.equal(reached, 0);
      assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    });
  }

  test('what a machine reports is data: text that looks like a template stays text', () => {
    const { facts } = sees();
    assert.equal(renderer.render('t', '{{ facts.serial }}', { facts }), '{{ range.constructor(1) }}');
    assert.equal(renderer.render('t', '{{ facts.constructor }}', { facts }), 'c');
    const evil = { text: `' ~ globalThis.reveilleCanary() ~ '{% raw %}` };
    assert.equal(renderer.render('t', '{{ text | upper | lower }}', evil), evil.text.toLowerCase());
  });
});

/** Expressions over the whole grammar, biased towards the names that matter. */
const { expression } = fc.letrec<{ expression: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    fc.constantFrom('range', 'cycler', 'joiner', 'fail', 'file', 'vars', 'facts', 'loop', 'caller', 'self', 'm', 'c'),
    fc.constantFrom('"constructor"', '"__proto__"', '"prototype"', '"toString"', '"valueOf"', '"next"', '"a"', CODE),
    fc.constantFrom('1', 'none', 'true', '[]', '{}', 'r/x/g'),
  ),
  expression: fc.oneof(
    { maxDepth: 5, depthSize: 'medium' },
    tie('atom'),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `${a}[${b}]`),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('constructor', '__proto__', 'toString', 'call', 'next', 'items', 'map', 'push'),
      )
      .map(([a, name]) => `${a}.${name}`),
    fc.tuple(tie('expression'), fc.array(tie('expression'), { maxLength: 2 })).map(([a, args]) => `${a}(${args})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `{"toString": ${a}, "constructor": ${b}}`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `[${a}, ${b}]`),
    fc
      .tuple(tie('expression'), fc.constantFrom('~', '+', '==', '<', 'and', 'or', 'in', '-'), tie('expression'))
      .map((all) => `(${all.join(' ')})`),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('map', 'groupby', 'sort', 'sum', 'join', 'selectattr', 'default', 'replace', 'select', 'slice'),
        fc.array(tie('expression'), { maxLength: 2 }),
        fc.constantFrom('', 'attribute="constructor"'),
      )
      .map(([of, name, args, named]) => `(${of} | ${name}(${[...args, ...(named === '' ? [] : [named])]}))`),
    fc
      .tuple(tie('expression'), fc.constantFrom('first', 'last', 'list', 'to_json', 'to_yaml', 'dictsort', 'random'))
      .map(([of, name]) => `(${of} | ${name})`),
  ),
}));

test('no template over the grammar reaches a function of the program', () => {
  fc.assert(
    fc.property(expression, expression, (first, second) => {
      const text =
        `{% macro m(a, b=${first}) %}{{ caller }}{{ a }}{% endmacro %}{% set c = cycler(${first}, ${second}) %}` +
        `{% for k, v in ${first} %}{{ k }}{{ v }}{% endfor %}{% call m(${second}) %}{% endcall %}` +
        `{% if ${first} %}{{ (${second})(${CODE})() or 1 }}{% endif %}{{ ${first} }}`;
      for (const one of [text, `{{ ${first} }}`, `{{ (${first})(${CODE})() }}`, `{{ ${first} ~ (${second}) }}`]) {
        try {
          assert.doesNotMatch(renderer.render('t', one, sees()), /native code|reached the process|=>/);
        } catch (error) {
          if (!(error instanceof ReveilleError)) throw error;
          assert.equal(error.code, 'TEMPLATE_INVALID');
        }
        assert.equal(reached, 0, one);
      }
    }),
    { numRuns: 1500 },
  );
});

test('any text at all is rendered or refused', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{{',
      '}}',
      '{%',
      '%}',
      '{#',
      '#}',
      '-%}',
      '{{-',
      'if',
      'for',
      'in',
      'endif',
      'endfor',
      'set',
      'raw',
      'endraw',
      '"',
      "'",
      '|',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ' ',
      '\n',
      'macro',
      'call',
      'r/',
      '=',
    ),
    fc.string({ maxLength: 5 }),
    expression,
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        renderer.render('t', pieces.join(' '), sees());
      } catch (error) {
        if (!(error instanceof ReveilleError)) throw error;
        assert.equal(error.code, 'TEMPLATE_INVALID');
        assert(error.place !== undefined && error.place.line >= 1 && error.place.col >= 1);
      }
      assert.equal(reached, 0);
    }),
    { numRuns: 3000 },
  );
});
