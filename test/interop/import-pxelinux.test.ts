// What the import says that boots unasked is compared with the real pxelinux and menu.c32, in a virtual machine.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SiteDraft } from '../../src/import/draft.ts';
import { readTree } from '../../src/import/pxelinux/read.ts';
import { KERNELS, MENUS, treeOf } from '../../src/import/testing/menusFixture.ts';
import { type SiteFiles, withSiteFolder } from '../../src/site/testing/folderFixture.ts';
import { askedFor } from './pxelinux.rig.ts';

/** Those of the menus in which pxelinux does what one may not expect, and one of each kind of default. */
const TRIED = [
  'default label',
  'default that is no label',
  'no default but ontimeout',
  'prompt without time',
  'a menu with time',
  'a menu without time',
  'both times of prompt and menu',
  'the last menu default',
  'menu default in a submenu',
  'a hidden default',
  'a gap first, which stops the time',
  'the shift key',
  'menus of two files',
  'config',
];
/** Times of these menus are 10 s at most, and the machine may be slow. */
const SLOWEST_SECONDS = 25;

describe('what boots unasked is what real pxelinux boots', { concurrency: 2 }, () => {
  for (const name of TRIED) {
    it(name, async () => {
      const files = MENUS.find(([one]) => one === name)?.[1];
      assert(files !== undefined);
      const tree = { ...KERNELS, ...treeOf(files) };
      const asked = await askedFor(tree, /^k[0-7]$/, SLOWEST_SECONDS);
      assert.ok(asked.includes('pxelinux.cfg/default'));
      assert.equal(await imported(tree), asked.find((one) => /^k[0-7]$/.test(one)) ?? 'local');
    });
  }
});

/** The kernel that the imported site boots unasked, or `local`. */
async function imported(files: SiteFiles): Promise<string | undefined> {
  return withSiteFolder(files, async (folder) => {
    const draft = new SiteDraft();
    await readTree(draft, join(folder, 'tftp'));
    const { menu } = draft.site;
    return menu?.entries?.[menu.default ?? '']?.kernel ?? menu?.default;
  });
}
