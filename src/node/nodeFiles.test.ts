import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { nodeFixture } from '../site/testing/fixture.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import type { AppliedStore } from './appliedStore.ts';
import { type Bundle, filesOnly, makeBundle } from './bundle.ts';
import type { Applied, News } from './news.ts';
import { NodeFiles } from './nodeFiles.ts';

const newsOf = (manifest: string, more: Partial<Applied> = {}): News => ({
  applied: { sha256: 'ab'.repeat(32), manifest, drifted: 0, drift: [], ...more },
  changed: 0,
  removed: 0,
  ms: 0,
});

async function filesOf(
  store: AppliedStore,
  nodes = new Map([['node01', nodeFixture()]]),
  bundle: Bundle = makeBundle([], []),
) {
  return NodeFiles.open({
    nodes: () => nodes,
    render: async () => bundle,
    store,
    contents: { keep: () => {}, text: async () => undefined, forgetAllBut: async () => {} },
    emit: () => {},
    now: () => 1,
  });
}

test('reports of a node in quick succession are saved one at a time, the last for good', async (t) => {
  const store = emptyStore().applied;
  const saved: unknown[] = [];
  let go = (): void => {};
  const slow: AppliedStore = {
    ...store,
    save: async (changed) => {
      saved.push(...[...changed.values()].map(({ manifest }) => manifest));
      await new Promise<void>((resolve) => {
        go = resolve;
      });
    },
  };
  const files = await filesOf(slow);
  t.after(() => files.close());
  files.onNews(nodeFixture(), newsOf('manifest 0'));
  await setImmediate();
  for (let i = 1; i < 100; i++) files.onNews(nodeFixture(), newsOf(`manifest ${i}`));
  for (let i = 0; i < 3; i++) {
    go();
    await setImmediate();
  }
  assert.deepEqual(saved, ['manifest 0', 'manifest 99']);
});

test('a node that left the site has its report deleted', async (t) => {
  const store = emptyStore().applied;
  const nodes = new Map([['node01', nodeFixture()]]);
  const files = await filesOf(store, nodes);
  t.after(() => files.close());
  files.onNews(nodeFixture(), newsOf('a manifest'));
  await setImmediate();
  assert.equal((await store.read()).size, 1);
  nodes.clear();
  files.siteChanged();
  await setImmediate();
  assert.equal((await store.read()).size, 0);
  assert.equal(files.standing('node01'), undefined);
});

test('an agent that knows no folders has all that it can have, and no folder is shown as missing there', async (t) => {
  const shared = { owner: 'root', group: 'root', mode: 0o700, origin: 'nodes/node01' };
  const bundle = makeBundle(
    [
      { ...shared, path: '/root/.ssh', folder: 'default' },
      { ...shared, path: '/a', content: Buffer.from('a') },
    ],
    [],
  );
  const files = await filesOf(emptyStore().applied, undefined, bundle);
  t.after(() => files.close());
  const node = nodeFixture();
  const older = filesOnly(bundle.manifest);
  files.sent(node, bundle);
  files.onNews(node, newsOf(older, { sha256: bundle.olderSha256 }));
  assert.equal(files.standing('node01')?.state, 'in sync');
  assert.deepEqual((await files.diff(node)).changes, []);
  // One that knows them is behind with the same files.
  files.onNews(node, newsOf(older, { sha256: bundle.olderSha256, folders: true }));
  assert.equal(files.standing('node01')?.state, 'behind');
  const [change, ...more] = (await files.diff(node)).changes;
  assert.deepEqual(
    [change?.path, change?.change, change?.after, more],
    ['/root/.ssh', 'added', { kind: 'folder', mode: '0700', owner: 'root', group: 'root', text: null }, []],
  );
  files.onNews(node, newsOf(bundle.manifest, { sha256: bundle.sha256, folders: true }));
  assert.equal(files.standing('node01')?.state, 'in sync');
});

test('the manifests of all nodes together have a bound; a report above it is kept without', async (t) => {
  const store = emptyStore().applied;
  const names = Array.from({ length: 300 }, (_, i) => `node${i}`);
  const nodes = new Map(names.map((name) => [name, nodeFixture({ name })]));
  const files = await filesOf({ ...store, save: async () => {} }, nodes);
  t.after(() => files.close());
  const manifest = 'x'.repeat(1024 * 1024);
  for (const node of nodes.values()) files.onNews(node, newsOf(manifest));
  const last = nodes.get('node299') ?? assert.fail();
  await assert.rejects(files.diff(last), /has more files than it can list/);
  const first = nodes.get('node0') ?? assert.fail();
  await files.diff(first);
  // Room that one gives up is there for another.
  files.onNews(first, newsOf(''));
  files.onNews(last, newsOf(manifest));
  await files.diff(last);
});
