import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { negotiate } from './negotiate.ts';
import type { Option } from './packet.ts';

const BOUNDS = { size: 4711, mtu: 1500, windowBytes: 128 * 1024 };

function asked(text: string): Option[] {
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', value = ''] = part.split('=');
      return { name, value };
    });
}

test('what each option is answered with', () => {
  // asked, answered, block size, window size
  const rows: [string, string, number, number][] = [
    ['', '', 512, 1],
    ['blksize=1408', 'blksize=1408', 1408, 1],
    ['blksize=8', 'blksize=8', 8, 1],
    ['blksize=7', '', 512, 1],
    ['blksize=1469', 'blksize=1468', 1468, 1],
    ['blksize=65464', 'blksize=1468', 1468, 1],
    ['blksize=99999', 'blksize=1468', 1468, 1],
    ['blksize=-1', '', 512, 1],
    ['blksize=1e3', '', 512, 1],
    ['blksize=', '', 512, 1],
    ['blksize=99999999999999999999', '', 512, 1],
    ['tsize=0', 'tsize=4711', 512, 1],
    ['TSize=0 BlkSize=1024', 'TSize=4711 BlkSize=1024', 1024, 1],
    ['timeout=1', 'timeout=1', 512, 1],
    ['timeout=255', 'timeout=255', 512, 1],
    ['timeout=0', '', 512, 1],
    ['timeout=256', '', 512, 1],
    ['windowsize=4', 'windowsize=4', 512, 4],
    ['windowsize=0', '', 512, 1],
    ['windowsize=65535', 'windowsize=64', 512, 64],
    ['windowsize=65536', '', 512, 1],
    ['multicast= blksize=1024 rollover=0', 'blksize=1024', 1024, 1],
  ];
  for (const [request, answer, blockSize, windowSize] of rows) {
    const terms = negotiate(asked(request), BOUNDS);
    assert.deepEqual(terms.accepted, asked(answer), request);
    assert.equal(terms.blockSize, blockSize, request);
    assert.equal(terms.windowSize, windowSize, request);
  }
});

test('a window holds no more bytes than are kept in memory', () => {
  const jumbo = negotiate(asked('blksize=65464 windowsize=64'), { ...BOUNDS, mtu: 65535 });
  assert.equal(jumbo.blockSize, 65464);
  assert.equal(jumbo.windowSize, 2);
  assert.equal(negotiate(asked('blksize=65464 windowsize=9'), { ...BOUNDS, mtu: 65535, windowBytes: 1 }).windowSize, 1);
});

test("the timeout is the client's own, in milliseconds, or absent", () => {
  assert.equal(negotiate(asked('timeout=3'), BOUNDS).timeoutMs, 3000);
  assert.equal(negotiate([], BOUNDS).timeoutMs, undefined);
});

test('whatever is asked, only that is answered and all stays within its range', () => {
  const names = fc.constantFrom('blksize', 'BLKSIZE', 'tsize', 'timeout', 'windowsize', 'other');
  const values = fc.oneof(fc.nat(70000).map(String), fc.string());
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: names, value: values })),
      fc.integer({ min: 68, max: 9000 }),
      (options, mtu) => {
        const terms = negotiate(options, { ...BOUNDS, mtu });
        for (const { name } of terms.accepted) assert.ok(options.some((option) => option.name === name));
        assert.ok(terms.blockSize >= 8 && terms.blockSize <= Math.max(512, mtu - 32));
        assert.ok(terms.windowSize >= 1 && terms.windowSize <= 64);
        if (terms.timeoutMs !== undefined) assert.ok(terms.timeoutMs >= 1000 && terms.timeoutMs <= 255_000);
      },
    ),
  );
});
