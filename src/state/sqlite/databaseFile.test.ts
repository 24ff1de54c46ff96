import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireRoomForIndex } from './databaseFile.ts';
import { isFull } from './failure.ts';

test('a full disk of small blocks is an error before SQLite maps what has no room there', () => {
  const rows: readonly (readonly [what: string, bsize: number, bavail: number, opens: boolean])[] = [
    ['small blocks, room', 1024, 1000, true],
    ['small blocks, 24 kB left', 1024, 24, false],
    ['small blocks, nothing left', 1024, 0, false],
    ['blocks of a page, nothing left: SQLite itself is refused', 4096, 0, true],
    ['large blocks', 65_536, 0, true],
  ];
  for (const [what, bsize, bavail, opens] of rows) {
    const open = () => requireRoomForIndex('/state', () => ({ bsize, bavail }));
    if (opens) assert.doesNotThrow(open, what);
    else assert.throws(open, isFull, what);
  }
});
