import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seldom } from './seldom.ts';

test('a subject is let through once a minute, whatever others do', () => {
  let now = 0;
  const seldom = new Seldom(() => now);
  const rows: [at: number, subject: string, lets: boolean][] = [
    [0, 'a', true],
    [1, 'a', false],
    [2, 'b', true],
    [59_999, 'a', false],
    [60_000, 'a', true],
    [60_001, 'b', false],
    [60_002, 'b', true],
    [119_999, 'a', false],
  ];
  for (const [at, subject, lets] of rows) {
    now = at;
    assert.equal(seldom.lets(subject), lets, `${subject} at ${at}`);
  }
});

test('of made-up subjects it remembers 1,024 and lets no more through, until those are a minute old', () => {
  let now = 0;
  const seldom = new Seldom(() => now);
  let through = 0;
  for (let n = 0; n < 100_000; n++) if (seldom.lets(`made up ${n}`)) through++;
  assert.equal(through, 1024);
  now = 60_000;
  assert.ok(seldom.lets('new'));
  assert.ok(!seldom.lets('new'));
});
