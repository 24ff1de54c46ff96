import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpv4 } from '../model/ipv4.ts';
import { loadSite } from './load.ts';
import { findingText, withSiteFolder } from './testing/folderFixture.ts';

const HEAD = `networks:
  a: { subnet: 10.0.0.0/22 }
profiles:
  compute: { kernelArgs: [quiet] }
  gpu: { kernelArgs: [iommu=on] }
nodes:
`;

async function load(nodes: string) {
  return withSiteFolder({ 'site.yaml': HEAD + nodes }, loadSite);
}

async function findings(nodes: string): Promise<readonly string[]> {
  const loaded = await load(nodes);
  return [...(loaded.ok ? [] : loaded.findings), ...loaded.warnings].map(findingText);
}

async function summary(nodes: string): Promise<readonly string[]> {
  const loaded = await load(nodes);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.findings.map(findingText).join('\n'));
  return [...loaded.site.nodes.values()].map(({ name, macs, ip, profiles, kernelArgs, vars }) =>
    [
      name,
      macs.join(),
      ip === undefined ? '-' : formatIpv4(ip),
      profiles.join(),
      kernelArgs.join(),
      JSON.stringify(vars),
    ].join(' '),
  );
}

describe('a range under nodes:', () => {
  it('stands for its nodes, each with its own address and MAC', async () => {
    assert.deepEqual(
      await summary(`  node[08-11]:
    mac: 52:54:00:00:00:[0e-11]
    ip: 10.0.0.[51-54]
    profiles: [compute]
    vars: { rack: g6 }
`),
      [
        'node08 52:54:00:00:00:0e 10.0.0.51 compute quiet {"rack":"g6"}',
        'node09 52:54:00:00:00:0f 10.0.0.52 compute quiet {"rack":"g6"}',
        'node10 52:54:00:00:00:10 10.0.0.53 compute quiet {"rack":"g6"}',
        'node11 52:54:00:00:00:11 10.0.0.54 compute quiet {"rack":"g6"}',
      ],
    );
  });

  it('pairs several cards, several brackets, and addresses across octets', async () => {
    assert.deepEqual(
      await summary(`  "r[1-2]n[1-2]":
    mac: ["52:54:00:00:0[1-2]:[01-02]", "52:54:00:00:1[1-2]:[01-02]"]
    ip: 10.0.[1-2].[1,9]
`),
      [
        'r1n1 52:54:00:00:01:01,52:54:00:00:11:01 10.0.1.1   {}',
        'r1n2 52:54:00:00:01:02,52:54:00:00:11:02 10.0.1.9   {}',
        'r2n1 52:54:00:00:02:01,52:54:00:00:12:01 10.0.2.1   {}',
        'r2n2 52:54:00:00:02:02,52:54:00:00:12:02 10.0.2.9   {}',
      ],
    );
  });

  it('is overlaid by the entries of single nodes, wherever they stand', async () => {
    assert.deepEqual(
      await summary(`  n2: { mac: 52:54:00:00:09:02, profiles: [gpu], kernelArgs: [own], vars: { rack: z } }
  n[1-3]: { ip: "10.0.0.[1-3]", profiles: [compute], kernelArgs: [range], vars: { rack: g, row: 1 } }
  n1: { mac: 52:54:00:00:09:01 }
  n3: { mac: 52:54:00:00:09:03, ip: 10.0.0.33 }
`),
      [
        'n2 52:54:00:00:09:02 10.0.0.2 compute,gpu quiet,iommu=on,range,own {"rack":"z","row":1}',
        'n1 52:54:00:00:09:01 10.0.0.1 compute quiet,range {"rack":"g","row":1}',
        'n3 52:54:00:00:09:03 10.0.0.33 compute quiet,range {"rack":"g","row":1}',
      ],
    );
  });

  it('may share nodes with another range as long as both say the same', async () => {
    const shared = `  n[1-4]: { mac: "52:54:00:00:09:0[1-4]", loader: ipxe }
  n[3-4]: { mac: "52:54:00:00:09:0[3-4]", profiles: [gpu] }
`;
    assert.equal((await summary(shared))[2], 'n3 52:54:00:00:09:03 - gpu iommu=on {}');
    const contradicting = `${shared}  n[2-3]: { loader: pxelinux }\n`;
    assert.deepEqual((await findings(contradicting)).slice(0, 1), [
      'site.yaml:9:21: "n[1-4]" (site.yaml:7:51) and "n[2-3]" give node "n2" different loader | let the ranges not overlap, or write loader in an entry "n2:"',
    ]);
    assert.equal((await load(`${contradicting}  n2: { loader: ipxe }\n  n3: { loader: auto }\n`)).ok, true);
  });

  it('may name nodes before their cards are known: they are left out, and their addresses are not given to others', async () => {
    const range = '  n[1-4]: { ip: "10.0.0.[1-4]", profiles: [compute] }\n  n2: { mac: 52:54:00:00:00:02 }\n';
    assert.deepEqual(await summary(range), ['n2 52:54:00:00:00:02 10.0.0.2 compute quiet {}']);
    assert.deepEqual(await findings(range), [
      'site.yaml:7:3: n[1,3-4] have no MAC addresses yet and are left out | give the range a `mac:`, or each an entry of its own: `reveille node add`',
    ]);
    assert.deepEqual(await findings(`${range}  n3: {}\n`), [
      'site.yaml:9:3: node "n3" has no MAC address | a node is known by it: write `mac:`',
      'site.yaml:7:3: n[1,4] have no MAC addresses yet and are left out | give the range a `mac:`, or each an entry of its own: `reveille node add`',
    ]);
    assert.deepEqual(
      (await findings(`${range}  m: { mac: 52:54:00:00:00:09, ip: 10.0.0.4 }\n`))[0]?.split(' |')[0],
      ['site.yaml:9:36: address 10.0.0.4 is taken by node "n4" (site.yaml:7:17)'][0],
    );
    const loaded = await load(range);
    assert.ok(loaded.ok);
    assert.equal(loaded.site.nodeByIp.size, 1);
    assert.deepEqual([...loaded.site.awaited.values()], ['n1', 'n3', 'n4']);
  });

  const wrong: readonly { nodes: string; expected: readonly string[] }[] = [
    {
      nodes: '  n[1-4]: { mac: "52:54:00:00:09:0[1-5]", ip: "10.0.0.1" }\n',
      expected: [
        'site.yaml:7:18: "n[1-4]" stands for 4 nodes, but its mac for 5 | write one for each: mac: 52:54:00:00:00:[51-90] (hexadecimal)',
        'site.yaml:7:47: "n[1-4]" stands for 4 nodes, but its ip for 1 | write one for each: ip: 10.0.0.[51-114]',
      ],
    },
    {
      nodes: '  n1: { mac: "52:54:00:00:09:0[1-2]" }\n',
      expected: ['site.yaml:7:14: "n1" stands for one node, but its mac for 2 | write one'],
    },
    {
      nodes: '  n[4-1]: {}\n',
      expected: ['site.yaml:7:3: "n[4-1]" has the range 4-1, which runs backwards | such as node[01-64]'],
    },
    {
      nodes: '  n[1-999999999]: {}\n',
      expected: ['site.yaml:7:3: "n[1-999999999]" stands for more than 65536 names | such as node[01-64]'],
    },
    {
      nodes: '  a[1-60000]: {}\n  b[1-60000]: {}\n',
      expected: [
        'site.yaml:8:3: the site has more than 100000 nodes with these',
        'site.yaml:7:3: a[1-60000] have no MAC addresses yet and are left out | give the range a `mac:`, or each an entry of its own: `reveille node add`',
      ],
    },
    {
      nodes: '  n_[1-9]: { mac: "52:54:00:00:09:0[1-9]" }\n',
      expected: [
        'site.yaml:7:3: "n_1" cannot name a node | a host name has letters, digits and inner hyphens, 63 at most (RFC 1123)',
      ],
    },
    {
      nodes: '  n[1-9]: { mac: "52:54:00:00:09:0[1-9]", ip: "10.0.9.[1-9]" }\n',
      expected: ['site.yaml:7:47: address 10.0.9.1 lies in no network of this site | networks: a 10.0.0.0/22'],
    },
    {
      nodes: '  n[1-3]: { mac: "52:54:00:00:09:0[1-3]", ip: "10.0.0.[254-256]" }\n',
      expected: [
        'site.yaml:7:47: "10.0.0.[254-256]" is not an IPv4 address | "10.0.0.256" is none; a range is written like 10.0.0.[51-114]',
      ],
    },
    {
      nodes: '  n[1-2]: { ip: "10.0.0.[1-2]" }\n  n2: { mac: 52:54:00:00:00:02 }\n',
      expected: [
        'site.yaml:7:3: n1 has no MAC address yet and is left out | give the range a `mac:`, or each an entry of its own: `reveille node add`',
      ],
    },
    {
      nodes:
        '  n[1-2]: { mac: "52:54:00:00:09:0[1-2]", ip: "10.0.0.[1-2]" }\n  m: { mac: "52:54:00:00:09:02", ip: 10.0.0.2 }\n',
      expected: [
        'site.yaml:8:13: MAC address 52:54:00:00:09:02 is taken by node "n2" (site.yaml:7:18) | each node has its own',
        'site.yaml:8:38: address 10.0.0.2 is taken by node "n2" (site.yaml:7:47) | each node has its own',
      ],
    },
    {
      nodes: '  n[1-2]: { mac: "52:54:00:00:09:0[1-2]", image: nope, colour: red }\n',
      expected: [
        'site.yaml:7:50: there is no image "nope" | write its recipe, images/nope.yaml',
        'unknown key "colour"',
      ],
    },
  ];
  for (const { nodes, expected } of wrong) {
    it(`reports the faults of ${nodes.trim().slice(0, 50)}`, async () => {
      const found = (await findings(nodes)).filter((line) => !line.includes('no pool is open'));
      assert.deepEqual(
        found.filter((line) => !expected.some((part) => line.includes(part))),
        [],
      );
      assert.equal(found.length, expected.length, found.join('\n'));
    });
  }

  it('leaves no stray-folder warnings for the nodes it names', async () => {
    const nodes = '  n[1-2]: { mac: "52:54:00:00:09:0[1-2]", ip: "10.0.0.[1-2]" }\n';
    await withSiteFolder({ 'site.yaml': HEAD + nodes, 'nodes/10-0-0-2/': '', 'nodes/n1/': '' }, async (folder) => {
      const loaded = await loadSite(folder);
      assert.ok(loaded.ok);
      assert.deepEqual(loaded.warnings, []);
      assert.deepEqual(
        [...loaded.site.nodes.values()].map((node) => node.folders),
        [['n1'], ['10-0-0-2']],
      );
    });
  });
});
