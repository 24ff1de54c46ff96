import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Recipe } from '../model/recipe.ts';
import { recipeFixture } from '../site/testing/fixture.ts';
import { quote, recipeHooks } from './hooks.ts';

const recipe = recipeFixture();

test('a word is quoted as the shell reads it', () => {
  for (const word of ['', "it's", '$HOME `x` "y"', 'a\nb', "'"]) {
    assert.equal(execFileSync('sh', ['-c', `printf %s ${quote(word)}`], { encoding: 'utf8' }), word);
  }
});

test('run lines come in their order, then the removal of packages', () => {
  const { customize } = recipeHooks({ ...recipe, run: ['echo one', "echo 'two'"], removePackages: ['apt', 'perl'] });
  const at = (part: string) => customize.findIndex((hook) => hook.includes(part));
  assert.ok(at('run 0') < at('run 1') && at('run 1') < at('dpkg --purge') && at('dpkg --purge') < at('depmod'));
  assert.equal(
    recipeHooks({ ...recipe, slim: false }).customize.some((hook) => hook.includes('depmod')),
    false,
  );
});

/** Runs the hook that leaves out modules in a root of this many modules, and returns those that are left. */
function leftModules(modules: Readonly<Record<string, readonly string[]>>, change: Partial<Recipe>): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'root-'));
  try {
    const folder = join(root, 'usr/lib/modules/6.1.0-9-amd64');
    for (const module of Object.keys(modules)) {
      mkdirSync(dirname(join(folder, module)), { recursive: true });
      writeFileSync(join(folder, module), 'x');
    }
    writeFileSync(
      join(folder, 'modules.dep'),
      Object.entries(modules)
        .map(([name, needs]) => `${[`${name}:`, ...needs].join(' ')}\n`)
        .join(''),
    );
    mkdirSync(join(root, 'tools'));
    writeFileSync(join(root, 'tools/chroot'), `#!/bin/sh\necho "$@" >${root}/depmod-called\n`);
    chmodSync(join(root, 'tools/chroot'), 0o755);
    const hook = recipeHooks({ ...recipe, ...change }).customize.find((one) => one.includes('depmod')) ?? '';
    const ran = spawnSync('sh', ['-c', hook, 'exec', root], {
      env: { ...process.env, PATH: `${join(root, 'tools')}:${process.env.PATH}` },
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stderr, /^reveille: modules$/m);
    assert.match(ran.stderr, /^reveille: modules-freed \d+$/m);
    assert.ok(existsSync(join(root, 'depmod-called')), 'the module index is made anew');
    return Object.keys(modules).filter((module) => existsSync(join(folder, module)));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const MODULES = {
  'kernel/drivers/net/ethernet/intel/e1000/e1000.ko': [],
  'kernel/drivers/gpu/drm/drm.ko': [],
  'kernel/drivers/media/v4l.ko': ['kernel/drivers/gpu/drm/drm.ko'],
  'kernel/drivers/video/needed.ko': [],
  'kernel/drivers/scsi/raid.ko': ['kernel/drivers/video/needed.ko'],
  'kernel/sound/soundcore.ko': [],
  'kernel/drivers/gpu/nvidia.ko': ['kernel/sound/soundcore.ko'],
  'updates/dkms/own.ko': [],
};

test('unneeded modules go, and what a remaining module needs stays', () => {
  assert.deepEqual(leftModules(MODULES, {}), [
    'kernel/drivers/net/ethernet/intel/e1000/e1000.ko',
    'kernel/drivers/video/needed.ko',
    'kernel/drivers/scsi/raid.ko',
    'updates/dkms/own.ko',
  ]);
});

test('a recipe removes all modules but some, with what those need', () => {
  const change = {
    slim: false,
    removePaths: ['/lib/modules/*/kernel'],
    keepPaths: ['/lib/modules/*/kernel/drivers/gpu/nvidia.*'],
  };
  assert.deepEqual(leftModules(MODULES, change), [
    'kernel/sound/soundcore.ko',
    'kernel/drivers/gpu/nvidia.ko',
    'updates/dkms/own.ko',
  ]);
});
