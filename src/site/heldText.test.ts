import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Findings } from './finding.ts';
import { heldText } from './heldText.ts';
import { siteSchema } from './schema.ts';
import { findingText } from './testing/folderFixture.ts';

const RACK = readFileSync(join(import.meta.dirname, '../../examples/g-rack/site.yaml'), 'utf8').split('\n');

function wrongIn(text: string): readonly string[] {
  const findings = new Findings();
  heldText('site.yaml', text, siteSchema, findings);
  return findings.errors.map(findingText);
}

describe('one line of a site that is indented wrongly', () => {
  const changes: readonly (readonly [what: string, change: (line: string) => string | undefined])[] = [
    ['by one space more', (line) => ` ${line}`],
    ['by two spaces more', (line) => `  ${line}`],
    ['by one space less', (line) => (line.startsWith(' ') ? line.slice(1) : undefined)],
    ['by two spaces less', (line) => (line.startsWith('  ') ? line.slice(2) : undefined)],
    ['not at all', (line) => (line.startsWith(' ') ? line.trimStart() : undefined)],
    ['by tabs', (line) => (line.startsWith(' ') ? line.replace(/^ +/, '\t') : undefined)],
  ];
  for (const [turn, [what, change]] of changes.entries()) {
    it(`${what} is one error, at that line`, () => {
      let tried = 0;
      for (const [i, line] of RACK.entries()) {
        const changed = /^\s*[^\s#]/.test(line) ? change(line) : undefined;
        // Each line in half of the ways.
        if (changed === undefined || (i + turn) % 2 === 0) continue;
        const wrong = wrongIn(RACK.with(i, changed).join('\n'));
        // Some lines may stand elsewhere too: an only child may be indented as one likes.
        if (wrong.length === 0) continue;
        tried++;
        assert.equal(wrong.length, 1, `${changed}\n${wrong.join('\n')}`);
        assert.ok(wrong[0]?.startsWith(`site.yaml:${i + 1}:`), `${i + 1} ${changed}\n${wrong[0]}`);
      }
      assert.ok(tried > 20, String(tried));
    });
  }

  it('is reported with the line to compare it with, or its parent', () => {
    const site = (lines: string) => wrongIn(`networks:\n${lines}`);
    assert.deepEqual(
      [site('  n:\n     subnet: 10.0.0.0/24\n    lease: 1h\n    mtu: 1400\n'), site('n:\n  subnet: 10.0.0.0/24\n')],
      [
        [
          'site.yaml:3:6: this line is indented by 5 spaces, where 4 fit | compare with line 4: what belongs together starts in the same column',
        ],
        ['site.yaml:2:1: this line is indented by 0 spaces, where 2 fit | it belongs below line 1'],
      ],
    );
  });

  it('is not what a misspelt key is, though variables would take it', () => {
    const text = 'networks: { n: { subnet: 10.0.0.0/24 } }\nnodes:\n  a:\n    vars:\n      x: 1\n    imgae: b\n';
    assert.deepEqual(wrongIn(text), ['site.yaml:6:5: unknown key "imgae" | did you mean "image"?']);
  });
});
