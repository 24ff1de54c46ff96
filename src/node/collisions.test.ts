import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSite } from '../site/load.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { checkFolders } from './check.ts';
import { readSources } from './sources.ts';

const SITE = `networks: { n: { subnet: 10.0.0.0/24 } }
profiles: { p: { overlays: [a, b] } }
nodes: { node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [p] } }
`;

const rows: readonly (readonly [
  what: string,
  files: { readonly [path: string]: string },
  error: string | undefined,
])[] = [
  [
    'a file of one overlay, a folder of the next',
    { 'overlays/a/etc/conf': 'x', 'overlays/b/etc/conf/d/y': 'y' },
    'overlays/a/etc/conf: this is written as the file /etc/conf, which overlays/b/etc/conf/d/y needs as a folder',
  ],
  [
    'a folder of one overlay, a file of the node',
    { 'overlays/a/etc/conf/y': 'x', 'overlays/b/etc/z': 'z', 'nodes/node01/files/etc/conf': 'y' },
    'nodes/node01/files/etc/conf: this is written as the file /etc/conf, which overlays/a/etc/conf/y needs as a folder',
  ],
  [
    'a template and a folder of one name',
    { 'overlays/a/etc/conf.j2': 'x', 'overlays/a/etc/conf/y': 'y', 'overlays/b/etc/z': 'z' },
    'overlays/a/etc/conf.j2: this is written as the file /etc/conf, which overlays/a/etc/conf/y needs as a folder',
  ],
  [
    'a folder that overlay.yaml makes and a file',
    {
      'overlays/a/etc/conf': 'x',
      'overlays/b/overlay.yaml': '/etc/conf/: { mode: "0750" }\n',
      'overlays/b/etc/z': 'z',
    },
    'overlays/a/etc/conf: this is written as the file /etc/conf, which overlays/b/overlay.yaml needs as a folder',
  ],
  ['two files of one path', { 'overlays/a/etc/conf': 'x', 'overlays/b/etc/conf': 'y' }, undefined],
  ['names that begin alike', { 'overlays/a/etc/conf': 'x', 'overlays/b/etc/conf.d/y': 'y' }, undefined],
];

for (const [what, files, error] of rows) {
  test(`${what} ${error === undefined ? 'can both be' : 'cannot both be'}`, () =>
    withSiteFolder({ 'site.yaml': SITE, ...files }, async (folder) => {
      const loaded = await loadSite(folder);
      assert.ok(loaded.ok, JSON.stringify(loaded));
      const node = loaded.site.nodes.get('node01');
      assert.ok(node);
      const { errors } = await checkFolders(loaded.site);
      assert.deepEqual(
        errors.map(({ place, message }) => `${place.file}: ${message}`),
        error === undefined ? [] : [error],
      );
      if (error === undefined) assert.ok(await readSources(loaded.site, node));
      else await assert.rejects(readSources(loaded.site, node), { code: 'SITE_INVALID' });
    }));
}
