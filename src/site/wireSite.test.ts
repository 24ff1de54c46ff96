import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from './site.ts';
import { nodeFixture, siteFixture } from './testing/fixture.ts';
import { WireView, wireChanges } from './wireSite.ts';

const mac = (n: number) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}` as Mac;
const node = (name: string, macs: readonly number[], ip?: number, image = 'a'): SiteNode => {
  const { ip: _, ...rest } = nodeFixture({ image });
  const [first = 0, ...others] = macs;
  return { ...rest, name, macs: [mac(first), ...others.map(mac)], ...(ip === undefined ? {} : { ip: ip as Ipv4 }) };
};
const siteOf = (...nodes: readonly SiteNode[]): Site => {
  const byMac = nodes.flatMap((one) => one.macs.map((each) => [each, one] as const));
  const byIp = nodes.flatMap((one) => (one.ip === undefined ? [] : [[one.ip, one] as const]));
  return siteFixture({
    nodes: new Map(nodes.map((one) => [one.name, one])),
    nodeByMac: new Map(byMac),
    nodeByIp: new Map(byIp),
  });
};

function checkView(view: WireView, site: Site): void {
  assert.deepEqual(new Set(view.site.nodes.keys()), new Set(site.nodes.keys()));
  assert.deepEqual(
    new Map([...view.site.nodeByMac].map(([key, one]) => [key, one.name])),
    new Map([...site.nodeByMac].map(([key, one]) => [key, one.name])),
  );
  assert.deepEqual(
    new Map([...view.site.nodeByIp].map(([key, one]) => [key, one.name])),
    new Map([...site.nodeByIp].map(([key, one]) => [key, one.name])),
  );
  for (const [name, one] of view.site.nodes) {
    assert.equal(one.image, site.nodes.get(name)?.image);
    for (const each of one.macs) assert.equal(view.site.nodeByMac.get(each), one);
  }
  assert.equal(view.site.networks, site.networks);
}

test('a view follows from site to site: nodes that come, go, change, and exchange their cards and addresses', () => {
  const [a, b, c] = [node('a', [1], 1), node('b', [2, 3], 2), node('c', [4])];
  const sites = [
    siteOf(a, b, c),
    siteOf(a, c),
    siteOf(a, node('b', [4, 2], 1), node('c', [3], 2)),
    siteOf(node('a', [2], 1), node('b', [1], 2)),
    siteOf(node('a', [1], 2), node('b', [2], 1, 'another')),
    siteOf(),
    siteOf(a, b, c),
  ];
  const view = new WireView(wireChanges(undefined, siteOf(a)));
  let before = siteOf(a);
  for (const site of sites) {
    for (const change of wireChanges(before, site)) view.take(change);
    checkView(view, site);
    before = site;
  }
});

test('what nodes get once they run does not pass, nor do nodes that are as before', () => {
  const kept = node('a', [1], 1);
  const changes = [...wireChanges(siteOf(kept), siteOf(kept, { ...node('b', [2]), vars: { secret: 'x' } }))];
  const nodes = changes.flatMap((change) => (change.kind === 'nodes' ? change.nodes : []));
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['b'],
  );
  assert.ok(!JSON.stringify(nodes).includes('secret'));
});

test('nodes pass some at a time, and count once all have', () => {
  const many = Array.from({ length: 600 }, (_, n) => ({
    ...node(`n${n}`, [0]),
    macs: [
      `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as Mac,
    ] as const,
  }));
  const changes = [...wireChanges(undefined, siteOf(...many))];
  assert.deepEqual(
    changes.map((change) => (change.kind === 'nodes' ? change.nodes.length : change.kind)),
    [256, 256, 88, 'in force'],
  );
  const view = new WireView(wireChanges(undefined, siteOf()));
  assert.deepEqual(
    changes.map((change) => [view.take(change), view.site.nodes.size]),
    [
      [false, 0],
      [false, 0],
      [false, 0],
      [true, 600],
    ],
  );
});
