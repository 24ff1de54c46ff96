import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkTemplates } from '../node/check.ts';
import { OVERLAY_KEYS, parseOverlayFile } from '../node/overlayFile.ts';
import { Findings } from '../site/finding.ts';
import { imageSchema } from '../site/imageSchema.ts';
import { loadSite } from '../site/load.ts';
import { siteSchema } from '../site/schema.ts';
import { unservable } from '../site/servable.ts';
import { hold } from '../site/shape.ts';
import { findingText, withSiteFolder } from '../site/testing/folderFixture.ts';
import { readYaml } from '../site/yaml.ts';
import { around, blocksIn, filesIn, IMAGE_KEYS, pages, SITE_KEYS } from './testing/docsFixture.ts';

describe('the site in README', () => {
  it('passes check when it is copied', async () => {
    const files = filesIn('README.md');
    assert.deepEqual(Object.keys(files).sort(), ['images/bookworm-ram.yaml', 'overlays/base/etc/motd.j2', 'site.yaml']);
    await withSiteFolder(files, async (folder) => {
      const loaded = await loadSite(folder);
      if (!loaded.ok) assert.fail(loaded.findings.map(findingText).join('\n'));
      assert.deepEqual([...unservable(loaded.site), ...(await checkTemplates(loaded.site))], []);
      assert.deepEqual(loaded.warnings.map(findingText), []);
    });
  });
});

/** What is wrong with the form of a block of YAML, by the kind of file that its first key belongs to. */
function problemsOf(text: string): readonly string[] {
  const findings = new Findings();
  const whole = `${around(text)}${text}`;
  const file = readYaml('block', whole, findings);
  const [key = ''] = Object.keys(file.value ?? {});
  if (SITE_KEYS.includes(key)) hold(file, siteSchema, findings);
  else if (IMAGE_KEYS.includes(key)) hold(file, imageSchema, findings);
  else if (key.startsWith('/') || OVERLAY_KEYS.some((known) => known === key))
    parseOverlayFile('block', whole, findings);
  else findings.error(file.place([]), `no file of ours has the key ${key}`);
  return findings.errors.map(findingText);
}

describe('the YAML in the documents', () => {
  for (const page of pages('*.md', 'docs/*.md')) {
    const blocks = blocksIn(page).filter(({ language }) => language === 'yaml');
    if (blocks.length === 0) continue;
    it(`has the form that the program reads: ${page}`, () => {
      const wrong = blocks.flatMap(({ text, line }) =>
        problemsOf(text).map((problem) => `${page}:${line}: ${problem}`),
      );
      assert.deepEqual(wrong, []);
    });
  }

  it('is found wrong where it is', () => {
    assert.deepEqual(problemsOf('nodes:\n  node01: { mca: x }\n').length, 1);
    assert.deepEqual(problemsOf('nodez: {}\n').length, 1);
  });
});
