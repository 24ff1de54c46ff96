import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { takeLock } from '../lock.ts';
import { LIST_FILE } from './fileList.ts';
import { findImage } from './find.ts';
import { imageId, openShelf, type Shelf } from './shelf.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shelf-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'images');
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function build(shelf: Shelf, name: string, initrd: string, root?: string, key?: string, list = '') {
  const folder = await shelf.draft(name);
  writeFileSync(join(folder, 'vmlinuz'), 'kernel');
  writeFileSync(join(folder, 'initrd'), initrd);
  if (list !== '') writeFileSync(join(folder, LIST_FILE), list);
  if (root !== undefined) writeFileSync(join(folder, 'root.squashfs'), root);
  return shelf.put(
    folder,
    {
      name,
      kernel: { size: 6, sha256: sha256('kernel') },
      initrd: { size: initrd.length, sha256: sha256(initrd) },
      ...(root === undefined ? {} : { root: { size: root.length, sha256: sha256(root) } }),
      builtAt: '2026-01-02T03:04:05.000Z',
      kernelVersion: '6.1',
      packages: [{ name: 'bash', version: '5.2' }],
    },
    key,
  );
}

test('an empty shelf has nothing and says so', async (t) => {
  const shelf = openShelf(newFolder(t));
  assert.deepEqual(await shelf.list(), []);
  assert.equal(await shelf.current('x'), undefined);
  assert.equal(await shelf.byHash('0'.repeat(64)), undefined);
});

test('a put image is found by its name and by its contents', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  const image = await build(shelf, 'one', 'first');
  assert.equal(image.sha256, sha256(`vmlinuz ${sha256('kernel')}\ninitrd ${sha256('first')}\n`));
  assert.equal(image.initrd.path, join(folder, 'by-hash', image.sha256, 'initrd'));
  assert.equal(readFileSync(image.initrd.path, 'utf8'), 'first');
  assert.deepEqual(await shelf.current('one'), image);
  assert.deepEqual(await shelf.byHash(image.sha256), image);
  assert.deepEqual(await openShelf(folder).list(), [image]);
});

test('the sources of an image are known as long as its name stands for it and its files are whole', async (t) => {
  const shelf = openShelf(newFolder(t));
  const image = await build(shelf, 'one', 'first', 'squashed', 'recipe');
  assert.deepEqual(await shelf.made('one', 'recipe'), image);
  assert.equal(await shelf.made('one', 'other'), undefined);
  assert.equal(await shelf.made('two', 'recipe'), undefined);
  await build(shelf, 'one', 'second', undefined, 'changed');
  assert.equal(await shelf.made('one', 'recipe'), undefined);
  await shelf.prune({ keep: 0, spared: new Set(), dryRun: false });
  const second = await shelf.made('one', 'changed');
  assert.equal(second?.initrd.size, 'second'.length, 'what is pruned is what came before');

  writeFileSync(second?.initrd.path ?? '', 'cut');
  assert.equal(await shelf.made('one', 'changed'), undefined);
  rmSync(second?.initrd.path ?? '');
  assert.equal(await shelf.made('one', 'changed'), undefined);
  await build(shelf, 'one', 'third');
  assert.equal(await shelf.made('one', 'changed'), undefined, 'an image without a key was made from nothing known');
});

test('a squashfs root is part of the identity and is found beside the initrd', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  const image = await build(shelf, 'one', 'small', 'squashed');
  const files = { kernel: image.kernel, initrd: image.initrd, root: image.root ?? assert.fail('it has no root') };
  assert.equal(image.sha256, imageId(files));
  assert.notEqual(image.sha256, imageId({ kernel: image.kernel, initrd: image.initrd }));
  assert.equal(image.root?.path, join(folder, 'by-hash', image.sha256, 'root.squashfs'));
  assert.deepEqual(await shelf.current('one'), image);
});

test('the image before stays for nodes on their way, older ones go', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  const built = [];
  for (const initrd of ['a', 'b', 'c', 'd']) {
    const image = await build(shelf, 'one', initrd);
    built.push(image.sha256);
  }
  assert.equal((await shelf.current('one'))?.sha256, built[3]);
  assert.ok(existsSync(join(folder, 'by-hash', built[2] ?? '')));
  // Unnamed images of the last minute may be another build's; these are past that.
  assert.equal(readdirSync(join(folder, 'by-hash')).length, 4);
  const later = openShelf(folder, () => Date.now() + 120_000);
  const two = await build(later, 'two', 'e');
  assert.deepEqual(readdirSync(join(folder, 'by-hash')).sort(), [built[2] ?? '', built[3] ?? '', two.sha256].sort());
});

test('the same bytes under two names are one image', async (t) => {
  const shelf = openShelf(newFolder(t));
  const one = await build(shelf, 'one', 'same');
  const two = await build(shelf, 'two', 'same');
  assert.equal(one.sha256, two.sha256);
  assert.deepEqual(
    (await shelf.list()).map((image) => image.name),
    ['one', 'two'],
  );
});

test('the same bytes built again bring their list of files along', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  const { sha256 } = await build(shelf, 'one', 'same');
  await build(shelf, 'one', 'same', undefined, undefined, 'newer');
  assert.equal(readFileSync(join(folder, 'by-hash', sha256, LIST_FILE), 'utf8'), 'newer');
});

