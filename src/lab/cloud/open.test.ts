import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSiteFolder } from '../../site/testing/folderFixture.ts';
import { copySite } from './open.ts';

const SITE = { 'site.yaml': 'networks: { a: { subnet: 10.0.0.0/24 } }\n' };

test('a lab serves a copy of the site, made anew each time', async () => {
  await withSiteFolder(SITE, (from) =>
    withSiteFolder({}, async (state) => {
      await copySite(from, state);
      writeFileSync(join(state, 'site/old'), 'left');
      const site = await copySite(from, state);
      assert.equal(site.root, join(state, 'site'));
      assert.equal(existsSync(join(state, 'site/old')), false);
    }),
  );
});

test('a folder that is no copy is not overwritten, and the site is not copied into itself', async () => {
  await withSiteFolder(SITE, (from) =>
    withSiteFolder({}, async (state) => {
      mkdirSync(join(state, 'site'));
      writeFileSync(join(state, 'site/mine'), 'precious');
      await assert.rejects(copySite(from, state), { code: 'FOLDER_TAKEN' });
      assert.equal(readFileSync(join(state, 'site/mine'), 'utf8'), 'precious');
      await assert.rejects(copySite(from, from), { code: 'LAB_FAILED' });
    }),
  );
});
