import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { ReveilleError } from '../../src/errors.ts';
import { buildImage } from '../../src/image/build.ts';
import { AGENT_PROGRAMS } from '../../src/image/check/agentNeeds.ts';
import { runChecks } from '../../src/image/check/lines.ts';
import type { Member } from '../../src/image/cpio.ts';
import { plainDirectory } from '../../src/image/entry.ts';
import { writeInitrd } from '../../src/image/pack.ts';
import { openShelf } from '../../src/image/shelf.ts';
import { tar } from '../../src/image/tarWriter.ts';
import type { Recipe } from '../../src/model/recipe.ts';
import { recipeFixture } from '../../src/site/testing/fixture.ts';

if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this with test/isolated');

/** A root of busybox and the libraries that it wants; of kernel and init the names alone. */
function* busyboxRoot(): Generator<Member> {
  let inode = 0;
  const folder = (path: string): Member => ({ entry: plainDirectory(path, 0), inode: ++inode, links: 1 });
  const file = (path: string, content: Buffer): Member => {
    const entry = { path, kind: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0, size: content.length } as const;
    return { entry, inode: ++inode, links: 1, content: [content] };
  };
  for (const path of ['bin', 'boot', 'etc', 'lib', 'lib/systemd', 'lib/x86_64-linux-gnu', 'lib64', 'sbin'])
    yield folder(path);
  for (const path of ['boot/vmlinuz-6.1.0', 'lib/systemd/systemd']) yield file(path, Buffer.from('x'));
  yield file('bin/busybox', readFileSync('/bin/busybox'));
  for (const name of ['id', ...AGENT_PROGRAMS]) {
    const entry = {
      path: `bin/${name}`,
      kind: 'symlink',
      mode: 0o777,
      uid: 0,
      gid: 0,
      mtime: 0,
      size: 0,
      target: 'busybox',
    } as const;
    yield { entry, inode: ++inode, links: 1 };
  }
  for (const [, path = ''] of execFileSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).matchAll(/\/(lib\S+)/g))
    yield file(path, readFileSync(`/${path}`));
}

test('lines of check run in the finished root; the first that fails is reported with its output and its place', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-check-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const initrd = { path: join(folder, 'initrd') };
  await writeInitrd(initrd.path, busyboxRoot(), 'gzip');
  const before = readFileSync(initrd.path);
  mkdirSync(join(folder, 'site/images'), { recursive: true });
  const file = 'images/x.yaml';
  const { TMPDIR = tmpdir() } = process.env;
  process.env.TMPDIR = folder;
  t.after(() => {
    process.env.TMPDIR = TMPDIR;
  });

  const run = async (check: readonly string[], patienceMs = 60_000) => {
    writeFileSync(
      join(folder, 'site', file),
      `from: { debian: bookworm }\ncheck:\n${check.map((one) => `  - ${one}\n`).join('')}`,
    );
    const recipe = recipeFixture({ check, place: { file, line: 1, col: 1 } });
    const begun: number[] = [];
    const error = await runChecks(
      recipe,
      join(folder, 'site'),
      { initrd },
      (line) => begun.push(line),
      patienceMs,
    ).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined && !(error instanceof ReveilleError)) throw error;
    return { begun, error };
  };

  assert.deepEqual(await run(['id -u', 'touch /etc/x || echo y >/etc/x', 'cat', 'ls /etc/x']), {
    begun: [0, 1, 2, 3],
    error: undefined,
  });

  const { begun, error } = await run(['id', 'echo first; echo second >&2; ls /nowhere', 'id']);
  assert.deepEqual(begun, [0, 1]);
  assert.deepEqual(error?.place, { file, line: 4, col: 5 });
  assert.equal(error?.code, 'IMAGE_BUILD_FAILED');
  assert.match(
    error?.message ?? '',
    /^check line 2 of image x fails with exit code 1: echo first.*\nfirst\nsecond\nls: \/nowhere/,
  );

  const endless = await run(['sleep 100'], 1500);
  assert.match(endless.error?.message ?? '', /takes longer than 1\.5 s: sleep 100/);
  assert.deepEqual(readFileSync(initrd.path), before);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('reveille-shell-')),
    [],
  );
});

test('a root that was slimmed too far is reported or refused, and the image before stays', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-slimmed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, 'root.tar');
  await pipeline(Readable.from(tar(busyboxRoot())), createWriteStream(root));
  const shelf = openShelf(join(folder, 'images'));
  const build = async (changes: Partial<Recipe>) => {
    const report = await buildImage(recipeFixture({ from: { kind: 'tar', path: root }, ...changes }), {
      shelf,
      cache: join(folder, 'cache'),
      site: folder,
      agent: [],
      fresh: false,
      check: true,
      now: Date.now,
      onProgress: () => {},
    });
    assert.ok(!report.unchanged);
    return report;
  };

  const whole = await build({ check: ['id -u'] });
  assert.deepEqual(whole.missingLibraries, []);
  const removePaths = ['/lib/x86_64-linux-gnu/libresolv.so.2'];
  await assert.rejects(build({ check: ['id -u'], removePaths }), {
    code: 'IMAGE_BUILD_FAILED',
    message: /^the checks of image x cannot be run: its root has no \/bin\/sh that works/,
  });
  assert.deepEqual(
    (await shelf.list()).map(({ sha256 }) => sha256),
    [whole.image.sha256],
  );
  const told = await build({ removePaths });
  assert.deepEqual(told.missingLibraries, [{ path: '/bin/busybox', libraries: ['libresolv.so.2'] }]);
});
