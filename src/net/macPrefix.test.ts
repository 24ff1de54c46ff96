import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMacPrefix } from './macPrefix.ts';

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
