import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Tallies } from './tallies.ts';

let reported: [string | undefined, number, number][];
let tallies: Tallies<number>;
beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  reported = [];
  tallies = new Tallies((...one) => reported.push(one));
});
afterEach(() => mock.timers.reset());

test('each subject is reported at once, and what follows once a minute', () => {
  for (let n = 1; n <= 5; n++) tallies.note('a', n);
  tallies.note('b', 9);
  assert.deepEqual(reported.splice(0), [
    ['a', 1, 1],
    ['b', 1, 9],
  ]);
  mock.timers.tick(60_000);
  assert.deepEqual(reported.splice(0), [['a', 4, 5]]);
  tallies.note('a', 6);
  tallies.note('b', 10);
  assert.deepEqual(reported.splice(0), [['b', 1, 10]], 'b was quiet for a minute, a was not');
  mock.timers.tick(60_000);
  assert.deepEqual(reported.splice(0), [['a', 1, 6]]);
  tallies.note('a', 7);
  tallies.close();
  assert.deepEqual(reported, [['a', 1, 7]]);
});

test('of very many subjects 256 are reported one by one, and the others together', () => {
  for (let n = 0; n < 10_000; n++) tallies.note(`made up ${n}`, n);
  assert.equal(reported.length, 256);
  mock.timers.tick(60_000);
  assert.deepEqual(reported.slice(256), [[undefined, 10_000 - 256, 9999]]);
  mock.timers.tick(60_000);
  tallies.note('new', 1);
  assert.deepEqual(reported.at(-1), ['new', 1, 1]);
});
