import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileInside } from './confine.ts';

describe('a file below a root', () => {
  let folder = '';
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'reveille-confine-')));
    await mkdir(join(folder, 'root/sub'), { recursive: true });
    await mkdir(join(folder, 'root2'));
    for (const name of ['outside', 'root/plain', 'root/sub/deep', 'root2/other'])
      await writeFile(join(folder, name), name);
    const links = { 'root/inward': 'sub', 'root/outward': '..', 'root/sideways': '../root2/other', link: 'root' };
    for (const [name, target] of Object.entries(links)) await symlink(target, join(folder, name));
  });
  after(() => rm(folder, { recursive: true }));

  const roots = ['root', 'root/', 'root/../root', 'link', 'link/', 'link/../root'];
  const inside: [string, string][] = [
    ['plain', 'root/plain'],
    ['sub/deep', 'root/sub/deep'],
    ['inward/deep', 'root/sub/deep'],
    ['outward/root/plain', 'root/plain'],
  ];
  const outside = [
    'outward/outside',
    'sideways',
    'outward/root2/other',
    '../outside',
    '../root2/other',
    'sub',
    '.',
    'no',
  ];
  for (const root of roots) {
    it(`is found by its real path, and nothing else is, with the root ${root}`, async () => {
      for (const [name, real] of inside)
        assert.equal(await fileInside(`${folder}/${root}`, name), join(folder, real), name);
      for (const name of outside) assert.equal(await fileInside(`${folder}/${root}`, name), undefined, name);
    });
  }
});
