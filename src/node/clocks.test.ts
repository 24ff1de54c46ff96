import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeClocks } from './clocks.ts';

test('a clock that is off is reported once, and again when it changes, comes right or the node boots', () => {
  let now = 1_000_000_000;
  const clocks = nodeClocks(() => now);
  const hear = (aheadSeconds: number) => clocks.hear('node01', String(now / 1000 + aheadSeconds));
  for (const [ahead, reported] of [
    [0, undefined],
    [4, undefined],
    [180, 180_000],
    [182, undefined],
    [-3600, -3_600_000],
    [0, 0],
    [1, undefined],
    [-60, -60_000],
  ] as const) {
    now += 10_000;
    assert.equal(hear(ahead), reported, `${ahead}`);
  }
  clocks.forget('node01');
  assert.equal(hear(-60), -60_000);
  assert.equal(clocks.hear('node02', String(now / 1000)), undefined);
});

test('what is no time is passed over', () => {
  const clocks = nodeClocks(() => 0);
  for (const time of [undefined, '', 'x', '-5', '1e99', '999999999999', ['5']]) {
    assert.equal(clocks.hear('node01', time), undefined);
  }
});
