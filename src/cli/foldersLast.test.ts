import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldersLast } from './foldersLast.ts';

const rows: readonly (readonly [given: string, taken: string])[] = [
  ['check --site a', 'check --site a'],
  ['--site a check', 'check --site a'],
  ['--site=a --state b status node01', 'status node01 --site=a --state b'],
  ['image --site a build NAME', 'image build --site a NAME'],
  ['--state b image list --json', 'image list --state b --json'],
  ['--site a check --site b', 'check --site a --site b'],
  ['lab run -- tool --site a', 'lab run -- tool --site a'],
  ['watch --json --site a', 'watch --json --site a'],
  ['--site a', '--site a'],
  ['--help', '--help'],
  ['check --site', 'check --site'],
];
for (const [given, taken] of rows) {
  test(`${given} is ${taken}`, () => assert.equal(foldersLast(given.split(' ')).join(' '), taken));
}
