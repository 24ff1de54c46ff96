import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { escapeUnsafe, isPlain, plainLine, plainLines } from './plainText.ts';

describe('text from elsewhere', () => {
  const rows: readonly (readonly [what: string, text: string, shown: string])[] = [
    ['plain words stay, in any script', 'Grüße 节点 מכונה', 'Grüße 节点 מכונה'],
    ['a colour goes as a whole', '\x1b[31mred\x1b[0m', 'red'],
    ['so does one that begins with C1', '\x9b31mred', 'red'],
    ['a window title goes with its words', 'a\x1b]0;owned\x07b', 'ab'],
    ['one that never ends takes the rest', 'a\x9d0;owned', 'a'],
    ['line feeds do not begin a line', 'one\r\ntwo', 'one  two'],
    ['neither do separators of lines and paragraphs', 'one\u2028two\u2029three', 'one two three'],
    ['a bell, a backspace, NEL', 'a\x07b\x08c\x85d', 'a b c d'],
    ['text is not turned round', 'user\u202egnp.exe', 'user gnp.exe'],
    ['nor isolated', '\u2066admin\u2069 \u200f\u061cok', ' admin    ok'],
  ];
  for (const [what, text, shown] of rows) it(what, () => assert.equal(plainLine(text), shown));

  it('keeps its lines where there may be several', () => {
    assert.equal(plainLines('a\tb\r\n\x1b[2Jc\u202ed\n'), 'a\tb\ncd\n');
  });

  it('is plain afterwards, whatever it was', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isPlain(plainLine(text))));
  });

  it('is the same JSON once it is escaped', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = escapeUnsafe(JSON.stringify({ text }));
        assert.ok(isPlain(json));
        assert.deepEqual(JSON.parse(json), { text });
      }),
    );
  });
});
