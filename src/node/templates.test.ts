import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlace, ReveilleError } from '../errors.ts';
import { createRenderer } from './templates.ts';

const renderer = createRenderer();
const nic = (name: string, up: boolean, boot = false) => ({ name, up, boot, speed: up ? 1000 : undefined });
const two = { facts: { nics: [nic('eth0', true, true), nic('eth1', true)] } };
const six = {
  facts: {
    nics: [
      nic('eno1', false),
      nic('eno2', true),
      nic('ens1f0', true, true),
      nic('ens1f1', false),
      nic('ens2f0', true),
      nic('ens2f1', true),
    ],
  },
};

const BRIDGE = "{{ (facts.nics | rejectattr('boot') | selectattr('up') | first).name }}";

test('the first card is the boot network, the second that is up is for the bridge', () => {
  const boot = "{{ (facts.nics | selectattr('boot') | first).name }}";
  assert.equal(renderer.render('t', `${boot} ${BRIDGE}`, two), 'eth0 eth1');
  assert.equal(renderer.render('t', `${boot} ${BRIDGE}`, six), 'ens1f0 eno2');
});

test('no second card that is up is an error where it is printed, not an empty name', () => {
  const one = { facts: { nics: [nic('eth0', true, true), nic('eth1', false)] } };
  const error = refusal('interfaces.j2', `auto x\niface ${BRIDGE}\n`, one);
  assert.equal(place(error), 'interfaces.j2:2:7');
  assert.match(error.message, /facts\.nics .* has no value/);
  assert.match(error.hint ?? '', /facts is what the machine itself has reported/);
});

test('filters that Ansible users know', () => {
  const sees = {
    list: [
      { n: 'b', s: 2 },
      { n: 'a', s: 1 },
      { n: 'b', s: 3 },
    ],
    x: undefined,
  };
  const cases: [string, string][] = [
    ["{{ list | map(attribute='n') | unique | join(',') }}", 'b,a'],
    ["{{ (list | selectattr('s', 'ge', 2) | list | length) }}", '2'],
    ["{{ (list | selectattr('n', 'equalto', 'a') | first).s }}", '1'],
    ["{{ (list | rejectattr('n', 'in', ['a']) | list | length) }}", '2'],
    ['{{ list[0] | to_json }}', '{"n":"b","s":2}'],
    ['{{ list[0] | to_yaml }}', 'n: b\ns: 2\n'],
    ["{{ x | default('none') }}", 'none'],
    ['{% if facts %}yes{% else %}not yet{% endif %}', 'not yet'],
    ['{% for i in list %}\n{{ i.n }}\n{% endfor %}\nend\n', 'b\na\nb\nend\n'],
    ['{{ "<&>" }}', '<&>'],
  ];
  for (const [text, expected] of cases) assert.equal(renderer.render('t', text, sees), expected, text);
});

test('what is empty is false, as in Jinja2 and Ansible', () => {
  const values: [string, boolean][] = [
    ['[]', false],
    ['{}', false],
    ['""', false],
    ['"" | safe', false],
    ['0', false],
    ['none', false],
    ['false', false],
    ['missing', false],
    ['given.list', false],
    ['given.map', false],
    ['given.list | selectattr("up")', false],
    ['[0]', true],
    ['{ "a": 0 }', true],
    ['"0"', true],
    ['"x" | safe', true],
    ['1', true],
    ['given', true],
  ];
  const sees = { given: { list: [], map: {} } };
  for (const [value, isTrue] of values) {
    for (const [text, whenTrue, whenFalse] of [
      [`{% if ${value} %}yes{% else %}no{% endif %}`, 'yes', 'no'],
      [`{% if 0 %}{% elif ${value} %}yes{% else %}no{% endif %}`, 'yes', 'no'],
      [`{{ "yes" if ${value} else "no" }}`, 'yes', 'no'],
      [`{{ "no" if not (${value}) else "yes" }}`, 'yes', 'no'],
      [`{{ "no" if not not not (${value}) else "yes" }}`, 'yes', 'no'],
      [`{{ (${value}) and "right" or "wrong" }}`, 'right', 'wrong'],
      [`{{ (((${value}) or "else") == "else") and "no" or "yes" }}`, 'yes', 'no'],
      [`{{ ((${value}) | default("else", true)) == "else" }}`, 'false', 'true'],
      [`{{ [{ "a": (${value}) }] | selectattr("a") | length }}`, '1', '0'],
      [`{{ [(${value})] | reject | length }}`, '0', '1'],
    ] as const) {
      assert.equal(renderer.render('t', text, sees), isTrue ? whenTrue : whenFalse, text);
    }
  }
});

