import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingFor } from './readiness.ts';
import { nodeFixture, siteFixture } from './site/testing/fixture.ts';

const node = (name: string, settings: object) => ({ ...nodeFixture(settings, []), name });
const siteOf = (...nodes: ReturnType<typeof node>[]) =>
  siteFixture({ nodes: new Map(nodes.map((one) => [one.name, one])) });
const shelf = { current: async (name: string) => (name === 'built' ? ({} as never) : undefined) };

test('images that nodes name and that are not built are missing, with the command that builds them', async () => {
  const nodes = ['a', 'b', 'c'].map((name) => node(name, { image: 'new' }));
  const missing = await missingFor(siteOf(...nodes, node('d', { image: 'built' })), shelf, async () => true);
  assert.deepEqual(missing, [
    { code: 'IMAGE_MISSING', message: 'image new of a and 2 more is not built: reveille image build new' },
  ]);
});

test('so are loaders of the choices that nodes make', async () => {
  const absent = async (path: string) => !path.endsWith('snponly.efi');
  const chosen = siteOf(node('a', { image: 'built' }));
  assert.deepEqual(await missingFor(chosen, shelf, absent), [
    { code: 'TOOL_MISSING', message: 'the loader snponly.efi is not installed: apt-get install ipxe' },
  ]);
  const pxelinux = siteOf(node('a', { image: 'built', loader: 'pxelinux' }));
  assert.deepEqual(await missingFor(pxelinux, shelf, async (path) => !path.includes('syslinux')), [
    {
      code: 'TOOL_MISSING',
      message: 'ldlinux.c32, which the loader pxelinux.0 needs, is not installed: apt-get install syslinux-common',
    },
  ]);
  const addressOnly = siteOf(node('a', {}));
  assert.deepEqual(await missingFor(addressOnly, shelf, async () => false), []);
});

test('a shelf that cannot be read has no image', async () => {
  const broken = { current: () => Promise.reject(new Error('EIO')) };
  assert.equal((await missingFor(siteOf(node('a', { image: 'built' })), broken, async () => true)).length, 1);
});
