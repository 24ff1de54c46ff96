import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ReveilleError } from '../../errors.ts';
import { createRenderer } from '../templates.ts';
import { Budget } from './budget.ts';

const renderer = createRenderer();
const big = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]));

function refusal(text: string, budget?: Budget): ReveilleError {
  try {
    renderer.render('t', text, { big }, budget);
  } catch (error) {
    assert(error instanceof ReveilleError && error.place, String(error));
    assert.equal(error.code, 'TEMPLATE_INVALID');
    return error;
  }
  return assert.fail('it was rendered');
}

const WORK = /may not take so much work/;
const TEXT = /the text is longer than 16 MiB/;
const LIST = /a list is longer than 1000000/;
const DEEP = /nested too deeply|call each other too deeply/;
const DOUBLED = (body: string, what: string) => `{% set a = ${what} %}{% for i in range(90) %}${body}{% endfor %}`;

/** What does not end, or grows without end, however it is done. */
/** Two texts of eight million characters that differ in their last one, in a loop: what reads a text has to pay for it. */
function comparing(of: string): string {
  const text = '"1".repeat(8000000)';
  return `{% set a = ${text} ~ "1" %}{% set b = ${text} ~ "2" %}{% set l = [a] %}{% for i in range(100000) %}${of}{% endfor %}`;
}

const LONG_TEXTS: readonly (readonly [string, string])[] = [
  ['==', '{% if a == b %}{% endif %}'],
  ['===', '{% if a === b %}{% endif %}'],
  ['!==', '{% if a !== b %}{% endif %}'],
  ['<', '{% if a < b %}{% endif %}'],
  ['is eq', '{% if a is eq(b) %}{% endif %}'],
  ['is gt', '{% if a is gt(b) %}{% endif %}'],
  ['is lower', '{% if a is lower %}{% endif %}'],
  ['switch', '{% switch a %}{% case b %}{% default %}{% endswitch %}'],
  ['in', '{% if b in l %}{% endif %}'],
  ['indexOf', '{% if l.indexOf(b) %}{% endif %}'],
  ['a number', '{% if a * 1 %}{% endif %}'],
  ['a sign', '{% if -a %}{% endif %}'],
  ['a number and a text', '{% if a == 1 %}{% endif %}'],
  ['abs', '{% if a | abs %}{% endif %}'],
  ['int', '{% if a | int %}{% endif %}'],
  ['float', '{% if a | float %}{% endif %}'],
  ['sort', '{% if [a, b] | sort(case_sensitive=true) %}{% endif %}'],
];

