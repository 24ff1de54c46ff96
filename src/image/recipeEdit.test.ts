import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { addToRemove } from './recipeEdit.ts';

const LINES = [
  { item: 'gcc-12', comment: 'for compilers: 3.0 MB' },
  { item: '/usr/lib/*/gconv', comment: 'encodings: 8.0 MB' },
];
const ADDED = ['gcc-12', '/usr/lib/*/gconv'];

describe('lines added to a recipe', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    [
      'come after those that are there, comments kept',
      '# mine\nfrom: { debian: bookworm }\nremove:\n  - perl # big\n  # and this\n  - "/usr/x" # too\n\nrun:\n  - true\n',
      '# mine\nfrom: { debian: bookworm }\nremove:\n  - perl # big\n  # and this\n  - "/usr/x" # too\n' +
        '  - gcc-12 # for compilers: 3.0 MB\n  - /usr/lib/*/gconv # encodings: 8.0 MB\n\nrun:\n  - true\n',
    ],
    [
      'stand as far in as those',
      'remove:\n- perl',
      'remove:\n- perl\n- gcc-12 # for compilers: 3.0 MB\n- /usr/lib/*/gconv # encodings: 8.0 MB\n',
    ],
    [
      'make a list where there is none',
      'from: { debian: bookworm } # here',
      'from: { debian: bookworm } # here\n\nremove:\n  - gcc-12 # for compilers: 3.0 MB\n  - /usr/lib/*/gconv # encodings: 8.0 MB\n',
    ],
    [
      'make lines of a list in brackets',
      '# mine\nremove: [perl] # why\nslim: true\n',
      '# mine\nremove:\n  - perl\n  - gcc-12 # for compilers: 3.0 MB\n  - /usr/lib/*/gconv # encodings: 8.0 MB\n  # why\nslim: true\n',
    ],
  ];
  for (const [what, before, after] of rows) it(what, () => assert.equal(addToRemove(before, LINES), after));

  it('are there, with all that was there before, whatever the recipe looks like', () => {
    const item = fc.stringMatching(/^[a-z/][a-z0-9/*.-]{0,12}$/);
    const layout = fc.constantFrom(
      (items: readonly string[]) => `remove: [${items.map((one) => JSON.stringify(one)).join(', ')}]\nslim: true\n`,
      (items: readonly string[]) => `slim: true\nremove:\n${items.map((one) => `    - '${one}'  # x\n`).join('')}`,
      (items: readonly string[]) => `remove:\n${items.map((one) => `- "${one}"\n\n`).join('')}slim: true`,
    );
    fc.assert(
      fc.property(fc.array(item, { minLength: 1 }), layout, (items, write) => {
        const after = parse(addToRemove(write(items), LINES));
        assert.deepEqual(after, { remove: [...items, ...ADDED], slim: true });
      }),
    );
  });

  it('are not added to what is no YAML', () => {
    assert.throws(() => addToRemove('remove: [a', LINES), { code: 'RECIPE_INVALID' });
  });
});
