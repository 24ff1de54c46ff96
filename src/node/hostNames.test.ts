import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSite } from '../site/load.ts';
import { findingText, type SiteFiles, withSiteFolder } from '../site/testing/folderFixture.ts';
import { checkFolders } from './check.ts';

/** What check says of nodes a, b, c ... of which the first have these profiles' settings. */
async function messages(files: SiteFiles, settings: object = {}, domain?: string): Promise<readonly string[]> {
  const nodes = Object.fromEntries(
    ['a', 'b', 'c', 'd'].map((name, i) => [name, { mac: `52:54:00:00:00:5${i}`, ip: `10.0.0.5${i}`, ...settings }]),
  );
  const site = { site: 't', networks: { n: { subnet: '10.0.0.0/24', ...(domain && { domain }) } }, nodes };
  return withSiteFolder({ 'site.yaml': JSON.stringify(site), ...files }, async (folder) => {
    const loaded = await loadSite(folder);
    assert(loaded.ok, JSON.stringify(loaded));
    const { errors, warnings } = await checkFolders(loaded.site);
    return [
      ...errors.map((one) => `error ${findingText(one)}`),
      ...warnings.map((one) => `warning ${findingText(one)}`),
    ].map((line) => line.replace(/ \| .*/, ''));
  });
}

const CASES: readonly (readonly [string, SiteFiles, readonly string[], object?, string?])[] = [
  ['fine', { 'nodes/a/hostname': '# mine\ngpu\n', 'nodes/b/hostname.j2': 'x-{{ node.name }}\r\n' }, []],
  [
    'two of one name, whatever the case',
    { 'nodes/a/hostname': 'gpu\n', 'nodes/b/hostname': 'GPU\n' },
    ['error nodes/b/hostname:1:1: node "b" calls itself GPU, as node "a" (nodes/a/hostname:1:1) does'],
  ],
  [
    "another node's",
    { 'nodes/10-0-0-50/hostname': '\nb\n' },
    ['error nodes/10-0-0-50/hostname:2:1: node "a" calls itself b, as node "b" does'],
  ],
  ['empty', { 'nodes/a/hostname': '' }, ['error nodes/a/hostname:1:1: "" cannot be a host name: it is empty']],
  [
    'comments alone',
    { 'nodes/a/hostname': '# x\n' },
    ['error nodes/a/hostname:1:1: "" cannot be a host name: it is empty'],
  ],
  [
    'too long',
    { 'nodes/a/hostname': `${'7'.repeat(80)}\n` },
    [`error nodes/a/hostname:1:1: "${'7'.repeat(60)}..." cannot be a host name: a part of it has 80 characters`],
  ],
  ['two names', { 'nodes/a/hostname': 'gpu\nother\n' }, ['error nodes/a/hostname:2:1: a second name stands here']],
  [
    'underscore below files/',
    { 'nodes/a/files/etc/hostname': ' gpu_1\n' },
    ['error nodes/a/files/etc/hostname:1:2: "gpu_1" cannot be a host name: it has "_" in it'],
  ],
  [
    'a template that gives all the same',
    { 'overlays/o/etc/hostname.j2': 'gpu\n' },
    [
      'error overlays/o/etc/hostname.j2:1:1: node "b" calls itself gpu, as node "a" (overlays/o/etc/hostname.j2:1:1) does',
    ],
    { overlays: ['o'] },
  ],
  [
    'a template that makes something malformed of a variable',
    { 'overlays/o/etc/hostname.j2': '{{ node.name }}{{ vars.end }}\n' },
    ['a', 'b', 'c', 'd'].map(
      (name) =>
        `error overlays/o/etc/hostname.j2:1:1: "${name}-" cannot be a host name: a part of it begins or ends with a hyphen`,
    ),
    { overlays: ['o'], vars: { end: '-' } },
  ],
  [
    'too long with its domain, by a shipped overlay',
    {},
    ['a', 'b', 'c', 'd'].map(
      (name) =>
        `error overlays/hostname/etc/hostname.j2 (shipped):1:1: "${name}.${'d'.repeat(58)}..." cannot be a host name: it has 65 characters, and Linux keeps 64`,
    ),
    { overlays: ['hostname'], vars: { hostname: { fqdn: true } } },
    `${'d'.repeat(60)}.ee`,
  ],
  [
    'alike without their domains',
    { 'nodes/a/hostname': 'gpu.one\n', 'nodes/b/hostname': 'gpu.two\n' },
    [
      'warning nodes/b/hostname:1:1: node "b" calls itself gpu.two and node "a" (nodes/a/hostname:1:1) gpu.one: without their domains they are the same',
    ],
  ],
  [
    'tokens',
    { 'nodes/a/hostname': 'XXX\n' },
    ['error nodes/a/hostname:1:1: node "a" calls itself b, as node "b" does'],
    { replace: { '/etc/hostname': { XXX: 'b' } } },
  ],
  ['a number', { 'nodes/a/hostname': '51\n' }, ['warning nodes/a/hostname:1:1: the host name "51" is a number']],
  ['facts, which are not known here', { 'nodes/a/hostname.j2': '{% if facts %}b{% endif %}\n' }, []],
];

for (const [words, files, expected, settings, domain] of CASES) {
  test(`names of machines: ${words}`, async () => {
    assert.deepEqual(await messages(files, settings, domain), expected);
  });
}
