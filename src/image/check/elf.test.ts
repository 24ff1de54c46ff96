import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { isLinkable, linkedOf } from './elf.ts';

const NODE = readFileSync(process.execPath);

test('the program that runs this is linked to the C library and names its linker', () => {
  const linked = linkedOf(NODE);
  assert.ok(linked?.needed.includes('libc.so.6'));
  assert.match(linked?.interpreter ?? '', /^\/lib.*\/ld-linux/);
});

/** The smallest library: one segment that is loaded, and its dynamic section. */
function library({ wide, big }: { wide: boolean; big: boolean }): Buffer {
  const file = Buffer.alloc(512);
  const half = (value: number, at: number) => (big ? file.writeUInt16BE(value, at) : file.writeUInt16LE(value, at));
  const word = (value: number, at: number) => (big ? file.writeUInt32BE(value, at) : file.writeUInt32LE(value, at));
  const long = (value: number, at: number) =>
    wide
      ? big
        ? file.writeBigUInt64BE(BigInt(value), at)
        : file.writeBigUInt64LE(BigInt(value), at)
      : word(value, at);
  file.write('\x7fELF', 'latin1');
  file[4] = wide ? 2 : 1;
  file[5] = big ? 2 : 1;
  half(3, 16);
  half(62, 18);
  const headers = 64;
  const each = wide ? 56 : 32;
  long(headers, wide ? 32 : 28);
  half(each, wide ? 54 : 42);
  half(2, wide ? 56 : 44);
  const segment = (index: number, type: number, offset: number, address: number, size: number) => {
    const at = headers + index * each;
    word(type, at);
    long(offset, at + (wide ? 8 : 4));
    long(address, at + (wide ? 16 : 8));
    long(size, at + (wide ? 32 : 16));
  };
  segment(0, 1, 0, 0x1000, 512);
  segment(1, 2, 256, 0x1000 + 256, 128);
  const step = wide ? 16 : 8;
  const strings = '\0liba.so.1\0$ORIGIN/x:/opt/lib\0';
  for (const [index, [tag, value]] of [
    [5, 0x1000 + 400],
    [10, strings.length],
    [1, 1],
    [29, 11],
    [0, 0],
  ].entries()) {
    long(tag ?? 0, 256 + index * step);
    long(value ?? 0, 256 + index * step + step / 2);
  }
  file.write(strings, 400, 'latin1');
  return file;
}

for (const wide of [true, false]) {
  for (const big of [true, false]) {
    test(`a library of ${wide ? 64 : 32} bits, ${big ? 'big' : 'little'} end first`, () => {
      assert.deepEqual(linkedOf(library({ wide, big })), {
        machine: 62,
        needed: ['liba.so.1'],
        runpath: ['$ORIGIN/x', '/opt/lib'],
      });
    });
  }
}

test('an object file, a script and nothing are not linkable', () => {
  const object = library({ wide: true, big: false });
  object.writeUInt16LE(1, 16);
  for (const bytes of [object, Buffer.from('#!/bin/sh\necho so many bytes'), Buffer.alloc(0)]) {
    assert.equal(isLinkable(bytes), false);
    assert.equal(linkedOf(bytes), undefined);
  }
});

test('whatever the numbers say, reading ends', () => {
  const bytes = fc.array(fc.record({ at: fc.nat(511), value: fc.integer({ min: 0, max: 255 }) }), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.boolean(), fc.boolean(), fc.nat(512), (changes, wide, big, length) => {
      const file = library({ wide, big });
      for (const { at, value } of changes) if (at > 5) file[at] = value;
      linkedOf(file.subarray(0, length));
      linkedOf(file);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (random) => void linkedOf(Buffer.from(random))));
});
