import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../errors.ts';
import type { Replacement } from '../model/node.ts';
import { nodeFixture } from '../site/testing/fixture.ts';
import { type BundleFile, makeBundle } from './bundle.ts';
import { checkTemplates } from './check.ts';
import { replaceTokens } from './replace.ts';
import { createRenderer } from './templates.ts';
import { SIX_CARDS, TWO_CARDS } from './testing/machineFixture.ts';
import { filesOf, withSite } from './testing/renderFixture.ts';

const renderer = createRenderer();
const PATH = '/etc/nova/nova.conf';

function replacements(tokens: Readonly<Record<string, string>>, path = PATH): readonly Replacement[] {
  const place = { file: 'site.yaml', line: 7, col: 3 };
  return Object.entries(tokens).map(([token, value]) => ({ path, token, value, by: 'profile old', place }));
}

function swapped(content: string | Uint8Array, tokens: Readonly<Record<string, string>>, sees: object = {}): Buffer {
  const file = {
    path: PATH,
    mode: 0o640,
    owner: 'root',
    group: 'nova',
    origin: 'overlay x',
    content: Buffer.from(content),
  };
  const files = new Map<string, BundleFile>([[PATH, file]]);
  replaceTokens(nodeFixture({ replace: replacements(tokens) }), files, sees, renderer);
  const after = files.get(PATH);
  assert(after && 'content' in after);
  assert.deepEqual({ ...after, content: 0 }, { ...file, content: 0 });
  return Buffer.from(after.content);
}

const SITE = {
  networks: { rack: { subnet: '10.0.0.0/24', gateway: '10.0.0.1' } },
  profiles: {
    old: {
      replace: {
        '/etc/netplan/00-installer-config.yaml': {
          XXX: '{{ net.main.name }}',
          YYY: '{{ node.ip }}',
          ZZZ: '{{ network.gateway }}',
          KKK: '{{ net.second.name }}',
        },
        '/etc/hostname': { node: 'machine' },
      },
    },
  },
  nodes: { node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['old'] } },
};

describe('tokens', () => {
  test('of files of the image are left to the agent, their values made for the node: with two cards and with six', async () => {
    await withSite({ 'site.yaml': JSON.stringify(SITE) }, async (site) => {
      for (const [facts, main, second] of [
        [TWO_CARDS, 'eth0', 'eth1'],
        [SIX_CARDS, 'ens1f0', 'eno2'],
      ] as const) {
        const files = await filesOf(site, 'node01', { facts });
        const file = files.get('/etc/netplan/00-installer-config.yaml');
        assert(file && 'replace' in file);
        assert.deepEqual(
          [...file.replace],
          [
            ['XXX', main],
            ['YYY', '10.0.0.51'],
            ['ZZZ', '10.0.0.1'],
            ['KKK', second],
          ],
        );
        assert.equal(file.origin, 'replace of profile old');
        const { manifest, blobs } = makeBundle([file], []);
        const [kind, ...rest] = manifest.trimEnd().split('\t');
        assert.deepEqual([kind, ...rest.slice(0, 3), rest[4]], ['replace', '-', '-', '-', file.path]);
        const lines = Buffer.from(blobs.get(rest[3] ?? '') ?? []).toString();
        assert.equal(lines, `XXX\t${main}\nYYY\t10.0.0.51\nZZZ\t10.0.0.1\nKKK\t${second}\n`);
      }
      assert.deepEqual(await checkTemplates(site), []);
    });
  });

  test('of a file that the node gets anyway are swapped in it', async () => {
    await withSite({ 'site.yaml': JSON.stringify(SITE) }, async (site) => {
      const file = (await filesOf(site, 'node01', { facts: TWO_CARDS })).get('/etc/hostname');
      assert(file && 'content' in file);
      assert.equal(Buffer.from(file.content).toString(), 'machine01\n');
    });
  });

  test('are literal, the longer one counts, and what was put in is not looked at again', () => {
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
      ['a XXX b XXX', { XXX: 'eth1' }, 'a eth1 b eth1'],
      ['XXX XXXX', { XXX: '1', XXXX: '2' }, '1 2'],
      ['A B', { A: 'B', B: 'A' }, 'B A'],
      ['x.*y $& x+y', { '.*': '$&', '$&': '.*' }, 'x$&y .* x+y'],
      ['a', { a: '' }, ''],
      ['grüße XÜX', { XÜX: 'ä' }, 'grüße ä'],
    ];
    for (const [before, tokens, after] of cases) assert.equal(swapped(before, tokens).toString(), after, before);
  });

  test('bytes that are no text stay as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const before = Buffer.from(bytes);
        // A last X would make the token begin earlier.
        if (before.includes('XXX') || before.at(-1) === 'X'.charCodeAt(0)) return;
        assert.deepEqual(swapped(before, { XXX: 'y' }), before);
        const with3 = Buffer.concat([before, Buffer.from('XXX')]);
        assert.deepEqual(swapped(with3, { XXX: 'y' }), Buffer.concat([before, Buffer.from('y')]));
      }),
    );
  });

  test('in a link, of several lines, or of a broken template are refused with the place in the site', () => {
    const refusal = (value: string, file?: BundleFile) => {
      const files = new Map<string, BundleFile>(file ? [[PATH, file]] : []);
      try {
        replaceTokens(nodeFixture({ replace: replacements({ XXX: value }) }), files, { lines: 'a\nb' }, renderer);
      } catch (error) {
        assert(error instanceof ReveilleError && error.place);
        return `${formatPlace(error.place)}: ${error.message}`;
      }
      return assert.fail('it was taken');
    };
    const link = { path: PATH, mode: 0o777, owner: 'root', group: 'root', origin: 'overlay x', target: '/x' };
    assert.match(refusal('a', link), /^site\.yaml:7:3: \/etc\/nova\/nova\.conf is written as a link/);
    assert.match(refusal('{{ lines }}'), /^site\.yaml:7:3: .*one line/);
    assert.match(refusal('{{ nothing }}'), /^site\.yaml:7:3: nothing has no value/);
    assert.match(refusal('{{ a'), /^site\.yaml:7:3: /);
  });

  test('check reports each broken value once, at its place, however many nodes have it', async () => {
    const site = {
      networks: { rack: { subnet: '10.0.0.0/24' } },
      profiles: { old: { replace: { '/etc/x': { XXX: '{{ vars.absent }}', YYY: '{{ node.ip' } } } },
      nodes: {
        node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['old'] },
        node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['old'] },
      },
    };
    await withSite({ 'site.yaml': JSON.stringify(site) }, async (loaded) => {
      const findings = await checkTemplates(loaded);
      assert.equal(findings.length, 2);
      assert.match(findings[0]?.message ?? '', /vars\.absent has no value/);
      assert(findings.every(({ place }) => place.file === 'site.yaml'));
    });
  });
});
