import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { withSiteFolder, writeFiles } from './testing/folderFixture.ts';
import { watchSite } from './watch.ts';

const PACE = { quiet: 40, patience: 400, poll: 50 };

/** Watches `folder` while `use` runs; `changes` counts, `reported` waits for the next change after those counted so far. */
async function watching(
  folder: string,
  use: (changes: () => number, reported: (what: string) => Promise<void>) => Promise<void>,
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
          assert.ok(performance.now() < end, `no change was reported after ${what}`);
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
  it('reports a write, once for a burst', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (changes, reported) => {
        for (let i = 0; i < 10; i++) await writeFile(join(folder, 'site.yaml'), `b${i}`);
        await reported('ten writes');
        assert.equal(changes(), 1);
      }),
    ));

  it('reports every file that is written beside and renamed over', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, reported) => {
        for (let i = 0; i < 3; i++) {
          await writeFile(join(folder, '.site.yaml.new'), `b${i}`);
          await rename(join(folder, '.site.yaml.new'), join(folder, 'site.yaml'));
          await reported(`rename ${i}`);
        }
      }),
    ));

  it('reports files in folders that were made later, and of their removal', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, reported) => {
        await mkdir(join(folder, 'nodes/node01/files/etc'), { recursive: true });
        await reported('new folders');
        await writeFile(join(folder, 'nodes/node01/files/etc/motd'), 'hello');
        await reported('a file in a new folder');
        await unlink(join(folder, 'nodes/node01/files/etc/motd'));
        await reported('its removal');
        await rm(join(folder, 'nodes'), { recursive: true });
        await reported('the removal of the folders');
        await writeFiles(folder, { 'nodes/node01/hosts': 'x' });
        await reported('folders made anew');
        await writeFile(join(folder, 'nodes/node01/hosts'), 'y');
        await reported('a write in a folder made anew');
      }),
    ));

  it('reports the targets of links in a node`s folder, and ignores leftovers of editors', () =>
    withSiteFolder({ 'site.yaml': 'a', 'shared/settings.sh': 'a', 'nodes/n/': '' }, (folder) =>
      watching(folder, async (changes, reported) => {
        await symlink('../../shared/settings.sh', join(folder, 'nodes/n/settings.sh'));
        await reported('a link');
        await writeFile(join(folder, 'shared/settings.sh'), 'b');
        await reported('a write to what it leads to');
        const before = changes();
        await writeFile(join(folder, 'shared/settings.sh~'), 'b');
        await pause(PACE.quiet * 3);
        assert.equal(changes(), before);
      }),
    ));

  it('follows a folder that is replaced', () =>
    withSiteFolder({ 'live/site.yaml': 'a', 'next/site.yaml': 'b' }, (parent) =>
      watching(join(parent, 'live'), async (_, reported) => {
        await rename(join(parent, 'live'), join(parent, 'old'));
        await rename(join(parent, 'next'), join(parent, 'live'));
        await reported('the replacement');
        await writeFile(join(parent, 'live/site.yaml'), 'c');
        await reported('a write in the new folder');
      }),
    ));

  it('follows a link that is turned to another folder', () =>
    withSiteFolder({ 'one/site.yaml': 'a', 'two/site.yaml': 'b' }, async (parent) => {
      await symlink('one', join(parent, 'live'));
      await watching(join(parent, 'live'), async (_, reported) => {
        await symlink('two', join(parent, 'turned'));
        await rename(join(parent, 'turned'), join(parent, 'live'));
        await reported('the turn');
        await writeFile(join(parent, 'two/site.yaml'), 'c');
        await reported('a write in the new folder');
      });
    }));

  it('does not report leftovers of editors and Git', () =>
    withSiteFolder({ 'site.yaml': 'a', '.git/index': 'x' }, (folder) =>
      watching(folder, async (changes) => {
        for (const name of ['.site.yaml.swp', 'site.yaml~', '4913', '.git/index'])
          await writeFile(join(folder, name), 'z');
        await pause(PACE.quiet * 4);
        assert.equal(changes(), 0);
      }),
    ));

  it('reports within its patience although writes never stop', () =>
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

  it('reports writes in a folder that was made anew in the place of another', () =>
    withSiteFolder({ 'nodes/a/files/x': 'x', 'site.yaml': 'a' }, (folder) =>
      watching(folder, async (_, reported) => {
        for (let round = 0; round < 3; round++) {
          await rm(join(folder, 'nodes/a'), { recursive: true });
          await writeFiles(folder, { 'nodes/a/files/x': 'x' });
          await reported('a folder made anew');
          await writeFile(join(folder, 'nodes/a/files/x'), `y${round}`);
          await reported('a write in it');
        }
      }),
    ));

  it('reports a folder that is left out, not its contents, and not the content of a file that is left out', () =>
    withSiteFolder({ 'site.yaml': 'a', 'tftp/deep/x': 'x', 'roots/base.tar': 'x' }, (folder) =>
      watching(
        folder,
        async (changes, reported) => {
          await writeFile(join(folder, 'tftp/deep/x'), 'y');
          await writeFiles(folder, { 'tftp/deep/more/y': 'y', 'tftp/z': 'z' });
          await writeFile(join(folder, 'roots/base.tar'), 'a longer one');
          await pause(PACE.quiet * 4);
          assert.equal(changes(), 0);
          await rename(join(folder, 'tftp'), join(folder, 'elsewhere'));
          await reported('the folder that went');
          await mkdir(join(folder, 'tftp'));
          await reported('the folder that is there again');
          await unlink(join(folder, 'roots/base.tar'));
          await reported('the file that went');
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
        async (_, reported) => {
          assert.ok(watched.includes(join(folder, 'nodes/a')));
          await pause(PACE.poll * 3);
          await writeFile(join(folder, 'nodes/b/x'), 'longer');
          await reported('a write where there is no watch');
          await writeFile(join(folder, 'nodes/a/x'), 'longer');
          await reported('a write where there is one');
        },
        someLeft as typeof watch,
      );
    }));

  it('looks through the tree where the system gives no watch', () =>
    withSiteFolder({ 'site.yaml': 'a' }, (folder) =>
      watching(
        folder,
        async (_, reported) => {
          await pause(PACE.poll * 3);
          await writeFile(join(folder, 'site.yaml'), 'longer');
          await reported('a write');
          await writeFiles(folder, { 'nodes/node01/hosts': 'x' });
          await reported('new folders');
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
