import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRenderer } from '../templates.ts';

const renderer = createRenderer();

const SEES = {
  text: 'a,B,c',
  word: 'hello world',
  n: 7,
  list: [3, 1, 2],
  maps: [
    { k: 'p', v: 2 },
    { k: 'q', v: 1 },
    { k: 'p', v: 3 },
  ],
  map: { z: 1, a: 'two', items: 'own' },
  empty: {},
};

/** Template and what it gives: the language as sites have been written in it. */
const CASES: readonly (readonly [string, string])[] = [
  // Text, white space and blocks.
  ['a\n{% if n %}\nb\n{% endif %}\nc\n', 'a\nb\nc\n'],
  ['a {{- n -}} b', 'a7b'],
  ['a {%- if n -%} b {%- endif -%} c', 'abc'],
  ['a\r\n{% if n %}\r\nb{% endif %}', 'a\r\nb'],
  ['x{# a comment {{ n }} #}y{#- another -#} z', 'xyz'],
  ['$# #} }} %}', '$# #} }} %}'],
  ['{% raw %}{{ n }}{% if %}{% endraw %}', '{{ n }}{% if %}'],
  ['{% raw %}a{% raw %}b{% endraw %}c{% endraw %}', 'a{% raw %}b{% endraw %}c'],
  ['{% raw -%}\n {{ n }} {%- endraw %}', '{{ n }}'],
  // Literals.
  [`{{ 'it\\'s' ~ "x" }}`, "it'sx"],
  ['{{ "a\\n\\tb\\\\" }}', 'a\n\tb\\'],
  ['{{ 1.50 }} {{ 10 }} {{ true }} {{ True }} {{ false }}', '1.5 10 true true false'],
  ['{{ [1, "a", [2]] }} {{ {"b": {"c": 1}}.b.c }} {{ {b: {c: 1}}["b"]["c"] }}', '1,a,2 1 1'],
  ['{% set x = {"a": {"b": {"c": 1}}} %}{{ x.a.b.c }}', '1'],
  ["{{ 'a' in ('a', 'b') }} {{ 'b' not in ('a',) }} {{ (1) + 1 }}", 'true true 2'],
  // Operators.
  ['{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ -n + 1 }}', '5 3 3 8 -6'],
  ['{{ 4 * 5 % 3 }} {{ n * 80 // 100 }} {{ 10 - 2 - 3 }}', '2 5 5'],
  ['{{ "a" ~ 1 + 2 }} {{ 1 ~ 2 }} {{ "a" + 1 }}', 'a12 12 a1'],
  [
    '{{ 1 == "1" }} {{ 1 === "1" }} {{ missing == none }} {{ "a" < "b" }} {{ 2 < 10 }} {{ "2" < "10" }}',
    'true false true true true false',
  ],
  ['{{ "x" if n > 5 else "y" }}{{ "z" if n < 5 }}{{ "p" if 0 else "q" if 0 else "r" }}', 'xr'],
  ['{{ "B" in text }} {{ 1 in list }} {{ "z" in map }} {{ "toString" in map }}', 'true true true false'],
  ['{{ not n }} {{ not missing and n }}', 'false 7'],
  // Members and methods.
  ['{{ list[0] }} {{ text[0] }} {{ map["a"] }} {{ maps[1].k }} {{ text.length }} {{ list.length }}', '3 a two q 5 3'],
  ["{{ text.split(',') | length }} {{ word.split() | join('+') }} {{ ','.join(list) }}", '3 hello+world 3,1,2'],
  [
    "{{ word.upper() }} {{ word.replace('l', 'L') }} {{ word.startswith('he') }} {{ word.endsWith('x') }}",
    'HELLO WORLD heLlo world true false',
  ],
  [
    "{{ map.get('a') }} {{ map.get('b', 'none') }} {{ empty.keys() | length }} {{ empty.items() | length }}",
    'two none 0 0',
  ],
  ['{% set a = [1] %}{% set a = a.concat([2], 3) %}{{ a.push(4) }} {{ a }} {{ a.pop() }}', '4 1,2,3,4 4'],
  ['{% if map.keys %}a member{% else %}no member{% endif %}', 'no member'],
  // Loops.
  ['{% for i in list %}{{ loop.index }}{{ i }}{{ "," if not loop.last }}{% endfor %}', '13,21,32'],
  ['{% for k, v in map %}{{ k }}={{ v }} {% endfor %}', 'z=1 a=two items=own '],
  ['{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}', '1234'],
  ['{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}', 'nonenone'],
  ['{% set a = 1 %}{% for i in [5] %}{% set a = i %}{% set b = 2 %}{% endfor %}{{ a }}{{ b | default("-") }}', '5-'],
  ['{% for i in [1, 2] %}{% for j in [3] %}{{ loop.length }}{% endfor %}{{ loop.length }}{% endfor %}', '1212'],
  ['{{ range(3) }} {{ range(1, 4) }} {{ range(5, 0, -2) }}', '0,1,2 1,2,3 5,3,1'],
  ['{% set c = cycler("a", "b") %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}', 'abaa'],
  ['{% set j = joiner("; ") %}{% for i in list %}{{ j() }}{{ i }}{% endfor %}', '3; 1; 2'],
  // Macros and blocks.
  ['{% macro f(a, b="x") %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(b=3, a=4) }}', '[1x][12][43]'],
  ['{% set g = 1 %}{% macro f() %}{{ g }}{{ n }}{% endmacro %}{% for i in [1] %}{{ f() }}{% endfor %}', '17'],
  ['{% macro f(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) f(2) %}{{ y }}{{ n }}{% endcall %}', '<27>'],
  ['{% set x %}a{{ n }}{% endset %}{{ x }}', 'a7'],
  ['{% filter upper %}a{{ word }}{% endfilter %}', 'AHELLO WORLD'],
  ['{% block b %}x{{ n }}{% endblock %}{% block c %}y{% endblock c %}', 'x7y'],
  ['{% switch n %}{% case 1 %}{% case 7 %}seven{% default %}other{% endswitch %}', 'seven'],
  ['{% switch n %}{% case 1 %}one{% default %}other{% endswitch %}', 'other'],
  ['{% include "x" ignore missing %}{% if false %}{% include "x" %}{{ 1 | nosuch }}{{ 1 is nosuch }}{% endif %}', ''],
  // Filters and tests.
  [
    '{{ list | sort }} {{ list | sort(reverse=true) }} {{ maps | sort(attribute="v") | map(attribute="v") }}',
    '1,2,3 3,2,1 1,2,3',
  ],
  ['{{ map | to_json }} {{ map | dictsort | length }} {{ map | length }}', '{"z":1,"a":"two","items":"own"} 3 3'],
  ['{{ list | to_nice_json(indent=1) }}', '[\n 3,\n 1,\n 2\n]'],
  ['{{ "a\nb" | indent(2) }}|{{ "a\nb" | indent(width=1, first=true) }}', 'a\n  b| a\n b'],
  [
    '{{ "a<b>&\'\\"" | e }} {{ "a b/ä" | urlencode }} {{ empty | urlencode }}',
    'a&lt;b&gt;&amp;&#39;&quot; a%20b%2F%C3%A4 ',
  ],
  [
    '{{ word | title }} {{ word | capitalize }} {{ " x " | trim }} {{ word | reverse }}',
    'Hello World Hello world x dlrow olleh',
  ],
  ['{{ "12px" | int }} {{ "x" | int(5) }} {{ "1.5" | float }} {{ 1.45 | round(1) }} {{ -2 | abs }}', '12 5 1.5 1.5 2'],
  ['{{ list | batch(2) | to_json }} {{ list | slice(2) | to_json }} {{ list | sum }}', '[[3,1],[2]] [[3,1],[2]] 6'],
  ['{{ maps | groupby("k") | to_json }}', '{"p":[{"k":"p","v":2},{"k":"p","v":3}],"q":[{"k":"q","v":1}]}'],
  ['{{ maps | selectattr("k", "match", "^[pq]$") | length }} {{ "eth0" is match("eth[0-9]") }}', '3 true'],
  [
    '{{ "a1b22" | replace(r/[0-9]+/g, "#") }} {{ "aaa" | replace("a", "b", 2) }} {{ r/^a/.test("abc") }}',
    'a#b# bba true',
  ],
  [
    '{{ missing is defined }} {{ n is not defined }} {{ none is none }} {{ n is odd }} {{ n is divisibleby(7) }}',
    'false false true true true',
  ],
  ['{{ map is mapping }} {{ list is iterable }} {{ "a" is string }} {{ n is number }}', 'true true true true'],
  ['{{ missing | default("d") }} {{ "" | default("d", true) }} {{ missing | d(default_value="e") }}', 'd d e'],
  ['{{ word | truncate(7) }} {{ word | truncate(7, true, "~") }} {{ word | wordcount }}', 'hello... hello w~ 2'],
  ['{{ [1, 1, 2] | unique }} {{ maps | join("-", "k") }} {{ list | first }}{{ list | last }}', '1,2 p-q-p 32'],
];

test('the language of templates', () => {
  for (const [text, expected] of CASES) {
    assert.equal(renderer.render('t', text, structuredClone(SEES)), expected, text);
  }
});

test('a map of its own member `items` keeps it, and others are walked as in Ansible', () => {
  assert.throws(() => renderer.render('t', '{{ map.items() }}', SEES), { message: /not a function/ });
  const text = '{% for key, value in other.items() %}{{ key }}={{ value }};{% endfor %}';
  assert.equal(renderer.render('t', text, { other: { b: 1, a: 2 } }), 'b=1;a=2;');
});

test('what a template does to values it does to its own', () => {
  const sees = { list: [1], function: () => 'called' };
  assert.equal(renderer.render('t', '{{ function() }}', sees), 'called');
  assert.throws(() => renderer.render('t', '{{ map.run() }}', { map: { run: () => 'called' } }), {
    code: 'TEMPLATE_INVALID',
  });
});
