import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tryLock } from '../lock.ts';
import { sweepCache } from './sweepCache.ts';

test('old roots go; sources of disks stay with their recipe; a running build keeps all', async (t) => {
  const cache = mkdtempSync(join(tmpdir(), 'sweep-'));
  t.after(() => rmSync(cache, { recursive: true, force: true }));
  assert.deepEqual(await sweepCache(cache, { recipes: new Set(), dryRun: false, now: 0 }), []);
  const roots = join(cache, 'roots');
  mkdirSync(roots);
  const now = Date.parse('2026-01-10T00:00:00Z');
  const put = (name: string, hours: number) => {
    for (const ending of ['tar', 'json', 'log']) {
      writeFileSync(join(roots, `${name}.${ending}`), 'four');
      utimesSync(join(roots, `${name}.${ending}`), now / 1000 - hours * 3600, now / 1000 - hours * 3600);
    }
  };
  put('young', 1);
  put('old', 30);
  put('old+source', 300);
  put('stranger', 30);
  put('stranger+source', 30);
  put('of-another-site', 1);
  put('busy', 300);
  mkdirSync(join(roots, 'stranger.work/debs'), { recursive: true });
  writeFileSync(join(roots, 'stranger.work/debs/x'), 'seven..');
  utimesSync(join(roots, 'stranger.work'), now / 1000 - 100_000, now / 1000 - 100_000);
  const held = tryLock(join(roots, 'busy.lock'));
  const options = { recipes: new Set(['young', 'old', 'busy']), now };
  const expected = [
    { image: 'old', bytes: 4 },
    { image: 'stranger', bytes: 15 },
  ];
  assert.deepEqual(await sweepCache(cache, { ...options, dryRun: true }), expected);
  assert.deepEqual(await sweepCache(cache, { ...options, dryRun: false }), expected);
  held?.release();
  assert.deepEqual(
    readdirSync(roots)
      .filter((name) => /\.(tar|json|work)$/.test(name))
      .sort(),
    [
      'busy.json',
      'busy.tar',
      'of-another-site.json',
      'of-another-site.tar',
      'old+source.json',
      'old+source.tar',
      'young.json',
      'young.tar',
    ],
  );
});
