import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Recipe } from '../model/recipe.ts';
import { recipeFixture } from '../site/testing/fixture.ts';
import { type BuildOptions, buildImage } from './build.ts';
import { AGENT_PROGRAMS } from './check/agentNeeds.ts';
import { openShelf } from './shelf.ts';

const FILES = {
  ...Object.fromEntries(AGENT_PROGRAMS.map((name) => [`usr/bin/${name}`, name])),
  'boot/vmlinuz-6.1': 'the kernel',
  'boot/config-6.1': 'CONFIG_RD_GZIP=y\n',
  'usr/lib/systemd/systemd': 'systemd',
  'usr/bin/udevadm': 'udev',
  'opt/one': 'one',
  'opt/two': 'two',
};

/** A root that is there already as a tar: neither packages nor programs are run to make an image of it. */
function packRoot(folder: string, files: { readonly [path: string]: string }): string {
  const root = join(folder, 'root');
  rmSync(root, { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), 0o755);
  }
  execFileSync('tar', ['--create', '--file', join(folder, 'root.tar'), '--directory', root, '.']);
  return join(folder, 'root.tar');
}

test('an image is built again when something that it is made of changed, and else only when asked to', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = packRoot(folder, FILES);
  const shelf = openShelf(join(folder, 'images'));
  const build = (change: Partial<Recipe> = {}, more: Partial<BuildOptions> = {}) =>
    buildImage(recipeFixture({ from: { kind: 'tar', path }, ...change }), {
      shelf,
      cache: join(folder, 'cache'),
      site: folder,
      agent: [],
      fresh: false,
      check: true,
      now: Date.now,
      onProgress: () => {},
      ...more,
    });

  const first = await build();
  assert.equal(first.unchanged, false);
  const written = () => statSync(first.image.initrd.path).mtimeMs;
  const at = written();
  assert.deepEqual(await build(), { unchanged: true, image: first.image });
  assert.equal(written(), at);
  const folderAt = statSync(dirname(first.image.initrd.path)).ino;
  assert.equal((await build({}, { fresh: true })).unchanged, false);
  assert.equal(
    statSync(dirname(first.image.initrd.path)).ino,
    folderAt,
    'the same bytes stay where nodes may read them',
  );

  const slimmer = await build({ removePaths: ['/opt/two'] });
  assert.equal(slimmer.unchanged, false);
  assert.notEqual(slimmer.image.sha256, first.image.sha256);
  assert.equal((await build({ removePaths: ['/opt/two'] })).unchanged, true);
  assert.equal((await build()).image.sha256, first.image.sha256, 'the recipe of before makes the image of before');

  packRoot(folder, { ...FILES, 'opt/one': 'another' });
  const changed = await build();
  assert.equal(changed.unchanged, false);
  assert.notEqual(changed.image.sha256, first.image.sha256);

  rmSync(changed.image.initrd.path);
  const lost = await build();
  assert.equal(lost.unchanged, false, 'an image whose files are gone is built again');
  assert.equal(statSync(lost.image.initrd.path).size, lost.image.initrd.size);

  writeFileSync(lost.image.kernel.path, 'THE KERNEL');
  await build({}, { fresh: true });
  assert.equal(readFileSync(lost.image.kernel.path, 'utf8'), 'the kernel', 'what was damaged is mended');
});

test('an image in which the agent cannot work is not built, whatever it is made of, and leaves the shelf as it was', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'build-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = Object.fromEntries(Object.entries(FILES).filter(([at]) => !/bin\/(curl|ip)$/.test(at)));
  const path = packRoot(folder, { ...files, 'usr/lib/os-release': 'ID=rocky\nID_LIKE="rhel centos fedora"\n' });
  const shelf = openShelf(join(folder, 'images'));
  const build = (check: boolean, change: Partial<Recipe> = {}) =>
    buildImage(recipeFixture({ from: { kind: 'tar', path }, ...change }), {
      shelf,
      cache: join(folder, 'cache'),
      site: folder,
      agent: [],
      fresh: false,
      check,
      now: Date.now,
      onProgress: () => {},
    });
  await assert.rejects(build(true), {
    code: 'IMAGE_BUILD_FAILED',
    message:
      /^the agent does not work in image \S+, which lacks:\n {2}a program .*: package curl\n {2}ip: package iproute$/,
    hint: /packages: \[curl, iproute\].*--no-check/,
  });
  assert.deepEqual(await shelf.list(), []);
  const unchecked = await build(false);
  assert.ok(!unchecked.unchanged);
  assert.deepEqual(
    unchecked.agentLacks.map(({ package: name }) => name),
    ['curl', 'iproute'],
  );

  packRoot(folder, FILES);
  await assert.rejects(build(true, { removePaths: ['/usr/bin/awk'] }), {
    message: /lacks:\n {2}awk, which the recipe leaves out \(`remove`\)$/,
  });
});
