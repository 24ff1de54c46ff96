import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Findings } from './finding.ts';
import { markOf, readPlain } from './plainYaml.ts';
import { type Path, readYaml } from './yaml.ts';

/** What the parser for all of YAML makes of it; `undefined` if anything is wrong. */
function full(text: string) {
  const findings = new Findings();
  const yaml = readYaml('x.yaml', text, findings, (offset) => ({ file: 'x.yaml', line: 1, col: offset }));
  return findings.errors.length > 0 ? undefined : yaml;
}

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...inner.flatMap(([key, item]) => pathsIn(item, [...path, key]))];
}

/** Whether the text is plain; if it is, its value and all its places are those of the parser for all of YAML. */
function isPlainAndSame(text: string): boolean {
  const marks = new Map();
  const value = readPlain(text, marks);
  if (value === undefined) return false;
  const yaml = full(text);
  assert.ok(yaml, `it is wrong, and was read: ${JSON.stringify(text)}`);
  assert.deepEqual(value, yaml.value, JSON.stringify(text));
  assert.deepEqual(Object.keys(value), Object.keys(yaml.value as object));
  for (const path of pathsIn(value).slice(1)) {
    const mark = marks.get(markOf(path));
    assert.deepEqual(
      mark,
      { key: yaml.keyPlace(path).col, value: yaml.place(path).col },
      `${path.join('.')} in ${JSON.stringify(text)}`,
    );
  }
  return true;
}

const PLAIN: readonly string[] = [
  '  node1:\n    mac: 52:54:00:00:00:51\n    ip: 10.0.0.51\n',
  '  node1: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [base, compute], vars: {} }\n',
  '  node[01-64]: # the rack\n    mac: 52:54:00:00:00:[51-90]  # all\n    # a comment\n\n    vars:\n      a: 1\n      b: 1.5\n      c:\n      d: true\n',
  'a:\n- x\n- "y z"\n- [1, { b: 2 }]\n',
  'a:\n  - x # one\n\n  - y\nb: hello world: no\n'.replace(': no', ''),
  'a: \'it\'\nb: "x: y # z"\nc: a#b\nd: null\n10: ten\n',
  'a: x',
];
const UNUSUAL: readonly string[] = [
  '',
  'a: |\n  x\n',
  'a: x\n  y\n',
  'a: &b x\n',
  'a: *b\n',
  'a: "x\\n"\n',
  'a: 0x10\n',
  'a: 1e3\n',
  'a: +1\n',
  'a: .5\n',
  'a: 007\n',
  'a: ~\n',
  '? a\n: b\n',
  'a: [x,\n  y]\n',
  'a: [b: c]\n',
  'a: b: c\n',
  'a: x\na: y\n',
  '__proto__: x\n',
  'a: é\n',
  'a:\tx\n',
  '- x\n',
  'a:\n  - b: c\n',
  'a: x\n---\nb: y\n',
  'a:\n    b: x\n  c: y\n',
];

describe('plain YAML', () => {
  for (const text of PLAIN) it(`reads ${JSON.stringify(text)}`, () => assert.ok(isPlainAndSame(text)));
  for (const text of UNUSUAL)
    it(`leaves ${JSON.stringify(text)} to the full parser`, () => assert.equal(readPlain(text), undefined));

  const token = fc.constantFrom(
    ...[
      'a',
      'b',
      'node[1-2]',
      '10',
      '1.5',
      '10.0.0.1',
      '52:54:00:00:00:01',
      'true',
      'null',
      '-',
      '- ',
      '-x',
      '+3',
      '0x1f',
      '.5',
      '1e3',
    ],
    ...[
      ': ',
      ':',
      ':\n',
      '\n',
      '\n  ',
      '\n    ',
      ' ',
      '  ',
      '#',
      ' # c',
      '[',
      ']',
      '{',
      '}',
      ', ',
      ',',
      '"',
      "'",
      '\\',
      '&x',
      '*x',
      '!t',
      '|',
      '>',
      '?',
      '? ',
      '%',
      '@',
      '---',
      '...',
      '<<',
      '=',
      '~',
      '\t',
      '.inf',
    ],
  );
  it('is read like all of YAML, or not at all', () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.array(token, { maxLength: 14 }), (tokens) => {
        if (isPlainAndSame(`a: ${tokens.join('')}`) || isPlainAndSame(tokens.join(''))) plain++;
      }),
      { numRuns: 20_000 },
    );
    assert.ok(plain > 1000, `only ${plain} texts were plain`);
  });
});
