import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ReveilleError } from '../errors.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { addNodes, type NewNode } from './addNodes.ts';
import { editSite } from './edit.ts';
import { lineDiff } from './lineDiff.ts';
import { loadSite } from './load.ts';
import { likelyNetwork, nextAddresses, nextName } from './propose.ts';
import { withSiteFolder } from './testing/folderFixture.ts';

const SITE = `# the rack
networks:
  a:
    subnet: 10.0.0.0/28
    server: 10.0.0.1
    gateway: 10.0.0.14
    dns: [10.0.0.2]
    pools: [{ range: 10.0.0.6-10.0.0.8 }]
  b: { subnet: 10.0.1.0/24 }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.4 } # first
  lab1: { mac: 52:54:00:00:00:61, ip: 10.0.1.9 }
`;
const node = (key: string, more: Partial<NewNode> = {}): NewNode => ({
  key,
  macs: ['52:54:00:00:00:99'],
  profiles: [],
  vars: {},
  ...more,
});

async function inSite<T>(use: (folder: string, text: () => Promise<string>) => Promise<T>, site = SITE): Promise<T> {
  return withSiteFolder({ 'site.yaml': site }, (folder) =>
    use(folder, () => readFile(join(folder, 'site.yaml'), 'utf8')),
  );
}

describe('adding nodes to a site', () => {
  it('adds lines and nothing else, keeps mode and link, and leaves nothing behind', async () => {
    await inSite(async (folder, text) => {
      await chmod(join(folder, 'site.yaml'), 0o640);
      await addNodes(folder, [node('node02', { ip: 'next' })]);
      const line = '  node02: { mac: 52:54:00:00:00:99, ip: 10.0.0.5 }\n';
      assert.equal(await text(), SITE.replace('# first\n', `# first\n${line}`));
      assert.equal((await stat(join(folder, 'site.yaml'))).mode & 0o777, 0o640);
      assert.deepEqual(await readdir(folder), ['site.yaml']);
      await withSiteFolder({}, async (linking) => {
        await symlink(join(folder, 'site.yaml'), join(linking, 'site.yaml'));
        await addNodes(linking, [node('node03', { macs: ['52:54:00:00:00:98'] })]);
        assert.match(await text(), /node03/);
      });
    });
  });

  it('finds addresses for ranges, tables and networks', async () => {
    await inSite(async (folder) => {
      const { entries } = await addNodes(
        folder,
        [
          node('lab[2-4]', { macs: ['52:54:00:00:01:0[2-4]'], ip: 'next' }),
          node('node07', { macs: ['52:54:00:00:00:97'], ip: '10.0.0.5' }),
          node('node08', { macs: ['52:54:00:00:00:98'], ip: 'next' }),
          node('other', { macs: ['52:54:00:00:00:96'], ip: 'next', network: 'b' }),
        ],
        { dryRun: true },
      );
      assert.deepEqual(
        entries.map(({ ip }) => ip),
        ['10.0.1.[10-12]', '10.0.0.5', '10.0.0.9', '10.0.1.1'],
      );
    });
  });

  it('writes nothing with a dry run, nor if the site would not load with it', async () => {
    await inSite(async (folder, text) => {
      const { edit } = await addNodes(folder, [node('node02')], { dryRun: true });
      assert.ok(edit.site.nodes.has('node02'));
      const refused: readonly (readonly NewNode[])[] = [
        [node('node01')],
        [node('node02'), node('node03')],
        [node('node02', { ip: '10.0.9.9' })],
        [node('node02', { profiles: ['none'] })],
        [node('node_2')],
        [node('node[2-3]')],
        [node('node02', { ip: 'next', network: 'c' })],
        [node('else', { ip: 'next' })],
        [node('node[02-90]', { ip: 'next' })],
      ];
      for (const nodes of refused)
        await assert.rejects(addNodes(folder, nodes), { code: 'SITE_INVALID' }, nodes[0]?.key);
      assert.equal(await text(), SITE);
      assert.deepEqual(await readdir(folder), ['site.yaml']);
    });
  });

  it('gives MAC addresses to the nodes of a range, and does not change nodes that are whole', async () => {
    const planned = 'networks: { a: { subnet: 10.0.0.0/24 } }\nnodes:\n  n[1-2]:\n    ip: 10.0.0.[1-2]\n';
    await inSite(async (folder, text) => {
      const pair = [node('n1', { macs: ['52:54:00:00:00:71'] }), node('n2', { macs: ['52:54:00:00:00:72'] })];
      await addNodes(folder, pair);
      assert.equal(await text(), `${planned}  n1:\n    mac: 52:54:00:00:00:71\n  n2:\n    mac: 52:54:00:00:00:72\n`);
      await assert.rejects(addNodes(folder, [node('n2')]), { code: 'SITE_INVALID', message: /has a node n2 already/ });
    }, planned);
  });

  it('takes the nodes of a range one by one, and gives their addresses to no other node', async () => {
    const planned = 'networks: { a: { subnet: 10.0.0.0/24 } }\nnodes:\n  n[1-3]:\n    ip: 10.0.0.[1-3]\n';
    await inSite(async (folder) => {
      await addNodes(folder, [node('n2', { macs: ['52:54:00:00:00:72'] })]);
      const { entries } = await addNodes(folder, [node('m1', { macs: ['52:54:00:00:00:73'], ip: 'next' })]);
      assert.equal(entries[0]?.ip, '10.0.0.4');
    }, planned);
  });

  it('reports the fault of a line of a table at its place there', async () => {
    await inSite(async (folder) => {
      const at = (line: number) => ({ place: { file: 't.csv', line, col: 1 } });
      const good = node('node02', { macs: ['52:54:00:00:00:71'], ...at(2) });
      const refused: readonly (readonly [NewNode, RegExp])[] = [
        [node('node03', { macs: ['52:54:00:00:00:51'], ...at(3) }), /taken by node "node01"/],
        [node('node03', { profiles: ['none'], ...at(3) }), /no profile "none"/],
        [node('node01', at(3)), /the site has a node node01 already/],
      ];
      for (const [bad, message] of refused) {
        await assert.rejects(addNodes(folder, [good, bad]), (error: ReveilleError) => {
          assert.match(error.message, message);
          assert.deepEqual(error.place, { file: 't.csv', line: 3, col: 1 });
          return true;
        });
      }
    });
  });

  it('writes nothing where the file was edited meanwhile', async () => {
    await inSite(async (folder, text) => {
      const path = join(folder, 'site.yaml');
      const edit = editSite(folder, (before) => `${before}# mine\n`, {
        check: () => writeFileSync(path, `${SITE}# theirs\n`),
      });
      await assert.rejects(edit, { code: 'SITE_INVALID', message: /was edited meanwhile/ });
      assert.equal(await text(), `${SITE}# theirs\n`);
      await writeFile(join(folder, '.site.yaml.new'), '');
      await assert.rejects(
        editSite(folder, (before) => `${before}# x\n`),
        { code: 'SITE_INVALID', hint: /cut off/ },
      );
      await assert.rejects(
        editSite(join(folder, 'none'), (before) => before),
        { code: 'SITE_INVALID' },
      );
    });
  });
});