test('`and` and `or` give one of their sides and look at the right one only if they must', () => {
  const calls: string[] = [];
  const sees = { say: (word: string) => calls.push(word) && word, list: [] };
  const cases: [string, string, string][] = [
    ['{{ say("a") or say("b") or say("c") }}', 'a', 'a'],
    ['{{ say("a") and say("b") and say("c") }}', 'c', 'abc'],
    ['{{ list and say("a") or say("b") and say("c") }}', 'c', 'bc'],
    ['{{ (say("") or say("b")) and not list }}', 'true', 'b'],
    ['{{ (list or {}) | to_json }}', '{}', ''],
    ['{{ (list and 1) | to_json }}', '[]', ''],
    ['{% for i in [1, 2] %}{{ list and 1 or i }}{% endfor %}', '12', ''],
  ];
  for (const [text, expected, called] of cases) {
    assert.equal(renderer.render('t', text, sees), expected, text);
    assert.equal(calls.splice(0).join(''), called, text);
  }
});

test('errors name file, line and column and say what to do', () => {
  const cases: [string, string, RegExp, RegExp | undefined][] = [
    ['a\n  {{ vars.nmae }}\n', 't:2:3', /^vars\.nmae has no value$/, /default/],
    ['a\nb {{ foo( }}', 't:2:11', /unexpected token/, undefined],
    ['a\n{% if x %}\nb\n', 't:3:1', /end of file/, /endif/],
    ['a\n{% include "/etc/passwd" %}', 't:2:1', /cannot include/, /write it out/],
    ['{% extends "../../x" %}', 't:1:1', /cannot include/, undefined],
    ['a\n\n{{ 1 | nosuch }}', 't:3:6', /no filter "nosuch"/, undefined],
    ["{{ [1] | selectattr('a', 'nosuch') }}", 't:1:8', /no test "nosuch"/, undefined],
  ];
  for (const [text, at, message, hint] of cases) {
    const error = refusal('t', text, { vars: {} });
    assert.match(error.message, message, text);
    assert.equal(place(error), at, text);
    if (hint) assert.match(error.hint ?? '', hint, text);
  }
});

test('a template does not climb out of its values', () => {
  for (const text of [
    '{{ "".constructor.constructor("return process.pid")() }}',
    '{{ [].map["cons" ~ "tructor"]("return 1")() }}',
    '{{ range.constructor("return process")() }}',
    '{{ ({}).__proto__.constructor }}',
    '{{ cycler.prototype.constructor }}',
    "{{ ['x'] | map(attribute='constructor.constructor') | first }}",
  ]) {
    refusal('t', text, {});
  }
});

function refusal(file: string, text: string, sees: object): ReveilleError {
  try {
    const rendered = renderer.render(file, text, sees);
    assert.fail(`rendered as ${rendered}: ${text}`);
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    assert.equal(error.code, 'TEMPLATE_INVALID');
    return error;
  }
}

function place(error: ReveilleError): string {
  return error.place ? formatPlace(error.place) : 'nowhere';
}

test('fail refuses in the words of the template, at its place', () => {
  const text = "one\n{% if wrong %}\n{{ fail('no ' ~ what) }}\n{% endif %}\n";
  assert.equal(renderer.render('t.j2', text, { wrong: false }), 'one\n');
  const error = refusal('t.j2', text, { wrong: true, what: 'card' });
  assert.equal(error.message, 'no card');
  assert.equal(place(error), 't.j2:3:8');
});
