import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Mac, macFromBytes } from './mac.ts';
import { beginsWith, parseMacPrefix } from './macPrefix.ts';

test('an address or the beginning of one', () => {
  const rows: readonly [text: string, mac: string, bits: number][] = [
    ['52:54:00:00:00:51', '52:54:00:00:00:51', 48],
    ['5254.0000.0051', '52:54:00:00:00:51', 48],
    ['52-54-00-*', '52:54:00:00:00:00', 24],
    ['AA:*', 'aa:00:00:00:00:00', 8],
    ['00:1a:4b:80:00:00/25', '00:1a:4b:80:00:00', 25],
    ['00:00:00:00:00:00/0', '00:00:00:00:00:00', 0],
    ['00:1a:4b:80:00:01/48', '00:1a:4b:80:00:01', 48],
  ];
  for (const [text, mac, bits] of rows) assert.deepEqual(parseMacPrefix(text), { mac, bits }, text);
});

test('what is none', () => {
  for (const text of [
    '',
    '*',
    '52:54:00',
    '52:54:0*',
    '00:1a:4b:80:00:00/24',
    '00:1a:4b:00:00:00/49',
    '5254.*',
    'x/',
  ]) {
    assert.equal(parseMacPrefix(text), undefined, text);
  }
});

test('an address begins with the bits of a prefix and with no others', () => {
  const octets = fc.uint8Array({ minLength: 6, maxLength: 6 });
  const bitsOf = (mac: Mac) =>
    mac
      .split(':')
      .map((octet) => Number.parseInt(octet, 16).toString(2).padStart(8, '0'))
      .join('');
  fc.assert(
    fc.property(octets, fc.integer({ min: 0, max: 48 }), fc.integer({ min: 0, max: 47 }), (bytes, bits, flipped) => {
      const mac = macFromBytes(bytes);
      const other = macFromBytes(bytes.with(flipped >> 3, (bytes[flipped >> 3] ?? 0) ^ (128 >> (flipped & 7))));
      const begins = beginsWith({ mac, bits });
      assert.ok(begins(mac));
      assert.equal(begins(other), bitsOf(other).startsWith(bitsOf(mac).slice(0, bits)));
    }),
  );
});