describe('what is proposed for a new node', () => {
  it('is the name after the last of the commonest family', () => {
    const table: readonly [readonly string[], string][] = [
      [[], 'node01'],
      [['store', 'desk'], 'node01'],
      [['node01', 'node02', 'store1'], 'node03'],
      [['n9', 'n10', 'x1'], 'n11'],
      [['node099'], 'node100'],
      [['r1n01', 'r1n02', 'r2n01', 'a1'], 'r2n02'],
    ];
    for (const [names, name] of table) assert.equal(nextName(names), name, names.join());
  });

  it('is the network of nodes named alike, and its next addresses, wrapping around', async () => {
    await inSite(async (folder) => {
      const loaded = await loadSite(folder);
      assert.ok(loaded.ok);
      const network = likelyNetwork(loaded.site, 'node02');
      assert.equal(network.name, 'a');
      assert.deepEqual(nextAddresses(loaded.site, network, 'node02', 7).map(formatIpv4), [
        '10.0.0.5',
        '10.0.0.9',
        '10.0.0.10',
        '10.0.0.11',
        '10.0.0.12',
        '10.0.0.13',
        '10.0.0.3',
      ]);
      assert.throws(() => nextAddresses(loaded.site, network, 'node02', 8), {
        code: 'SITE_INVALID',
        message: /has 7 free/,
      });
    });
  });
});

it('a difference in lines reads as patch and people expect', () => {
  const before = 'a\nb\nc\nd\ne\nf\n';
  assert.equal(lineDiff('x', before, before), '');
  assert.equal(
    lineDiff('x', before, 'a\nb\nc\nd\nnew\ne\nf\n'),
    '--- x\n+++ x\n@@ -2,5 +2,6 @@\n b\n c\n d\n+new\n e\n f\n',
  );
  assert.equal(
    lineDiff('x', 'a', 'a\nb\n'),
    '--- x\n+++ x\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n',
  );
  assert.equal(lineDiff('x', '', 'a\n'), '--- x\n+++ x\n@@ -0,0 +1,1 @@\n+a\n');
});
