import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Recipe } from '../model/recipe.ts';
import { recipeFixture } from '../site/testing/fixture.ts';
import { plainDirectory } from './entry.ts';
import { needsRework, reworkArguments } from './rework.ts';

const entries = (...paths: readonly string[]) =>
  new Map(paths.map((path) => [path, { ...plainDirectory(path, 0), kind: 'file' as const }]));

const recipe = (changes: Partial<Recipe>) => recipeFixture({ from: { kind: 'tar', path: '/r.tar' }, ...changes });

for (const { name, changes, paths, needed } of [
  { name: 'nothing asked', changes: {}, paths: ['usr/bin/ls'], needed: false },
  { name: 'packages', changes: { packages: ['curl'] }, paths: [], needed: true },
  { name: 'a package to remove', changes: { removePackages: ['curl'] }, paths: [], needed: true },
  { name: 'run lines', changes: { run: ['true'] }, paths: [], needed: true },
  { name: 'paths to remove', changes: { removePaths: ['/usr/games'] }, paths: [], needed: false },
  { name: 'modules', changes: {}, paths: ['usr/lib/modules/6.1/kernel/a.ko'], needed: true },
  { name: 'modules at their old place', changes: {}, paths: ['lib/modules/6.1/kernel/a.ko'], needed: true },
  { name: 'modules that all stay', changes: { slim: false }, paths: ['lib/modules/6.1/kernel/a.ko'], needed: false },
]) {
  test(`whether programs must run in a root: ${name}`, () => {
    assert.equal(needsRework(recipe(changes), { entries: entries(...paths) }), needed);
  });
}

test('packages are installed by the apt of the root, from the mirrors of the recipe', async () => {
  const words = await reworkArguments(
    {
      recipe: recipe({ packages: ['curl'], mirrors: ['http://mirror.example.org/debian'], run: ["echo it's"] }),
      site: '/site',
      settings: ['Acquire::http::Proxy "http://10.0.0.1:3128"'],
      source: '/r.tar',
      index: { entries: entries('usr/bin/apt-get', 'usr/bin/dpkg'), osRelease: 'VERSION_CODENAME=trixie\n' },
      tar: '/w/root.tar',
      log: '/w/log',
    },
    'unshare',
  );
  assert.deepEqual(words.slice(-2), ['', '/w/root.tar']);
  assert.ok(words.includes('--mode=unshare'));
  const install = words.find((word) => word.includes('apt-get --yes update')) ?? '';
  const laid = [...install.matchAll(/^echo (\S+) \| base64 -d >"\$1(\S+)"$/gm)].map(([, text = '', path]) => [
    path,
    Buffer.from(text, 'base64').toString(),
  ]);
  assert.equal(
    new Map(laid as [string, string][]).get('/etc/apt/reveille-build.sources'),
    'Types: deb\nURIs: http://mirror.example.org/debian\nSuites: trixie\nComponents: main\n',
  );
  assert.match(laid.at(-1)?.[1] ?? '', /^Acquire::http::Proxy "http:\/\/10\.0\.0\.1:3128";$/m);
  const [first, second] = [install, "echo it'\\''s"].map((text) => words.findIndex((word) => word.includes(text)));
  assert.ok((first ?? 0) > 0 && (first ?? 0) < (second ?? 0), 'packages come before the run lines');
});

test('an ordinary user leaves out the devices that only root can make', async () => {
  const device = { ...plainDirectory('var/spool/x/dev/random', 0), kind: 'character' as const };
  const request = {
    recipe: recipe({ run: ['true'] }),
    site: '/site',
    settings: [],
    source: '/r.tar',
    index: { entries: new Map([[device.path, device]]), osRelease: '' },
    tar: '/w/root.tar',
    log: '/w/log',
  };
  const excluded = async (mode: 'root' | 'unshare') =>
    (await reworkArguments(request, mode)).some((word) => word.includes("--exclude='./var/spool/x/dev/random'"));
  assert.equal(await excluded('unshare'), true);
  assert.equal(await excluded('root'), false);
});

test('a root without apt takes no packages', async () => {
  await assert.rejects(
    reworkArguments(
      {
        recipe: recipe({ packages: ['curl'] }),
        site: '/site',
        settings: [],
        source: '/r.tar',
        index: { entries: entries('usr/bin/dnf'), osRelease: '' },
        tar: '/w/root.tar',
        log: '/w/log',
      },
      'root',
    ),
    { code: 'RECIPE_INVALID', message: /has no apt-get/ },
  );
});
