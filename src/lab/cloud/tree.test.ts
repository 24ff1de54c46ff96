import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { lowersIn, openTree } from './tree.ts';

test('a root is unpacked once, whole, and replaces those without an overlay on them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tree-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const trees = join(folder, 'trees');
  const tar = join(folder, 'root.tar');
  const pack = (text: string) => {
    mkdirSync(join(folder, 'root/etc'), { recursive: true });
    writeFileSync(join(folder, 'root/etc/text'), text);
    execFileSync('tar', ['--create', '--file', tar, '--directory', join(folder, 'root'), '.']);
  };
  let unpacked = 0;
  const open = (identity: string, used: readonly string[] = []) =>
    openTree(
      { tar, identity },
      trees,
      () => unpacked++,
      async () => new Set(used),
    );
  const textIn = (tree: string) => readFileSync(join(tree, 'etc/text'), 'utf8');

  pack('one');
  const one = await open('one');
  assert.equal(textIn(one), 'one');
  assert.equal(await open('one'), one);
  assert.equal(unpacked, 1);

  pack('two');
  const two = await open('two', [one]);
  assert.deepEqual([textIn(one), textIn(two)], ['one', 'two'], 'what is in use stays');

  // Left behind by a run that was killed while it unpacked.
  rmSync(two, { recursive: true });
  mkdirSync(join(`${two}.new`, 'etc/text'), { recursive: true });
  assert.equal(textIn(await open('two')), 'two');
  assert.deepEqual(readdirSync(trees), [basename(two)]);

  writeFileSync(tar, 'no tar');
  await assert.rejects(open('three'));
  pack('three');
  assert.equal(textIn(await open('three')), 'three', 'a partly unpacked root does not count as whole');
});

test('overlays are found in a mountinfo', () => {
  const lines = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '61 22 0:45 / /lab/merged rw - overlay overlay rw,lowerdir=/var/cache/a,upperdir=/lab/upper,workdir=/lab/work',
    '62 22 0:46 / /x rw - overlay overlay rw,upperdir=/u,lowerdir=/with\\040space',
  ];
  assert.deepEqual(lowersIn(lines.join('\n')), ['/var/cache/a', '/with space']);
});
