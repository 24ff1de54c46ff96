import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type IndentationSlip, indentationSlip } from './indentation.ts';

const ROOT = join(import.meta.dirname, '../..');

describe('a line that is indented wrongly', () => {
  const rows: readonly (readonly [what: string, text: string, slip: IndentationSlip])[] = [
    ['a tab', 'a:\n  b: 1\n\tc: 2\n', { kind: 'tab', line: 3, col: 1 }],
    ['a tab after spaces', 'a:\n  b:\n  \tc: 2\n', { kind: 'tab', line: 3, col: 3 }],
    ['one space too many', 'a:\n  b: 1\n   c: 2\n', { kind: 'deeper', line: 3, col: 4, compare: 2 }],
    ['one space too few', 'a:\n  b: 1\n c: 2\n', { kind: 'between', line: 3, col: 2, compare: 2 }],
    ['below a list', 'a:\n  - b: 1\n    c: 2\n   d: 3\n', { kind: 'between', line: 4, col: 4, compare: 2 }],
    ['a map below a value', 'a: 1\n  b: 2\n', { kind: 'deeper', line: 2, col: 3, compare: 1 }],
    ['after a comment', 'a:\n  b: 1   # why\n   c: 2\n', { kind: 'deeper', line: 3, col: 4, compare: 2 }],
    ['in a file of Windows', 'a:\r\n  b: 1\r\n   c: 2\r\n', { kind: 'deeper', line: 3, col: 4, compare: 2 }],
  ];
  for (const [what, text, slip] of rows) it(what, () => assert.deepEqual(indentationSlip(text), slip));

  it('is not found where there is none', () => {
    const texts = [
      'a: 1\nb:\n  c: 2\n\n  # comment\n d: []\n'.replace('\n d', '\nd'),
      'a: "x # y"\nb: it\'s # so\nc: |\n  text\n    deeper\n  back\nd: >-\n  x\n',
      'list:\n- a\n- b:\n    c: 1\n  d: 2\n- - x\n  - y\n',
      'flow: [1,\n 2,\n     3]\nmap: { a: 1,\n   b: "]" }\nend: 1\n',
      'a: &x\n  b: 1\nc: *x\n? key\n: value\n--- \n  indented: document\n',
    ];
    for (const text of texts) assert.equal(indentationSlip(text), undefined, text);
  });

  it('is found in no file of ours', () => {
    const files = globSync(['examples/**/*.yaml', 'overlays/*/overlay.yaml', 'src/**/*.yaml'], { cwd: ROOT });
    assert.ok(files.length > 30);
    for (const file of files) assert.equal(indentationSlip(readFileSync(join(ROOT, file), 'utf8')), undefined, file);
  });
});
