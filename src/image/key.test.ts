import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Recipe } from '../model/recipe.ts';
import { recipeFixture } from '../site/testing/fixture.ts';
import { type ImageParts, imageKey } from './key.ts';

const RECIPE = recipeFixture({ packages: ['udev'], removePaths: ['/usr/share/x'] });
const PARTS: ImageParts = {
  root: 'a root',
  agent: [
    { path: '/usr/sbin/agent', mode: 0o755, content: Buffer.from('one') },
    { path: '/usr/sbin/link', target: 'agent' },
  ],
  check: true,
};

describe('the key of an image', () => {
  it('is the same for the same, wherever the recipe stands, whatever it is called and has it from', async () => {
    const place = { file: 'elsewhere.yaml', line: 7, col: 2 };
    const elsewhere = { ...RECIPE, name: 'other', place, extends: recipeFixture() };
    assert.equal(await imageKey(elsewhere, PARTS), await imageKey(RECIPE, PARTS));
  });

  const others: readonly (readonly [string, Partial<Recipe>, Partial<ImageParts>])[] = [
    ['another root', {}, { root: 'another root' }],
    ['a path more to leave out', { removePaths: ['/usr/share/x', '/usr/share/y'] }, {}],
    ['a path to keep', { keepPaths: ['/usr/share/x'] }, {}],
    ['another check', { check: ['true'] }, {}],
    ['the root as squashfs', { root: 'squashfs' }, {}],
    ['another compression', { compress: 'gzip' }, {}],
    ['no check', {}, { check: false }],
    ['another agent', {}, { agent: [{ path: '/usr/sbin/agent', mode: 0o755, content: Buffer.from('two') }] }],
    ['a link less', {}, { agent: PARTS.agent.slice(0, 1) }],
  ];
  for (const [what, recipe, parts] of others) {
    it(`is another for ${what}`, async () => {
      const key = await imageKey({ ...RECIPE, ...recipe }, { ...PARTS, ...parts });
      assert.notEqual(key, await imageKey(RECIPE, PARTS));
    });
  }
});
