import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { SiteDraft } from './draft.ts';
import { writeSite } from './write.ts';
import { siteYaml } from './yamlText.ts';

function draft(): SiteDraft {
  const made = new SiteDraft();
  made.site.nodes = { node01: { mac: '52:54:00:00:00:51', vars: { rack: 'g6' } } };
  made.site.networks = {
    rack: { pools: [{ allow: 'any', range: '10.0.0.9' }], subnet: '10.0.0.0/24', interface: 'br0' },
  };
  made.comment(['nodes', 'node01'], 'dhcpd.conf:12 host node01');
  return made;
}

describe('a draft', () => {
  it('is written as a folder, in the order of reading', async () => {
    await withSiteFolder({}, async (folder) => {
      await writeSite(draft(), join(folder, 'a/site'), ['/etc/dhcp/dhcpd.conf']);
      assert.deepEqual((await readdir(join(folder, 'a/site'))).sort(), ['import-report.md', 'site.yaml']);
      assert.deepEqual(await readdir(join(folder, 'a')), ['site']);
      assert.equal(
        await readFile(join(folder, 'a/site/site.yaml'), 'utf8'),
        `# Imported from dhcpd.conf.
# import-report.md tells what was left out or has another meaning.

networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/24
    pools:
      - range: 10.0.0.9
        allow: any

nodes:
  node01:                       # dhcpd.conf:12 host node01
    mac: 52:54:00:00:00:51
    vars:
      rack: g6
`,
      );
    });
  });

  it('takes an empty folder, and no other', async () => {
    await withSiteFolder({ 'empty/': '', 'taken/file': 'x', plain: 'x' }, async (folder) => {
      await writeSite(draft(), join(folder, 'empty'), ['a']);
      assert.ok((await stat(join(folder, 'empty/site.yaml'))).isFile());
      for (const name of ['taken', 'plain']) {
        await assert.rejects(writeSite(draft(), join(folder, name), ['a']), { code: 'FOLDER_TAKEN' });
      }
      assert.deepEqual((await readdir(folder)).sort(), ['empty', 'plain', 'taken']);
    });
  });

  it('brings folders along, links that lead elsewhere apart', async () => {
    await withSiteFolder(
      { 'tree/10-0-0-51/hosts': 'h', 'tree/shared': 's', 'tree/other/o': 'o', secret: 'x' },
      async (folder) => {
        const from = join(folder, 'tree/10-0-0-51');
        await writeFile(join(from, 'settings.sh'), '#!/bin/sh\n');
        await chmod(join(from, 'settings.sh'), 0o755);
        await symlink('../shared', join(from, 'near'));
        await symlink('../../secret', join(from, 'far'));
        await mkdir(join(from, 'files'));
        await symlink('..', join(from, 'files/round'));
        await symlink('../other', join(from, 'folder'));
        const made = draft();
        made.folders.set('nodes/10-0-0-51', from);
        await writeSite(made, join(folder, 'site'), ['tree']);
        const copy = join(folder, 'site/nodes/10-0-0-51');
        assert.deepEqual((await readdir(copy)).sort(), ['files', 'folder', 'hosts', 'near', 'settings.sh']);
        assert.equal((await stat(join(copy, 'settings.sh'))).mode & 0o777, 0o755);
        assert.equal(await readFile(join(copy, 'near'), 'utf8'), 's');
        assert.deepEqual(
          made.remarks.map(({ kind, what }) => `${kind} ${what}`),
          ['left far', 'left files/round'],
        );
      },
    );
  });

  it('has modes by the umask, and the mode of an empty folder that was there', async () => {
    await withSiteFolder({ 'tree/10-0-0-51/files/a': '', 'empty/': '' }, async (folder) => {
      await chmod(join(folder, 'empty'), 0o2750);
      const before = process.umask(0o022);
      try {
        for (const [mask, name, mode] of [
          [0o022, 'a/site', 0o755],
          [0o002, 'b/site', 0o775],
          [0o077, 'c/site', 0o700],
          [0o022, 'empty', 0o2750],
        ] as const) {
          process.umask(mask);
          const made = draft();
          made.folders.set('nodes/10-0-0-51', join(folder, 'tree/10-0-0-51'));
          await writeSite(made, join(folder, name), ['a']);
          const modeOf = async (path: string) => (await stat(join(folder, name, path))).mode & 0o7777;
          assert.equal(await modeOf(''), mode, name);
          assert.equal((await modeOf('nodes/10-0-0-51/files')) & 0o777, 0o777 & ~mask, name);
          assert.equal(await modeOf('site.yaml'), 0o666 & ~mask, name);
        }
      } finally {
        process.umask(before);
      }
    });
  });

  it('cannot reach out of its folder', async () => {
    await withSiteFolder({ 'tree/a': '' }, async (folder) => {
      const made = draft();
      made.folders.set('../out', join(folder, 'tree'));
      await assert.rejects(writeSite(made, join(folder, 'site'), ['tree']), { code: 'FILE_OUTSIDE_ROOT' });
      assert.deepEqual(await readdir(folder), ['tree']);
    });
  });
});

describe('site.yaml', () => {
  it('keeps every value, however odd, and puts long comments above their key', () => {
    const made = new SiteDraft();
    const odd = ['a: b', '# x', '[ y ]', '', ' ', 'yes', '1', 'multi\nline', '"q"', '- z', '\u{e000}'];
    made.site.vars = { odd, map: { '[': odd.join('\n') } };
    made.comment(['vars'], 'x'.repeat(200));
    const text = siteYaml({ site: made.site, commentsAt: (path) => made.commentsAt(path) }, ['a']);
    assert.match(text, /\n# x{200}\nvars:\n/);
    return import('yaml').then(({ parse }) => assert.deepEqual(parse(text), made.site));
  });
});
