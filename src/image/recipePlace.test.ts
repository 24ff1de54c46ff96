import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSite } from '../site/load.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { linePlace } from './recipePlace.ts';

test('a line is blamed on the file that it stands in, be that an extended recipe', async () => {
  const files = {
    'site.yaml': '',
    'images/base.yaml': 'from: { debian: bookworm }\nrun:\n  - one\n  - two\ncheck: [three]\n',
    'images/top.yaml': 'extends: base\nrun:\n  - four\n',
  };
  await withSiteFolder(files, async (folder) => {
    const loaded = await loadSite(folder);
    assert.ok(loaded.ok);
    const recipe = loaded.site.images.get('top') ?? assert.fail();
    const at = async (list: 'run' | 'check', line: number) => {
      const { file, line: row } = await linePlace(recipe, folder, list, line);
      return `${recipe[list][line]} ${file}:${row}`;
    };
    assert.deepEqual(await Promise.all([at('run', 0), at('run', 1), at('run', 2), at('check', 0)]), [
      'one images/base.yaml:3',
      'two images/base.yaml:4',
      'four images/top.yaml:3',
      'three images/base.yaml:5',
    ]);
  });
});
