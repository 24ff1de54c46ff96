import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import tar from 'tar-stream';
import { ReveilleError } from '../../errors.ts';
import { readRootTar } from '../roottar.ts';
import { mergeLayers } from './merge.ts';

type Part = {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link';
  readonly linkname?: string;
  readonly text?: string;
};

/** The names of a merged root, with what each file holds and where each link points. */
async function merged(t: TestContext, layers: readonly (readonly Part[])[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'merge-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths: string[] = [];
  for (const [at, parts] of layers.entries()) {
    const pack = tar.pack();
    for (const { text, ...header } of parts) pack.entry(header, text ?? '');
    pack.finalize();
    paths.push(join(folder, String(at)));
    const bytes = await Array.fromAsync(pack as unknown as AsyncIterable<Uint8Array>);
    writeFileSync(join(folder, String(at)), Buffer.concat(bytes));
  }
  await mergeLayers(paths, join(folder, 'merged'), 0, () => {});
  const found: string[] = [];
  for await (const record of readRootTar(join(folder, 'merged'))) {
    if (record.kind === 'link') {
      found.push(`${record.path} = ${record.to}`);
      continue;
    }
    const { entry, content } = record;
    const text = Buffer.concat(await Array.fromAsync(content)).toString();
    const what = entry.kind === 'directory' ? '/' : entry.kind === 'symlink' ? ` -> ${entry.target}` : `: ${text}`;
    found.push(`${entry.path}${what}`);
  }
  return found;
}

const folder = (name: string): Part => ({ name, type: 'directory' });
const symlink = (name: string, linkname: string): Part => ({ name, type: 'symlink', linkname });
const link = (name: string, linkname: string): Part => ({ name, type: 'link', linkname });

for (const { name, layers, names } of [
  {
    name: 'the upper file wins, and a whiteout takes the lower one away',
    layers: [
      [{ name: 'a', text: '1' }, { name: 'b' }],
      [{ name: 'a', text: '2' }, { name: '.wh.b' }],
    ],
    names: ['a: 2'],
  },
  {
    name: 'a whiteout spares what its own layer brings, whatever their order',
    layers: [
      [{ name: 'd/a', text: '1' }],
      [{ name: 'd/a', text: '2' }, { name: 'd/.wh.a' }, { name: 'd/.wh..wh..opq' }],
    ],
    names: ['d/', 'd/a: 2'],
  },
  {
    name: 'a symlink that climbs stays within the root',
    layers: [[symlink('up', '../../../..')], [{ name: 'up/a', text: '1' }]],
    names: ['up -> ../../../..', 'a: 1'],
  },
  {
    name: 'an absolute symlink starts at the root of the image',
    layers: [[folder('srv'), symlink('etc', '/srv')], [{ name: 'etc/passwd', text: '1' }]],
    names: ['srv/', 'etc -> /srv', 'srv/passwd: 1'],
  },
  {
    name: 'a file outlives its first name',
    layers: [[{ name: 'a', text: '1' }, link('b', 'a'), link('c', 'b')], [{ name: '.wh.a' }]],
    names: ['b: 1', 'c = b'],
  },
  {
    name: 'a symlink may have several names',
    layers: [[symlink('a', 'x'), link('b', 'a')]],
    names: ['a -> x', 'b = a'],
  },
  { name: 'notes of an old file system are no files', layers: [[{ name: '.wh..wh.plnk' }]], names: [] },
] satisfies readonly { name: string; layers: Part[][]; names: string[] }[]) {
  test(`layers: ${name}`, async (t) => assert.deepEqual(await merged(t, layers), names));
}

for (const { name, layers, message } of [
  { name: 'a name above the root', layers: [[{ name: '../a' }]], message: /leaves the root/ },
  { name: 'a link above the root', layers: [[link('a', '../../etc/shadow')]], message: /leaves the root/ },
  { name: 'a link to nothing', layers: [[link('a', 'b')]], message: /links \/a to \/b/ },
  { name: 'a file below a file', layers: [[{ name: 'a' }], [{ name: 'a/b' }]], message: /no folder/ },
  {
    name: 'symlinks that lead to each other',
    layers: [[symlink('a', 'b'), symlink('b', 'a')], [{ name: 'a/c' }]],
    message: /loop of symlinks/,
  },
] satisfies readonly { name: string; layers: Part[][]; message: RegExp }[]) {
  test(`layers refused: ${name}`, async (t) => {
    await assert.rejects(merged(t, layers), { code: 'IMAGE_BUILD_FAILED', message });
  });
}

test('whatever layers hold, the merge is a root or an error of ours', async (t) => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', '.wh.a', '.wh..wh..opq', '..', '.'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  const part: fc.Arbitrary<Part> = fc.oneof(
    path.map((name) => ({ name, text: name })),
    path.map((name) => folder(name)),
    fc.tuple(path, path).map(([name, to]) => symlink(name, to)),
    fc.tuple(path, path).map(([name, to]) => link(name, to)),
  );
  const property = fc.asyncProperty(fc.array(fc.array(part, { maxLength: 8 }), { maxLength: 3 }), async (layers) => {
    try {
      const names = (await merged(t, layers)).map((one) => one.split(/ -> | = |: |\/$/)[0] ?? '');
      assert.ok(names.every((one) => one.split('/').every((word) => word !== '' && word !== '..')));
    } catch (error) {
      if (!(error instanceof ReveilleError)) throw error;
    }
  });
  await fc.assert(property, { numRuns: 200 });
});