test('a crashed build leaves nothing that a reader sees, and the next build clears it', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  const image = await build(shelf, 'one', 'good');
  const draft = await shelf.draft('one');
  writeFileSync(join(draft, 'initrd'), 'half');
  assert.deepEqual(await openShelf(folder).current('one'), image);
  assert.deepEqual(readdirSync(await shelf.draft('one')), []);
});

test('readers beside a writer see the old image or the new one, never a half', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  await build(shelf, 'one', 'round 0');
  let done = false;
  const seen = new Set<string>();
  const reader = (async () => {
    while (!done) {
      const image = await shelf.current('one');
      assert.ok(image);
      const text = readFileSync(image.initrd.path, 'utf8');
      assert.equal(sha256(text), image.initrd.sha256);
      seen.add(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 1; round <= 30; round++) await build(shelf, 'one', `round ${round}`);
  done = true;
  await reader;
  assert.ok(seen.size > 1);
});

test('a damaged file is named, a name that leads elsewhere refused', async (t) => {
  const folder = newFolder(t);
  const shelf = openShelf(folder);
  await build(shelf, 'one', 'x');
  writeFileSync(join(folder, 'one.json'), '{');
  await assert.rejects(shelf.current('one'), { code: 'STATE_UNAVAILABLE', message: /one\.json is damaged/ });
  await assert.rejects(shelf.current('../one'), { code: 'REQUEST_INVALID' });
  await assert.rejects(shelf.draft('.'), { code: 'REQUEST_INVALID' });
  assert.equal(await shelf.byHash('../../etc'), undefined);
});

test('a second build of a name waits for the first', async (t) => {
  const path = await openShelf(newFolder(t)).lockPath('one');
  const first = await takeLock(path, () => assert.fail('the lock is free'));
  let waited = false;
  const second = takeLock(path, () => {
    waited = true;
    setTimeout(() => first.release(), 50);
  });
  (await second).release();
  assert.ok(waited);
});

test('a build pushes out no image that is still needed', async (t) => {
  const folder = newFolder(t);
  const needed = new Set<string>();
  const shelf = openShelf(
    folder,
    () => Date.now() + 3_600_000,
    async () => needed,
  );
  const first = await build(shelf, 'one', 'a');
  needed.add(first.sha256);
  for (const initrd of ['b', 'c', 'd']) await build(shelf, 'one', initrd);
  assert.ok(await shelf.byHash(first.sha256));
  needed.clear();
  await build(shelf, 'one', 'e');
  assert.equal(await shelf.byHash(first.sha256), undefined);
});

test('pruning keeps what names stand for, what is spared, and what is too young to have a name', async (t) => {
  const folder = newFolder(t);
  const now = Date.now();
  const shelf = openShelf(folder, () => now);
  const [first, second] = [await build(shelf, 'one', '1'), await build(shelf, 'one', '2')];
  assert.deepEqual(await shelf.builds('one'), [second.sha256, first.sha256]);
  const lost = await build(shelf, 'other', '3');
  rmSync(join(folder, 'other.json'));
  const none = new Set<string>();
  const names = (pruned: readonly { sha256: string }[]) => pruned.map((one) => one.sha256);
  assert.deepEqual(await shelf.prune({ keep: 1, spared: none, dryRun: false }), [], 'too young');

  const later = openShelf(folder, () => now + 3_600_000);
  assert.deepEqual(names(await later.prune({ keep: 1, spared: new Set([lost.sha256]), dryRun: true })), []);
  const dry = await later.prune({ keep: 0, spared: none, dryRun: true });
  assert.deepEqual(names(dry).sort(), [first.sha256, lost.sha256].sort());
  assert.deepEqual(await later.builds('one'), [second.sha256, first.sha256], 'a dry run changes nothing');
  assert.equal(dry.find((one) => one.sha256 === lost.sha256)?.bytes, 7);
  assert.equal(dry.find((one) => one.sha256 === lost.sha256)?.name, 'other');

  await later.prune({ keep: 0, spared: none, dryRun: false });
  assert.deepEqual(await later.builds('one'), [second.sha256]);
  assert.deepEqual(await later.hashes(), [second.sha256]);
});

test('an image is found by name, by how many builds ago, and by the beginning of its id', async (t) => {
  const shelf = openShelf(newFolder(t));
  await assert.rejects(findImage(shelf, 'one'), { code: 'IMAGE_MISSING', hint: /image build NAME/ });
  const [first, second] = [await build(shelf, 'one', '1'), await build(shelf, 'one', '2')];
  assert.equal((await findImage(shelf, 'one')).sha256, second.sha256);
  assert.equal((await findImage(shelf, 'one@1')).sha256, first.sha256);
  assert.equal((await findImage(shelf, first.sha256.slice(0, 12))).sha256, first.sha256);
  await assert.rejects(findImage(shelf, 'one@2'), { code: 'IMAGE_MISSING', hint: 'there are one to one@1' });
  await assert.rejects(findImage(shelf, '../../etc'), { code: 'IMAGE_MISSING', hint: 'built images: one' });
});
