import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { checkTemplates } from '../node/check.ts';
import { loadSite } from './load.ts';
import { findingText, withSiteFolder } from './testing/folderFixture.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples');

describe('what newcomers copy', () => {
  for (const name of readdirSync(EXAMPLES)) {
    test(`examples/${name} loads, templates too`, async () => {
      const loaded = await loadSite(join(EXAMPLES, name));
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
      assert.ok(loaded.ok);
      assert.deepEqual((await checkTemplates(loaded.site)).map(findingText), []);
    });
  }

  test('the site in the README loads', async () => {
    const blocks = [...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^```yaml\n# (\S+)\n([\s\S]*?)^```$/gm)];
    const files = Object.fromEntries(blocks.map(([, file = '', text = '']) => [file, text]));
    assert.deepEqual(Object.keys(files), ['site.yaml', 'images/bookworm-ram.yaml']);
    await withSiteFolder({ ...files, 'overlays/base/etc/motd.j2': '{{ node.name }}\n' }, async (folder) => {
      const loaded = await loadSite(folder);
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
    });
  });
});
