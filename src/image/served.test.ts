import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Happening } from '../model/event.ts';
import { serverTroubleText } from '../words/trouble.ts';
import { ServedImages } from './served.ts';
import { openShelf, type ShelvedImage } from './shelf.ts';

const FILES = { vmlinuz: 'kernel', initrd: 'an initrd', 'root.squashfs': 'a root' };

/** Two images on a shelf, and the servers' view of it. */
async function served(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'served-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const shelf = openShelf(folder);
  const put = async (name: string, letter: string): Promise<ShelvedImage> => {
    const draft = await shelf.draft(name);
    for (const [file, text] of Object.entries(FILES)) writeFileSync(join(draft, file), text);
    const of = (file: keyof typeof FILES) => ({ size: FILES[file].length, sha256: letter.repeat(64) });
    const parts = { kernel: of('vmlinuz'), initrd: of('initrd'), root: of('root.squashfs') };
    return shelf.put(draft, { name, ...parts, builtAt: '', kernelVersion: '6', packages: [] });
  };
  const [image, other] = [await put('one', 'a'), await put('two', 'b')];
  const events: Happening[] = [];
  const clock = { now: 0 };
  const images = new ServedImages(
    shelf,
    (event) => events.push(event),
    () => clock.now,
  );
  const messages = () =>
    events.map((event) => (event.kind === 'server.trouble' ? serverTroubleText(event) : event.kind));
  return { folder, image, other, images, messages, clock };
}

const UNAVAILABLE = { code: 'STATE_UNAVAILABLE' };

describe('an image on the shelf', () => {
  it('is served as its manifest says, each file of it', async (t) => {
    const { image, images, messages } = await served(t);
    assert.deepEqual(await images.file(image.sha256, 'vmlinuz'), image.kernel);
    assert.deepEqual(await images.file(image.sha256, 'initrd'), image.initrd);
    assert.deepEqual(await images.file(image.sha256, 'root.squashfs'), image.root);
    assert.equal(await images.file('0'.repeat(64), 'initrd'), undefined);
    assert.deepEqual(messages(), []);
  });

  const damages: readonly (readonly [string, RegExp, (path: string) => void])[] = [
    [
      'was cut',
      /initrd of image one \(\/.*\/initrd\) has 3 bytes, its manifest says 9: build it again/,
      (path) => truncateSync(path, 3),
    ],
    ['grew', /has 10 bytes/, (path) => truncateSync(path, 10)],
    ['is gone', /cannot be read: ENOENT/, (path) => rmSync(path)],
    [
      'is a link',
      /is not a regular file/,
      (path) => {
        renameSync(path, `${path}.away`);
        symlinkSync(`${path}.away`, path);
      },
    ],
    [
      'is a folder',
      /is not a regular file/,
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ];
  for (const [what, words, damage] of damages) {
    it(`is refused where a file ${what}, with one event a minute; other files and images are served`, async (t) => {
      const { image, other, images, messages, clock } = await served(t);
      damage(image.initrd.path);
      for (let i = 0; i < 3; i++) await assert.rejects(images.file(image.sha256, 'initrd'), UNAVAILABLE);
      assert.equal(messages().length, 1);
      assert.match(messages()[0] ?? '', words);
      assert.ok(await images.file(image.sha256, 'vmlinuz'));
      assert.ok(await images.file(other.sha256, 'initrd'));
      clock.now += 60_000;
      await assert.rejects(images.file(image.sha256, 'initrd'), UNAVAILABLE);
      assert.equal(messages().length, 2);
    });
  }

  it('is refused where its manifest is damaged, with an event that says which and what to do', async (t) => {
    const { folder, image, other, images, messages } = await served(t);
    const manifest = join(folder, 'by-hash', image.sha256, 'manifest.json');
    writeFileSync(manifest, '{');
    await assert.rejects(images.file(image.sha256, 'initrd'), UNAVAILABLE);
    await assert.rejects(images.current('one'), UNAVAILABLE);
    assert.deepEqual(messages(), [`${manifest} is damaged: remove it and build the image again`]);
    assert.ok(await images.file(other.sha256, 'initrd'));
    assert.ok(await images.current('two'));
  });

  it('is not found by a name whose file is damaged, with an event', async (t) => {
    const { folder, images, messages } = await served(t);
    writeFileSync(join(folder, 'one.json'), 'x');
    await assert.rejects(images.current('one'), UNAVAILABLE);
    assert.match(messages()[0] ?? '', /one\.json is damaged: remove it/);
    assert.ok(await images.current('two'));
  });
});
