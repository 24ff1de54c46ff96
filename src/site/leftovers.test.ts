import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Leftover, leftoverOf } from './leftovers.ts';
import { withSiteFolder } from './testing/folderFixture.ts';
import { watchSite } from './watch.ts';

const LEFT: Readonly<Record<Leftover, readonly string[]>> = {
  "an editor's lock or swap file": [
    '.settings.sh.swp',
    '.settings.sh.swo',
    '.settings.sh.swx',
    '.swp',
    'settings.sh.swp',
    '4913',
    '.#settings.sh',
    '.~lock.rack.csv#',
    '.settings.sh.kate-swp',
    '.goutputstream-AB12CD',
    '.kak.hosts.x1',
  ],
  "an editor's backup copy": [
    'settings.sh~',
    '.bashrc~',
    '#settings.sh#',
    '.settings.sh.un~',
    'settings.sh.~1~',
    '~$rack.csv',
    'hosts___jb_tmp___',
  ],
  'a copy of before a change': ['settings.sh.bak', 'nova.conf.orig', 'nova.conf.rej'],
  'a file of a package manager': ['nova.conf.dpkg-old', 'nova.conf.dpkg-dist', 'a.ucf-dist', 'a.rpmsave'],
  'a file of a version control system': ['.git', '.gitignore', '.gitkeep', '.gitattributes', '.keep', '.svn', 'CVS'],
  "a file of a desktop's file manager": ['.DS_Store', '._settings.sh', 'Thumbs.db', 'desktop.ini', '__MACOSX'],
  'a file that the file system keeps while it is open': [
    '.nfs000000000012ab3400000001',
    '.fuse_hidden0000123400000001',
  ],
};

const KEPT = [
  'settings.sh',
  'settings.sh.j2',
  'foo~.j2',
  '.gitignore.j2',
  '.gitconfig',
  '.git-credentials',
  '.bashrc',
  '.ssh',
  '49130',
  'x4913',
  'bak',
  '.bak',
  'orig',
  'my.origin',
  'a.old',
  'swap.swapfile',
  '#include',
  'keep',
  'git',
  '.nfs',
  'dpkg-old',
  'a.dpkg',
  '10-a.conf',
  '.site.yaml.new',
];

describe('leftovers', () => {
  for (const [what, names] of Object.entries(LEFT)) {
    it(`${what}: ${names.join(' ')}`, () => {
      for (const name of names) assert.equal(leftoverOf(name), what, name);
    });
  }

  it('are not what is only named much like them', () => {
    for (const name of KEPT) assert.equal(leftoverOf(name), undefined, name);
  });

  it('are fewer where they are folders', () => {
    for (const name of ['.git', '.svn', '__MACOSX', 'nova~']) assert.notEqual(leftoverOf(name, 'folder'), undefined);
    for (const name of ['nova.bak', 'r1.orig', '4913', 'a.dpkg-new'])
      assert.equal(leftoverOf(name, 'folder'), undefined);
  });

  it('are passed over by what watches the site, each of them, and nothing else is', () =>
    withSiteFolder({ 'site.yaml': 'a', 'nodes/node01/hosts': 'x' }, async (folder) => {
      let reports = 0;
      const watch = watchSite(folder, () => reports++, { quiet: 10, patience: 100, poll: 20 });
      await watch.follow(new Set());
      try {
        for (const name of Object.values(LEFT).flat()) {
          await mkdir(dirname(join(folder, 'nodes/node01', name)), { recursive: true });
          await writeFile(join(folder, 'nodes/node01', name), 'x');
        }
        await pause(150);
        assert.equal(reports, 0);
        for (const name of KEPT) {
          const before: number = reports;
          await writeFile(join(folder, 'nodes/node01', name), 'x');
          const end = performance.now() + 5000;
          while (reports === before) {
            assert.ok(performance.now() < end, `no report of ${name}`);
            await pause(5);
          }
          await pause(30);
        }
      } finally {
        watch.close();
      }
    }));
});