const ENDLESS: readonly (readonly [string, string, RegExp])[] = [
  ['loops in loops', '{% for i in range(1000000) %}{% for j in range(1000000) %}{% endfor %}{% endfor %}', WORK],
  ['a list that grows as it is walked', '{% set a = [1] %}{% for i in a %}{% set x = a.push(i) %}{% endfor %}', WORK],
  ['walking a large map again and again', '{% for i in range(1000000) %}{{ big.keys() | length }}{% endfor %}', WORK],
  ['searching a list again and again', '{% set a = range(900000) %}{% for i in a %}{{ -1 in a }}{% endfor %}', WORK],
  ['unique again and again', '{% for i in range(1000000) %}{{ range(900000) | unique | length }}{% endfor %}', WORK],
  ['texts again and again', '{% for i in range(1000000) %}{{ "x".repeat(9000000) | length }}{% endfor %}', WORK],
  ['a long range', '{{ range(10 ** 9) | length }}', LIST],
  ['a range of small steps', '{{ range(0, 1, 0.000000001) | length }}', LIST],
  ['a range without an end', '{{ range(0, 10 ** 400) | length }}', LIST],
  ['a text made of itself', `${DOUBLED('{% set a = a ~ a %}', '"x"')}{{ a }}`, TEXT],
  ['a text added to itself', `${DOUBLED('{% set a = a + a %}', '"x"')}{{ a }}`, TEXT],
  ['a list made of itself', `${DOUBLED('{% set a = a.concat(a) %}', '[1]')}{{ a | length }}`, LIST],
  ['a list in a list in a list, as JSON', `${DOUBLED('{% set a = [a, a] %}', '[1]')}{{ a | to_json }}`, WORK],
  ['a list in a list in a list, as text', `${DOUBLED('{% set a = [a, a] %}', '[1]')}{{ a }}`, WORK],
  ['a list that holds itself, as JSON', '{% set a = [] %}{% set x = a.push(a) %}{{ a | to_json }}', DEEP],
  ['a list that holds itself, as text', '{% set a = [] %}{% set x = a.push(a) %}{{ a }}', DEEP],
  ['a macro that calls itself', '{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}', DEEP],
  [
    'macros that call each other',
    '{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}',
    DEEP,
  ],
  ['center', '{{ "x" | center(10 ** 9) }}', TEXT],
  ['padStart', '{{ "x".padStart(10 ** 9) }}', TEXT],
  ['padEnd', '{{ "x".padEnd(10 ** 9, "yz") }}', TEXT],
  ['repeat', '{{ "x".repeat(10 ** 9) }}', TEXT],
  ['indent', '{{ "a\nb" | indent(10 ** 9) }}', TEXT],
  ['join with a long text', '{% set s = "a".repeat(1000000) %}{{ range(100000) | join(s) | length }}', TEXT],
  ['replace with a long text', '{% set s = "a".repeat(1000000) %}{{ s | replace("", s) | length }}', TEXT],
  ['replace again and again', `${DOUBLED('{% set a = a | replace("a", "aaaaaaaaaa") %}', '"a"')}{{ a }}`, WORK],
  ['slice', '{{ [1] | slice(10 ** 9) | length }}', LIST],
  ['batch', '{{ [1] | batch(10 ** 9, 1) | length }}', LIST],
  ['JSON of control characters', '{{ "\n".repeat(16000000) | to_json | length }}', TEXT],
  ['long YAML', '{{ range(900000) | to_yaml | length }}', WORK],
  ['split', '{{ ",".repeat(16000000).split(",") | length }}', WORK],
  ['a slow regular expression of a test', '{{ ("a".repeat(40) ~ "b") is match("(a+)+$") }}', /takes too long/],
  [
    'one of a filter',
    '{{ [{"k": "a".repeat(60000)}] | selectattr("k", "match", "a*a*a*a*b") | length }}',
    /takes too long/,
  ],
  ['one of replace', '{{ ("a".repeat(40) ~ "b") | replace(r/(a+)+$/g, "") }}', /takes too long/],
  ['one of a pattern', '{{ r/(a+)+$/.test("a".repeat(40) ~ "b") }}', /takes too long/],
  ['a pattern at the start of each line', '{{ r/^[^]*x/m.test("\n".repeat(60000)) }}', /takes too long/],
  [
    'a group that comes again',
    '{% set s = "a".repeat(60000) %}{% for i in range(100) %}{{ r/^(a*)\x01x/i.test(s) }}{% endfor %}',
    /takes too long|so much work/,
  ],
  [
    'a long pattern without repeats',
    `{% set s = "a".repeat(60000) %}{% for i in range(100) %}{{ r/${'[ab]'.repeat(240)}c/.test(s) }}{% endfor %}`,
    WORK,
  ],
  ...LONG_TEXTS.map(([name, of]): [string, string, RegExp] => [name, comparing(of), WORK]),
  ['many regular expressions', '{% for i in range(100000) %}{{ "ab" is match("a+b+|c") }}{% endfor %}', WORK],
  ['a long attribute', '{{ [1] | map(attribute=".".repeat(9000000)) | length }}', /name of an attribute/],
  ['brackets', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`, DEEP],
  ['not not not', `{{ ${'not '.repeat(100_000)}1 }}`, DEEP],
  ['- - -', `{{ ${'- '.repeat(100_000)}1 }}`, DEEP],
  ['a long sum', `{{ 1${'+1'.repeat(100_000)} }}`, DEEP],
  ['filters on filters', `{{ 1${'|abs'.repeat(100_000)} }}`, DEEP],
  ['members of members', `{{ a${'.b'.repeat(100_000)} }}`, DEEP],
  ['if in if', '{% if 1 %}'.repeat(50_000), DEEP],
  ['elif after elif', `{% if 0 %}${'{% elif 0 %}'.repeat(50_000)}{% endif %}`, DEEP],
  ['a comment that does not end', '{#'.repeat(400_000), /end of comment/],
  ['raw that does not end', '{% raw %}'.repeat(100_000), /endraw/],
  ['raw with a long end', `{% raw %}{%${' '.repeat(900_000)}`, /endraw/],
  ['a long template', 'x'.repeat(2_000_000), /at most 1 MiB long/],
];

describe('a template that does not end is refused with its place', () => {
  for (const [name, text, words] of ENDLESS) {
    test(name, { timeout: 60_000 }, () => {
      assert.match(refusal(text).message, words);
    });
  }
});

test('much white space costs no more than other text', { timeout: 60_000 }, () => {
  const text = `${' '.repeat(400_000)}x{{- 1 -}}${' '.repeat(400_000)}x{{ 2 }}`;
  assert.equal(renderer.render('t', text, {}).trim(), 'x1x2');
});

test('the place is that of the loop, filter or function that went too far', () => {
  const at = (text: string) => {
    const { place } = refusal(text);
    return `${place?.line}:${place?.col}`;
  };
  assert.equal(at('a\n{{ "x" | center(10 ** 9) }}'), '2:8');
  assert.equal(at('a\nb {{ "x".repeat(10 ** 9) }}'), '2:16');
  assert.equal(at('a\n\n{{ range(10 ** 9) }}'), '3:9');
});

test('what one template may do is bounded, and what all of one node may', () => {
  const text = '{% for i in range(300000) %}{{ i }}{% endfor %}';
  const budget = Budget.forBundle();
  let rendered = 0;
  const words: string[] = [];
  for (let i = 0; i < 50; i++) {
    try {
      renderer.render('t', text, {}, budget);
      rendered++;
    } catch (error) {
      assert(error instanceof ReveilleError);
      words.push(error.message);
    }
  }
  assert(rendered > 3 && rendered < 30, String(rendered));
  assert.match(words[0] ?? '', /^the templates of one node may not take so much work/);
  // Another node is not concerned.
  renderer.render('t', text, {}, Budget.forBundle());
});

test('what many files hold together is bounded', () => {
  const budget = Budget.forBundle();
  const sees = { text: 'x'.repeat(15 * 1024 * 1024) };
  for (let i = 0; i < 4; i++) renderer.render('t', '{{ text }}', sees, budget);
  assert.throws(() => renderer.render('t', '{{ text }}', sees, budget), { message: TEXT });
});

test('a rack of 5,000 nodes is far from the limits', () => {
  const nodes = Array.from({ length: 5000 }, (_, i) => ({
    name: `node${i}`,
    ip: `10.0.${i >> 8}.${i & 255}`,
    up: true,
  }));
  const text = `{% for node in nodes | selectattr('up') | sort(attribute='name') %}
{% if node.ip and node.name != 'node7' %}
{{ node.ip }}\t{{ node.name }}.rack.example {{ node.name | upper }}
{% endif %}
{% endfor %}
`;
  assert.equal(renderer.render('t', text, { nodes }).split('\n').length, 5000);
});
