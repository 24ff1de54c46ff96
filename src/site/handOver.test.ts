import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packChange, packSite, unpackSite } from './handOver.ts';
import { loadSite } from './load.ts';
import type { Site } from './site.ts';
import { withSiteFolder } from './testing/folderFixture.ts';

const RICH = {
  'site.yaml': `
site: rich
vars: { a: [1, two, { three: null }] }
secrets: { ipmi: { env: IPMI }, key: { file: secrets/key } }
networks:
  rack: { subnet: 10.0.0.0/16, server: 10.0.0.2, gateway: 10.0.0.1, options: { 43: 01:02:03:04, 119: [a.example, b.example] }, pools: [{ range: 10.0.250.0-10.0.250.99, allow: [phones, known] }] }
  other: { subnet: 10.9.0.0/24, relays: [10.9.0.1] }
classes:
  phones: { vendorClass: ["phone*"], arch: [7], macs: ["52:54:01:*"], bootFile: phone.bin }
profiles:
  compute: { boot: local, overlays: [own], vars: { nova: { cpu: 8 } }, bmc: { kind: ipmi, user: admin, password: '{{ secrets.ipmi }}' } }
nodes:
  node[0000-2499]: { ip: '10.0.[10-19].[0-249]', mac: '52:54:00:00:[10-19]:[00-f9]', profiles: [compute], options: { 15: example.org } }
  own: { mac: [52:54:00:00:00:01, 52:54:00:00:00:02], network: other, overlays: [own], bmc: { address: 10.9.0.7, kind: ipmi, user: admin, password: '{{ secrets.ipmi }}' }, vars: { long: ${'x'.repeat(300_000)} } }
  waits[1-3]: { ip: '10.0.3.[1-3]' }
`,
  'overlays/own/etc/motd': 'hello\n',
  'nodes/own/hosts': 'x\n',
  'images/ram.yaml': 'from: { debian: bookworm }\npackages: [vim]\n',
  'images/more.yaml': 'extends: ram\npackages: [emacs]\n',
};

async function loaded(folder: string): Promise<Site> {
  const result = await loadSite(folder);
  if (!result.ok) assert.fail(JSON.stringify(result.findings));
  return result.site;
}

describe('handing a site over', () => {
  it('gives the same site, of which maps that name the same node share it', () =>
    withSiteFolder(RICH, async (folder) => {
      const site = await loaded(folder);
      const again = await unpackSite(packSite(site));
      assert.deepEqual(again, site);
      for (const map of ['networks', 'nodes', 'nodeByMac', 'nodeByIp', 'classes'] as const)
        assert.deepEqual([...again[map].keys()], [...site[map].keys()], `the order of ${map}`);
      for (const node of again.nodes.values())
        for (const mac of node.macs) assert.equal(again.nodeByMac.get(mac), node);
      assert.equal(again.awaited.size, 3);
    }));

  it('is the same for the examples', async () => {
    const examples = join(import.meta.dirname, '../../examples');
    for (const name of await readdir(examples)) {
      const result = await loadSite(join(examples, name));
      if (result.ok) assert.deepEqual(await unpackSite(packSite(result.site)), result.site, name);
    }
  });

  it('goes in pieces that are small, with a pause after each', () =>
    withSiteFolder(RICH, async (folder) => {
      const pieces = packSite(await loaded(folder));
      const large = pieces.filter(({ length }) => length > 128 * 1024);
      assert.equal(large.length, 1, 'the one of the node with long variables');
      assert.ok(pieces.length > 20);
      let pauses = 0;
      await unpackSite(pieces, undefined, async () => pauses++);
      assert.equal(pauses, pieces.length + 1, 'and one while the nodes get their places');
    }));

  it('of a change sends what changed, down to the order in which things stand, and keeps the rest', () =>
    withSiteFolder(RICH, async (folder) => {
      const site = await loaded(folder);
      const again = await loaded(folder);
      assert.equal(packChange(site, again), undefined);
      const own = again.nodes.get('own') ?? assert.fail();
      const first = again.nodes.get('node0000') ?? assert.fail();
      const renamed = { ...first, name: 'new' };
      const others: readonly (readonly [changed: number, Partial<Site>])[] = [
        [0, { refreshSeconds: 77 }],
        [0, { nodes: new Map([...again.nodes].slice(1)) }],
        [0, { nodes: new Map([...again.nodes].toReversed()) }],
        [1, { nodes: new Map([...again.nodes, ['own', { ...own, options: new Map([[15, Buffer.from('b')]]) }]]) }],
        [1, { nodes: new Map([...again.nodes, ['own', { ...own, vars: { long: 'x' } }]]) }],
        [
          1,
          {
            nodes: new Map(
              [['new', renamed], ...again.nodes].filter(([name]) => name !== 'node0000') as [string, typeof own][],
            ),
          },
        ],
        [1, { nodes: new Map([...[...again.nodes].slice(1), ['new', renamed]]) }],
        [0, { vars: { a: [1, 'two', { three: 0 }] } }],
        [0, { vars: { ...again.vars, b: 1 } }],
        [0, { tftp: { ...again.tftp, root: '/srv' } }],
        [0, { networks: new Map([...again.networks].toReversed()) }],
        [2501, { nodes: new Map([...again.nodes].map(([name, node]) => [name, { ...node, loader: 'ipxe' }])) }],
      ];
      const held = await unpackSite(packSite(site));
      for (const [changed, other] of others) {
        const key = Object.keys(other).join();
        const next = reindexed({ ...again, ...other });
        const pieces = packChange(site, next);
        assert.ok(pieces, key);
        assert.ok(pieces.length < 5 || changed > 1000, `${pieces.length} pieces of ${key}`);
        const taken = await unpackSite(pieces, held);
        assert.deepEqual(taken, next, key);
        for (const map of ['networks', 'nodes', 'nodeByMac', 'nodeByIp'] as const)
          assert.deepEqual([...taken[map].keys()], [...next[map].keys()], `the order of ${map}`);
        const others = taken.nodes.values().filter((node) => held.nodes.get(node.name) !== node);
        assert.equal([...others].length, changed, key);
        for (const node of taken.nodes.values())
          for (const mac of node.macs) assert.equal(taken.nodeByMac.get(mac), node);
        // And back.
        const back = packChange(next, site);
        assert.ok(back);
        assert.deepEqual(await unpackSite(back, taken), site, key);
      }
      const order = packChange({ ...site, vars: { a: 1, b: 2 } }, { ...again, vars: { b: 2, a: 1 } });
      assert.notEqual(order, undefined);
      await assert.rejects(unpackSite(order ?? []), { message: 'the site before is missing' });
    }));
});

/** With the maps that are made of the nodes. */
function reindexed(site: Site): Site {
  const nodes = [...site.nodes.values()];
  return {
    ...site,
    nodeByMac: new Map(nodes.flatMap((node) => node.macs.map((mac) => [mac, node] as const))),
    nodeByIp: new Map(nodes.flatMap((node) => (node.ip === undefined ? [] : [[node.ip, node] as const]))),
  };
}
