import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace } from '../errors.ts';
import { Findings } from './finding.ts';
import { findingText } from './testing/folderFixture.ts';
import { readYaml } from './yaml.ts';

function read(text: string) {
  const findings = new Findings();
  const file = readYaml('x.yaml', text, findings);
  return { file, wrong: findings.errors.map(findingText) };
}

describe('a YAML file', () => {
  it('knows where its values and keys stand', () => {
    const { file } = read('a:\n  b: [1, two]\n  c:\nd: {e: {f: 3}}\n');
    assert.deepEqual(file.value, { a: { b: [1, 'two'], c: null }, d: { e: { f: 3 } } });
    assert.equal(formatPlace(file.place(['a', 'b', 1])), 'x.yaml:2:10');
    assert.equal(formatPlace(file.keyPlace(['a', 'b'])), 'x.yaml:2:3');
    assert.equal(formatPlace(file.place(['a', 'c'])), 'x.yaml:3:3', 'an empty value stands at its key');
    assert.equal(formatPlace(file.place(['d', 'e', 'f'])), 'x.yaml:4:12');
    assert.equal(formatPlace(file.place(['d', 'e', 'absent'])), 'x.yaml:4:8', 'the map that it is absent from');
  });

  it('keeps MAC addresses, `off` and leading zeros as YAML 1.2 has them', () => {
    const { file } = read('mac: 52:54:00:00:00:51\nprobe: off\nyes: no\noctal: 0o17\n');
    assert.deepEqual(file.value, { mac: '52:54:00:00:00:51', probe: 'off', yes: 'no', octal: 15 });
  });

  it('expands aliases, and places them where they are written out', () => {
    const { file, wrong } = read('a: &pool [x, y]\nb: *pool\n');
    assert.deepEqual(wrong, []);
    assert.deepEqual(file.value, { a: ['x', 'y'], b: ['x', 'y'] });
    assert.equal(formatPlace(file.place(['b', 1])), 'x.yaml:1:14');
  });

  const broken: readonly (readonly [string, string, readonly string[]])[] = [
    ['an unclosed list', 'a: [1, 2\nb: 3\n', ['x.yaml:1:4: this [ is not closed | write the ] that belongs to it']],
    ['an unclosed map', 'a:\n  - { b: 1\nc: 3\n', ['x.yaml:2:5: this { is not closed']],
    ['an unclosed quote', 'a: 1\nb: "x\nc: 3\n', ['x.yaml:2:4: this " is not closed']],
    ['an unclosed single quote', "a: 1\nb: 'x\nc: 3\n", ["x.yaml:2:4: this ' is not closed"]],
    [
      'a key without a colon',
      'a:\n  b 1\n  c: 2\n',
      ['x.yaml:2:3: this line is no key with a value | write key: value, with a colon and a space'],
    ],
    ['a key without a colon that opens', 'a\n  b: 1\n', ['x.yaml:1:1: this line is no key with a value']],
    ['a colon without a space', 'a:\n  b:[1]\n  c: 2\n', ['x.yaml:2:3: this line is no key with a value']],
    ['a dash without a space', 'a:\n  -b: 1\n    c: 2\n', ['x.yaml:2:3: no space follows the dash of this list item']],
    [
      'a no-break space',
      'a:\n  b: 1\n\u00a0\u00a0c: 2\n   d: 1\n',
      ['x.yaml:3:1: a blank that is no space stands here'],
    ],
    [
      'a tab as indentation',
      'a:\n\tb: 1\n',
      ['x.yaml:2:1: this line is indented with a tab | use spaces: YAML takes no tabs there'],
    ],
    [
      'a wrong indent, once',
      'a:\n  b: 1\n   c: 2\nd: [\n',
      [
        'x.yaml:3:4: this line is indented deeper than line 2, which has a value already | compare with line 2: what belongs together starts in the same column',
      ],
    ],
    ['a key given twice', 'a: 1\nb: 2\na: 3\n', ['x.yaml:3:1: key "a" is given twice | it stands in line 1 already']],
    ['an unknown tag', 'a: !vault x\n', ['x.yaml:1:4: not YAML: Unresolved tag: !vault']],
    ['two documents', 'a: 1\n---\nb: 1\n', ['x.yaml:2:1: not YAML: Source contains multiple documents']],
    ['an unknown alias', 'a: *b\n', ['x.yaml:1:4: alias *b stands for nothing']],
    ['a number that loses digits', 'a: 12345678901234567890\n', ['x.yaml:1:4: this number cannot be kept exactly']],
    ['an infinite number', 'a: .inf\n', ['x.yaml:1:4: this number cannot be kept exactly']],
    ['a key that would reach the prototype', '__proto__: {a: 1}\n', ['x.yaml:1:1: no key may be called "__proto__"']],
    ['an alias to what holds it', 'a: &a [*a]\n', ['x.yaml:1:7: nested too deeply, or too much repeated by aliases']],
  ];
  for (const [what, text, expected] of broken) {
    it(`reports ${what}`, () => {
      const { wrong } = read(text);
      assert.equal(wrong.length, expected.length, wrong.join('\n'));
      for (const [i, start] of expected.entries()) assert.ok(wrong[i]?.startsWith(start), wrong[i] ?? what);
    });
  }

  it('is not blown up by aliases of aliases', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    const { wrong } = read(lines.join('\n'));
    assert.equal(wrong.length, 1);
    assert.match(wrong[0] ?? '', /too much repeated by aliases/);
  });

  it('survives lists within lists by the thousand', () => {
    const { wrong } = read(`a: ${'['.repeat(50_000)}`);
    assert.ok(wrong.length > 0);
  });

  it('never throws, whatever the text', () => {
    const part = fc.constantFrom(...'a: [] {} &x *x "\' | > # --- ?  !t % \t << - '.split(' '), ' ', '\n', '- ', ': ');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const { file } = read(parts.join(''));
        file.place(['a', 0, 'x']);
      }),
      { numRuns: 2000 },
    );
  });
});
