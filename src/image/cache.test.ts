import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ageDebs, BASE_HOURS, baseKey, defaultCache, findBase, keepBase, openCache, poolDebs } from './cache.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-01-02T00:00:00Z');

async function newCache(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'cache-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, files: await openCache(folder, 'one') };
}

test('a root is used again for a day, and only for the same recipe', async (t) => {
  const { folder, files } = await newCache(t);
  const key = baseKey({ packages: ['bash'] });
  assert.equal(await findBase(files.root, key, NOW, BASE_HOURS), undefined);
  writeFileSync(join(folder, 'new.tar'), 'tar');
  const record = { key, builtAt: new Date(NOW).toISOString(), modulesFreedBytes: 5 };
  await keepBase(files.root, join(folder, 'new.tar'), record);
  assert.deepEqual(await findBase(files.root, key, NOW + HOUR, BASE_HOURS), record);
  assert.equal(await findBase(files.root, key, NOW + BASE_HOURS * HOUR, BASE_HOURS), undefined);
  assert.equal(
    await findBase(files.root, key, NOW - HOUR, BASE_HOURS),
    undefined,
    'from the future: the clock was wrong',
  );
  assert.equal(await findBase(files.root, baseKey({ packages: ['dash'] }), NOW, BASE_HOURS), undefined);
  writeFileSync(files.root.record, '{"key":');
  assert.equal(await findBase(files.root, key, NOW, BASE_HOURS), undefined);
});

test('a root whose tar is gone is not used', async (t) => {
  const { folder, files } = await newCache(t);
  writeFileSync(join(folder, 'new.tar'), 'tar');
  await keepBase(files.root, join(folder, 'new.tar'), {
    key: 'k',
    builtAt: new Date(NOW).toISOString(),
    modulesFreedBytes: 0,
  });
  rmSync(files.root.tar);
  assert.equal(await findBase(files.root, 'k', NOW, BASE_HOURS), undefined);
});

test('packages are pooled, and leave when no build has used them for two months', async (t) => {
  const { folder, files } = await newCache(t);
  const from = join(folder, 'from');
  mkdirSync(join(from, 'partial'), { recursive: true });
  for (const name of ['bash_1%3a5.2_amd64.deb', 'old_1_all.deb', 'lock']) writeFileSync(join(from, name), name);
  await poolDebs(files, from);
  assert.deepEqual(readdirSync(files.debs).sort(), ['bash_1%3a5.2_amd64.deb', 'old_1_all.deb']);
  for (const name of readdirSync(files.debs)) utimesSync(join(files.debs, name), NOW / 1000, NOW / 1000);
  const bash = { name: 'bash', version: '1:5.2', architecture: 'amd64' };
  await ageDebs(files, [bash], NOW + 59 * 24 * HOUR);
  assert.ok(existsSync(join(files.debs, 'old_1_all.deb')));
  await ageDebs(files, [bash], NOW + 61 * 24 * HOUR);
  assert.deepEqual(readdirSync(files.debs), ['bash_1%3a5.2_amd64.deb']);
});

test('builds that end at once tidy the same packages', async (t) => {
  const { files } = await newCache(t);
  for (let i = 0; i < 200; i++) {
    const deb = join(files.debs, `p${i}_1_all.deb`);
    writeFileSync(deb, 'deb');
    utimesSync(deb, NOW / 1000, NOW / 1000);
  }
  await Promise.all(Array.from({ length: 8 }, () => ageDebs(files, [], NOW + 61 * 24 * HOUR)));
  assert.deepEqual(readdirSync(files.debs), []);
});

test('the cache lies where its user may write', () => {
  assert.equal(defaultCache({ REVEILLE_CACHE: '/c' }, 0), '/c');
  assert.equal(defaultCache({}, 0), '/var/cache/reveille');
  assert.equal(
    defaultCache({ XDG_CACHE_HOME: '/x' }, 1000, () => undefined),
    '/x/reveille',
  );
  assert.match(
    defaultCache({}, 1000, () => 0),
    /\/\.cache\/reveille$/,
  );
  assert.equal(
    defaultCache({ XDG_CACHE_HOME: '/x' }, 1000, () => 1000),
    '/var/cache/reveille',
    "the service's user",
  );
});
