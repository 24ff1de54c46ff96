import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decode,
  encodeAck,
  encodeData,
  encodeError,
  encodeOack,
  encodeRequest,
  type Option,
  printable,
} from './packet.ts';

const word = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !text.includes('\0') && text.isWellFormed());
const options = fc.uniqueArray(fc.record({ name: word, value: word }, { noNullPrototype: true }), {
  selector: ({ name }) => name.toLowerCase(),
  maxLength: 8,
});

test('what is encoded is decoded again', () => {
  fc.assert(
    fc.property(word, fc.constantFrom('octet', 'netascii', 'mail'), options, (file, mode, asked) => {
      for (const kind of ['rrq', 'wrq'] as const) {
        assert.deepEqual(decode(encodeRequest(kind, file, mode, asked)), { kind, file, mode, options: asked });
      }
      assert.deepEqual(decode(encodeOack([...asked, { name: 'x-last', value: '1' }])), {
        kind: 'oack',
        options: [...asked, { name: 'x-last', value: '1' }],
      });
    }),
  );
  fc.assert(
    fc.property(fc.nat(65535), fc.uint8Array({ maxLength: 600 }), (block, data) => {
      const packet = decode(encodeData(block, data));
      assert.ok(packet.kind === 'data');
      assert.equal(packet.block, block);
      assert.deepEqual([...packet.data], [...data]);
      assert.deepEqual(decode(encodeAck(block)), { kind: 'ack', block });
    }),
  );
});

test('block numbers are carried modulo 65536', () => {
  assert.deepEqual(decode(encodeAck(65536)), { kind: 'ack', block: 0 });
  assert.deepEqual(decode(encodeAck(131077)), { kind: 'ack', block: 5 });
  const packet = decode(encodeData(65537, Buffer.alloc(1)));
  assert.ok(packet.kind === 'data' && packet.block === 1);
});

test('no bytes make it throw, and what it returns is bounded', () => {
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 5, 6), fc.uint8Array({ maxLength: 2000 }))
      .map(([opcode, rest]) => Buffer.from([0, opcode, ...rest])),
    fc.tuple(fc.constantFrom(1, 2, 6), fc.array(word, { maxLength: 60 })).map(([opcode, parts]) => {
      return Buffer.concat([Buffer.from([0, opcode]), Buffer.from(parts.join('\0'))]);
    }),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      const packet = decode(bytes);
      if (packet.kind === 'rrq' || packet.kind === 'wrq' || packet.kind === 'oack') {
        assert.ok(packet.options.length <= 16);
        const names = packet.options.map(({ name }) => name.toLowerCase());
        assert.equal(new Set(names).size, names.length);
      }
      if (packet.kind === 'error') assert.ok(packet.message.length <= 256);
    }),
    { numRuns: 2000 },
  );
});

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

test('requests as clients send them', () => {
  const rows: [string, string, string, Option[]][] = [
    ['\0\x01a\0octet\0', 'a', 'octet', []],
    ['\0\x01a\0OCTET\0', 'a', 'octet', []],
    ['\0\x01a\0octet\0BLKSIZE\x001408\0', 'a', 'octet', [{ name: 'BLKSIZE', value: '1408' }]],
    // Padding after the last NUL, and a last option whose value was cut off.
    ['\0\x01a\0octet\0tsize\x000\0\xff\xff', 'a', 'octet', [{ name: 'tsize', value: '0' }]],
    ['\0\x01a\0octet\0tsize\0', 'a', 'octet', []],
    ['\0\x01a\0octet\0tsize\x000\0blksize\x00512', 'a', 'octet', [{ name: 'tsize', value: '0' }]],
    // The first of two counts.
    ['\0\x01a\0octet\0tsize\x000\0Tsize\x001\0', 'a', 'octet', [{ name: 'tsize', value: '0' }]],
    ['\0\x01pxelinux.0\xff\0octet\0', 'pxelinux.0\ufffd', 'octet', []],
  ];
  for (const [wire, file, mode, asked] of rows) {
    assert.deepEqual(decode(bytes(wire)), { kind: 'rrq', file, mode, options: asked });
  }
});

test('what follows no rule is malformed, with the reason', () => {
  const rows = ['', '\0\x01', '\0\x01\0\0', '\0\x01\0octet\0', '\0\x01a\0', '\0\x01a\0\0', '\0\x01abc', '\0\x07abc'];
  for (const wire of [...rows, '\x01\x01a\0octet\0', `\0\x01${'a'.repeat(1500)}\0octet\0`]) {
    const packet = decode(bytes(wire));
    assert.equal(packet.kind, 'malformed', JSON.stringify(wire));
    assert.ok(packet.kind === 'malformed' && packet.reason.length > 5);
  }
});

test('an ERROR without its final NUL is read, without what a terminal would obey', () => {
  assert.deepEqual(decode(bytes('\0\x05\0\x01no\x1b[2J')), { kind: 'error', code: 1, message: 'no' });
  assert.deepEqual(decode(encodeError(2, 'access denied')), { kind: 'error', code: 2, message: 'access denied' });
  assert.equal(printable('a\nb\x85'), 'a?b?');
});
