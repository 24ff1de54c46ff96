import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SiteNode } from '../model/node.ts';
import { nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import { imageOf, imagesOfRolls } from './pins.ts';
import { type PlanFrom, planRoll, planRollback, type Wish } from './plan.ts';
import type { SeenNode } from './seen.ts';
import { aRoll, aRollNode, NEW_IMAGE, OLD_IMAGE } from './testing/fixture.ts';

const OTHER_IMAGE = 'd'.repeat(64);
const BUILT: Readonly<Record<string, string>> = { bookworm: NEW_IMAGE, other: OTHER_IMAGE };
const WISH: Wish = { nodes: 'node*', drifted: false, maxUnavailable: 2, failures: 1, policy: 'wait', bootMs: 600_000 };

const built = (sha256: string | undefined) => (sha256 === undefined ? undefined : ({ sha256 } as never));
const shelf = {
  current: async (name: string) => built(BUILT[name]),
  byHash: async (sha256: string) => built([OLD_IMAGE, NEW_IMAGE, OTHER_IMAGE].find((one) => one === sha256)),
};

function runs(image: string, more: Partial<SeenNode> = {}): SeenNode {
  const boot = { startedAt: 1, state: 'ready', image } as const;
  return { boot, listens: true, bmc: false, files: 'right', cloud: { kind: 'none' }, ...more };
}

/** A site of these nodes, as they are seen. */
function rack(seen: Readonly<Record<string, SeenNode>>, node: Partial<SiteNode> = {}): PlanFrom {
  const nodes = Object.keys(seen).map((name) => [name, nodeFixture({ name, ...node })] as const);
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const pins = new Map([['node02', OTHER_IMAGE]]);
  const look = async () => ({ now, nodes: new Map(Object.entries(seen)) });
  return { site: siteFixture({ nodes: new Map(nodes) }), shelf, pins, look, now };
}

const RACK = { node01: runs(OLD_IMAGE), node02: runs(NEW_IMAGE), node03: runs(NEW_IMAGE, { files: 'others' }) };

test('a roll brings what the site gives each node by now, and remembers what it ran and was pinned to', async () => {
  const roll = await planRoll(WISH, rack(RACK));
  assert.deepEqual([roll.id, roll.maxUnavailable, roll.failures, roll.keepPins], ['20260102t030405', 2, 1, false]);
  assert.deepEqual(
    roll.nodes.map(({ node, image, before, pinBefore }) => [node, image, before, pinBefore]),
    [
      ['node01', NEW_IMAGE, OLD_IMAGE, null],
      ['node02', NEW_IMAGE, null, OTHER_IMAGE],
      ['node03', NEW_IMAGE, null, null],
    ],
  );
});

test('another image is kept by pins; those that drift are picked', async () => {
  const other = await planRoll({ ...WISH, image: 'other' }, rack(RACK));
  assert.deepEqual([other.keepPins, other.nodes[0]?.image], [true, OTHER_IMAGE]);
  assert.equal((await planRoll({ ...WISH, image: 'bookworm' }, rack(RACK))).keepPins, false);
  const drifted = await planRoll({ ...WISH, nodes: '', drifted: true }, rack(RACK));
  assert.deepEqual(
    drifted.nodes.map(({ node }) => node),
    ['node01', 'node03'],
  );
});

test('of all nodes, those that never booted have not drifted, nor those whose image was never built', async () => {
  const { boot: _, ...off } = runs(OLD_IMAGE);
  const from = rack({ ...RACK, node04: off });
  const spare = nodeFixture({ name: 'spare', image: 'never' });
  const site = { ...from.site, nodes: new Map([...from.site.nodes, ['spare', spare]]) };
  const roll = await planRoll({ ...WISH, nodes: '', drifted: true }, { ...from, site });
  assert.deepEqual(
    roll.nodes.map(({ node }) => node),
    ['node01', 'node03'],
  );
  await assert.rejects(planRoll({ ...WISH, nodes: 'spare', drifted: true }, { ...from, site }), {
    code: 'IMAGE_MISSING',
  });
});

test('what cannot be done is refused before anything is', async () => {
  const compute = { services: ['nova-compute'] };
  const rows: readonly [Partial<Wish>, PlanFrom, string, RegExp][] = [
    [{ nodes: 'node9' }, rack(RACK), 'NODE_UNKNOWN', /node9/],
    [{ image: 'never' }, rack(RACK), 'IMAGE_MISSING', /never has not been built/],
    [{ drifted: true }, rack({ node02: runs(NEW_IMAGE) }), 'REQUEST_INVALID', /no node has drifted/],
    [{}, rack(RACK, compute), 'CLOUD_INVALID', /node01 runs nova-compute, and the site names no cloud/],
  ];
  for (const [wish, from, code, message] of rows) {
    await assert.rejects(planRoll({ ...WISH, ...wish }, from), { code, message });
  }
  const without = rack(RACK);
  const bare = { ...without, site: siteFixture() };
  await assert.rejects(planRoll({ ...WISH, nodes: 'desktop2' }, bare), {
    message: 'desktop2 has no image that could be renewed',
  });
  assert.equal((await planRoll({ ...WISH, policy: 'leave' }, rack(RACK, compute))).nodes.length, 3);
});

test('a rollback takes the nodes that were touched to what each ran before, and pins them', async () => {
  const nodes = [
    aRollNode('node01', { phase: 'done' }),
    aRollNode('node02', { phase: 'left' }),
    aRollNode('node03', { phase: 'failed', before: OTHER_IMAGE }),
  ];
  const roll = aRoll([], { id: 'r7', state: 'stopped', maxUnavailable: 3, nodes });
  const back = await planRollback(roll, { failures: 2 }, rack(RACK));
  assert.deepEqual([back.takesBack, back.keepPins, back.maxUnavailable, back.failures], ['r7', true, 3, 2]);
  assert.equal(back.bootMs, roll.bootMs);
  assert.deepEqual(
    back.nodes.map(({ node, image }) => [node, image]),
    [
      ['node01', OLD_IMAGE],
      ['node03', OTHER_IMAGE],
    ],
  );
  await assert.rejects(planRollback({ ...roll, state: 'running' }, {}, rack(RACK)), /r7 is under way/);
  const gone = { ...roll, nodes: [aRollNode('node01', { phase: 'done', before: 'e'.repeat(64) })] };
  await assert.rejects(planRollback(gone, {}, rack(RACK)), {
    code: 'IMAGE_MISSING',
    message: /node01 ran e{12}, which/,
  });
  const unknown = { ...roll, nodes: [aRollNode('node01', { phase: 'done', before: null })] };
  await assert.rejects(planRollback(unknown, {}, rack(RACK)), { code: 'REQUEST_INVALID' });
});

test('a pin decides what a node boots, as long as the shelf has it', async () => {
  const of = (pin: string | undefined) => imageOf(shelf, () => pin)({ name: 'node01', image: 'bookworm' });
  assert.equal((await of(undefined))?.sha256, NEW_IMAGE);
  assert.equal((await of(OLD_IMAGE))?.sha256, OLD_IMAGE);
  assert.equal((await of('e'.repeat(64)))?.sha256, NEW_IMAGE);
  assert.equal(await imageOf(shelf, () => undefined)({ name: 'node01', image: 'never' }), undefined);
});

test('images of rolls under way, of the last three that ended, and of pins are needed', async () => {
  const of = (id: string, state: 'done' | 'running') =>
    aRoll([], { id, state, nodes: [aRollNode('node01', { image: `${id} new`, before: `${id} old` })] });
  const rolls = [of('r0', 'running'), of('r1', 'done'), of('r2', 'done'), of('r3', 'done'), of('r4', 'done')];
  const needed = await imagesOfRolls({ rolls: async () => rolls, pins: async () => new Map([['node09', 'pinned']]) });
  const names = ['r0', 'r2', 'r3', 'r4'].flatMap((id) => [`${id} new`, `${id} old`]);
  assert.deepEqual([...needed].sort(), [...names, 'pinned'].sort());
});
