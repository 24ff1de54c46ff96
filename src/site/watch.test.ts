import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { withSiteFolder, writeFiles } from './folderFixture.ts';
import { watchSite } from './watch.ts';

const PACE = { quiet: 40, patience: 400, poll: 50 };

/** Watches `folder` while `use` runs; `changes` counts, `told` waits for the next change after those counted so far. */
async function watching(
  folder: string,
  use: (changes: () => number, told: (what: string) => Promise<void>) => Promise<void>,
  watchFolder?: typeof watch,
  leftOut: readonly string[] = [],
): Promise<void> {
  let count = 0;
  let awaited = 0;
  const site = watchSite(folder, () => count++, PACE, watchFolder);
  await site.follow(new Set(leftOut));
  try {
    await use(
      () => count,
      async (what) => {
        const end = performance.now() + 5000;
        while (count <= awaited) {
          assert.ok(performance.now() < end, `no change was told after ${what}`);
          await pause(5);
        }
        await pause(PACE.quiet * 3);
        awaited = count;
      },
    );
  } finally {
    site.close();
  }
}

describe('watching a site folder', () => {
  it('tells of a write, once for a burst', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (changes, told) => {
        for (let i = 0; i < 10; i++) await writeFile(join(folder, 'site.yaml'), `b${i}`);
        await told('ten writes');
        assert.equal(changes(), 1);
      }),
    ));

  it('tells of every file that is written beside and renamed over', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, told) => {
        for (let i = 0; i < 3; i++) {
          await writeFile(join(folder, '.site.yaml.new'), `b${i}`);
          await rename(join(folder, '.site.yaml.new'), join(folder, 'site.yaml'));
          await told(`rename ${i}`);
        }
      }),
    ));

  it('tells of files in folders that were made later, and of their removal', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, told) => {
        await mkdir(join(folder, 'nodes/node01/files/etc'), { recursive: true });
        await told('new folders');
        await writeFile(join(folder, 'nodes/node01/files/etc/motd'), 'hello');
        await told('a file in a new folder');
        await unlink(join(folder, 'nodes/node01/files/etc/motd'));
        await told('its removal');
        await rm(join(folder, 'nodes'), { recursive: true });
        await told('the removal of the folders');
        await writeFiles(folder, { 'nodes/node01/hosts': 'x' });
        await told('folders made anew');
        await writeFile(join(folder, 'nodes/node01/hosts'), 'y');
        await told('a write in a folder made anew');
      }),
    ));

  it('tells of what links of a node`s folder lead to in the site, and passes over what editors leave', () =>
    withSiteFolder({ 'site.yaml': 'a', 'shared/settings.sh': 'a', 'nodes/n/': '' }, (folder) =>
      watching(folder, async (changes, told) => {
        await symlink('../../shared/settings.sh', join(folder, 'nodes/n/settings.sh'));
        await told('a link');
        await writeFile(join(folder, 'shared/settings.sh'), 'b');
        await told('a write to what it leads to');
        const before = changes();
        await writeFile(join(folder, 'shared/settings.sh~'), 'b');
        await pause(PACE.quiet * 3);
        assert.equal(changes(), before);
      }),
    ));

  it('follows a folder that is replaced', () =>
    withSiteFolder({ 'live/site.yaml': 'a', 'next/site.yaml': 'b' }, (parent) =>
      watching(join(parent, 'live'), async (_, told) => {
        await rename(join(parent, 'live'), join(parent, 'old'));
        await rename(join(parent, 'next'), join(parent, 'live'));
        await told('the replacement');
        await writeFile(join(parent, 'live/site.yaml'), 'c');
        await told('a write in the new folder');
      }),
    ));

  it('follows a link that is turned to another folder', () =>
    withSiteFolder({ 'one/site.yaml': 'a', 'two/site.yaml': 'b' }, async (parent) => {
      await symlink('one', join(parent, 'live'));
      await watching(join(parent, 'live'), async (_, told) => {
        await symlink('two', join(parent, 'turned'));
        await rename(join(parent, 'turned'), join(parent, 'live'));
        await told('the turn');
        await writeFile(join(parent, 'two/site.yaml'), 'c');
        await told('a write in the new folder');
      });
    }));

  it('does not tell of what editors and Git leave lying about', () =>
    withSiteFolder({ 'site.yaml': 'a', '.git/index': 'x' }, (folder) =>
      watching(folder, async (changes) => {
        for (const name of ['.site.yaml.swp', 'site.yaml~', '4913', '.git/index'])
          await writeFile(join(folder, name), 'z');
        await pause(PACE.quiet * 4);
        assert.equal(changes(), 0);
      }),
    ));

  it('tells within its patience though writes never stop', () =>
    withSiteFolder({ 'site.yaml': 'a' }, async (folder) => {
      let count = 0;
      const site = watchSite(folder, () => count++, { ...PACE, quiet: 1000, patience: 300 });
      await site.follow(new Set());
      const begin = performance.now();
      while (performance.now() - begin < 900 && count === 0) {
        await writeFile(join(folder, 'site.yaml'), 'b');
        await pause(20);
      }
      site.close();
      assert.equal(count, 1);
    }));

  it('tells of writes in a folder that was made anew in the place of another', () =>
    withSiteFolder({ 'nodes/a/files/x': 'x', 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, told) => {
        for (let round = 0; round < 3; round++) {
          await rm(join(folder, 'nodes/a'), { recursive: true });
          await writeFiles(folder, { 'nodes/a/files/x': 'x' });
          await told('a folder made anew');
          await writeFile(join(folder, 'nodes/a/files/x'), `y${round}`);
          await told('a write in it');
        }
      }),
    ));

  it('does not tell of what is in a folder that is left out, but of the folder; nor of what a file that is left out holds', () =>
    withSiteFolder({ 'site.yaml': 'a', 'tftp/deep/x': 'x', 'roots/base.tar': 'x' }, (folder) =>
      watching(
        folder,
        async (changes, told) => {
          await writeFile(join(folder, 'tftp/deep/x'), 'y');
          await writeFiles(folder, { 'tftp/deep/more/y': 'y', 'tftp/z': 'z' });
          await writeFile(join(folder, 'roots/base.tar'), 'a longer one');
          await pause(PACE.quiet * 4);
          assert.equal(changes(), 0);
          await rename(join(folder, 'tftp'), join(folder, 'elsewhere'));
          await told('the folder that went');
          await mkdir(join(folder, 'tftp'));
          await told('the folder that is there again');
          await unlink(join(folder, 'roots/base.tar'));
          await told('the file that went');
          const before = changes();
          await writeFile(join(folder, 'tftp/x'), 'y');
          await pause(PACE.quiet * 4);
          assert.equal(changes(), before);
        },
        undefined,
        [join(folder, 'tftp'), join(folder, 'roots/base.tar')],
      ),
    ));

  it('looks through those folders for which there was no watch left, and watches the others', () =>
    withSiteFolder({ 'site.yaml': 'a', 'nodes/a/x': 'a', 'nodes/b/x': 'b' }, (folder) => {
      const watched: string[] = [];
      const someLeft = (path: string, ...rest: [{ persistent: boolean }, (event: string) => void]) => {
        if (path.endsWith('/b')) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        watched.push(path);
        return watch(path, ...rest);
      };
      return watching(
        folder,
        async (_, told) => {
          assert.ok(watched.includes(join(folder, 'nodes/a')));
          await pause(PACE.poll * 3);
          await writeFile(join(folder, 'nodes/b/x'), 'longer');
          await told('a write where there is no watch');
          await writeFile(join(folder, 'nodes/a/x'), 'longer');
          await told('a write where there is one');
        },
        someLeft as typeof watch,
      );
    }));

  it('looks through the tree where the system gives no watch', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(
        folder,
        async (_, told) => {
          await pause(PACE.poll * 3);
          await writeFile(join(folder, 'site.yaml'), 'longer');
          await told('a write');
          await writeFiles(folder, { 'nodes/node01/hosts': 'x' });
          await told('new folders');
        },
        () => {
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        },
      ),
    ));

  it('is silent once closed', () =>
    withSiteFolder({ 'site.yaml': 'a' }, async (folder) => {
      let count = 0;
      const site = watchSite(folder, () => count++, PACE);
      await site.follow(new Set());
      await writeFile(join(folder, 'site.yaml'), 'b');
      site.close();
      await pause(PACE.quiet * 4);
      assert.equal(count, 0);
    }));
});
