import assert from 'node:assert/strict';
import type { BigIntStats } from 'node:fs';
import { test } from 'node:test';
import { stateTag, timesAreSure, wasEdited } from './fileState.ts';

const AT = 1_000_000_000_000n;
const state = (changes: Partial<BigIntStats> = {}) =>
  ({ dev: 1n, ino: 2n, size: 3n, mtimeNs: AT + 5n, ctimeNs: AT + 5n, ...changes }) as BigIntStats;
/** Milliseconds since the epoch, so long after `AT`. */
const later = (ms: number) => Number(AT / 1_000_000n) + ms;

test('a tag is the same for ever for one state, and another one for any other', () => {
  const tag = stateTag(state(), later(10_000));
  assert.match(tag ?? '', /^[0-9a-f]{32}$/);
  assert.equal(stateTag(state(), later(1e9)), tag);
  const others: Partial<BigIntStats>[] = [
    { dev: 2n },
    { ino: 3n },
    { size: 4n },
    { mtimeNs: AT + 6n },
    { ctimeNs: AT + 6n },
  ];
  for (const other of others) assert.notEqual(stateTag(state(other), later(10_000)), tag, Object.keys(other).join());
});

test('times are sure once a change would show in them, which takes longer where they are whole seconds', () => {
  const rows: readonly [bigint, number, boolean][] = [
    [AT + 5n, 50, false],
    [AT + 5n, 150, true],
    [AT, 150, false],
    [AT, 1900, false],
    [AT, 2100, true],
    [AT + 60_000_000_000n + 5n, 150, false],
  ];
  for (const [ctimeNs, ms, sure] of rows) {
    assert.equal(timesAreSure(state({ ctimeNs }), later(ms)), sure, `${ctimeNs} ${ms}`);
    assert.equal(stateTag(state({ ctimeNs }), later(ms)) !== undefined, sure);
  }
});

test('an edit shows in size or time; a rename over the file, which the open one does not share, is none', () => {
  assert.equal(wasEdited(state(), state({ ctimeNs: AT + 9n })), false);
  assert.equal(wasEdited(state(), state({ mtimeNs: AT + 9n })), true);
  assert.equal(wasEdited(state(), state({ size: 4n })), true);
});
