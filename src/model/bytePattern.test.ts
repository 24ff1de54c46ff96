import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BytePattern, hexPattern, matches, textPattern } from './bytePattern.ts';

const patternOf = (text: string): BytePattern => textPattern(text) ?? assert.fail(text);
const bytesOf = (text: string) => Buffer.from(text);

describe('a pattern of bytes', () => {
  const rows: readonly [pattern: string, fits: readonly string[], fitsNot: readonly string[]][] = [
    ['iPXE', ['iPXE'], ['ipxe', 'iPX', 'iPXEs', '']],
    ['PXEClient*', ['PXEClient', 'PXEClient:Arch:00000:UNDI:002001'], ['aPXEClient', 'PXEClien']],
    ['*:00007:*', ['PXEClient:Arch:00007:UNDI', ':00007:'], ['PXEClient:Arch:00006:UNDI', ':00007']],
    ['eth?/1', ['eth0/1', 'eth9/1'], ['eth/1', 'eth10/1']],
    ['*a*b', ['ab', 'xaxb', 'aabb', 'abab'], ['ba', 'a', 'abc']],
    ['**', ['', 'x'], []],
    ['switch-é', ['switch-é'], ['switch-e']],
  ];
  for (const [pattern, fits, fitsNot] of rows) {
    test(`${pattern} as text`, () => {
      for (const text of fits) assert.ok(matches(patternOf(pattern), bytesOf(text)), text);
      for (const text of fitsNot) assert.ok(!matches(patternOf(pattern), bytesOf(text)), text);
    });
  }

  test('in hex, with wildcards, and what is none', () => {
    const port = hexPattern('00:04:??:01*') ?? assert.fail();
    assert.ok(matches(port, Uint8Array.of(0, 4, 99, 1)));
    assert.ok(matches(port, Uint8Array.of(0, 4, 99, 1, 2, 3)));
    assert.ok(!matches(port, Uint8Array.of(0, 4, 99)));
    assert.deepEqual(hexPattern('0004ff'), Int16Array.of(0, 4, 255));
    for (const text of ['', '0', '00:4', 'xy', '00 04', '?']) assert.equal(hexPattern(text), undefined, text);
  });

  test('is neither empty nor longer than an option, and neither is what fits it', () => {
    assert.equal(textPattern(''), undefined);
    assert.equal(textPattern('x'.repeat(256)), undefined);
    assert.ok(matches(patternOf('*'), new Uint8Array(255)));
    assert.ok(!matches(patternOf('*'), new Uint8Array(256)));
  });

  test('fits what the same regular expression fits', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (written, said) => {
        const expression = new RegExp(`^${written.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        assert.equal(matches(patternOf(written), bytesOf(said)), expression.test(said));
      }),
    );
  });

  test('ends soon even where a client says what is made to take long', () => {
    const steps = patternOf('*a'.repeat(127));
    assert.ok(!matches(steps, Buffer.from(`${'a'.repeat(254)}b`)));
  });
});
