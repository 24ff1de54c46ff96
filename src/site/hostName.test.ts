import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostNameProblem, namesInFile } from './hostName.ts';
import { loadSite } from './load.ts';
import { findingText, withSiteFolder } from './testing/folderFixture.ts';

describe('a host name', () => {
  const cases: readonly (readonly [string, RegExp | undefined])[] = [
    ['gpu', undefined],
    ['GPU-01.rack.example.org', undefined],
    ['7up', undefined],
    ['a'.repeat(63), undefined],
    [`${'a'.repeat(31)}.${'b'.repeat(32)}`, undefined],
    ['', /it is empty/],
    ['a'.repeat(64), /a part of it has 64 characters/],
    [`${'a'.repeat(32)}.${'b'.repeat(32)}`, /65 characters, and Linux keeps 64/],
    ['0'.repeat(80), /a part of it has 80 characters/],
    ['gpu_1', /it has "_" in it/],
    ['-gpu', /begins or ends with a hyphen/],
    ['gpu-', /begins or ends with a hyphen/],
    ['gpu.-a', /begins or ends with a hyphen/],
    ['.gpu', /begins or ends with a dot/],
    ['gpu.', /begins or ends with a dot/],
    ['a..b', /two dots/],
    ['gpu 1', /a blank/],
    ['bücher', /beyond ASCII.*xn--bcher-kva/s],
    ['10.0.0.51', /reads as an address/],
    ['rack.7', /reads as an address/],
    ['a/b', /it has "\/" in it/],
    ['$(id)', /it has "\$" in it/],
    ['0051', /is a number/],
  ];
  for (const [name, why] of cases) {
    test(JSON.stringify(name), () => {
      const problem = hostNameProblem(name);
      if (why) assert.match(`${problem?.message} ${problem?.hint}`, why);
      else assert.equal(problem, undefined);
      assert.equal(problem?.bad ?? false, why !== undefined && name !== '0051');
    });
  }

  test('is the first line of its file that is more than a comment', () => {
    assert.deepEqual(namesInFile('# mine\n\n  gpu # it\nb\n'), [
      { name: 'gpu', line: 3, col: 3 },
      { name: 'b', line: 4, col: 1 },
    ]);
    assert.deepEqual(namesInFile('\n# only\n'), []);
  });
});

describe('names that the site gives', () => {
  const messages = (yaml: string) =>
    withSiteFolder({ 'site.yaml': yaml }, async (folder) => {
      const loaded = await loadSite(folder);
      return [...(loaded.ok ? [] : loaded.findings), ...loaded.warnings].map(findingText).join('\n');
    });
  const node = (i: number, more = '') => `{ mac: 52:54:00:00:00:${50 + i}, ip: 10.0.0.${50 + i}${more} }`;
  const head = 'site: t\nnetworks:\n  n: { subnet: 10.0.0.0/24';
  const cases: readonly (readonly [string, string, RegExp | ''])[] = [
    ['as they should be', `${head} }\nnodes:\n  a: ${node(1)}\n  b: ${node(2, ', options: { host-name: c }')}\n`, ''],
    [
      'differing in case',
      `${head} }\nnodes:\n  gpu: ${node(1)}\n  GPU: ${node(2)}\n`,
      /^site\.yaml:6:3: node "GPU" differs/,
    ],
    ['with an underscore', `${head} }\nnodes:\n  gpu_1: ${node(1)}\n`, /^site\.yaml:5:3: .*gpu_1/],
    ['too long', `${head} }\nnodes:\n  ${'a'.repeat(64)}: ${node(1)}\n`, /^site\.yaml:5:3: .*cannot name a node/],
    ['empty', `${head} }\nnodes:\n  "": ${node(1)}\n`, /^site\.yaml:5:3: /],
    ['beyond ASCII', `${head} }\nnodes:\n  bücher: ${node(1)}\n`, /^site\.yaml:5:3: .*cannot name a node/],
    ['numbers', `${head} }\nnodes:\n  "0051": ${node(1)}\n`, /^site\.yaml:5:3: the host name "0051" is a number/],
    [
      'of a range',
      `${head} }\nnodes:\n  gpu-[01-02]-: { mac: "52:54:00:00:00:[51-52]", ip: "10.0.0.[51-52]" }\n`,
      /^site\.yaml:5:3: /,
    ],
    [
      'given, malformed',
      `${head} }\nnodes:\n  a: ${node(1, ', options: { host-name: b_c }')}\n`,
      /^site\.yaml:5:\d+: "b_c" cannot be a host name/,
    ],
    [
      'given by number',
      `${head} }\nnodes:\n  a: ${node(1, ', options: { 12: { text: b_c } }')}\n`,
      /"b_c" cannot be a host name/,
    ],
    [
      'given twice',
      `${head} }\nnodes:\n  a: ${node(1, ', options: { host-name: x }')}\n  b: ${node(2, ', options: { host-name: X }')}\n`,
      /^site\.yaml:6:3: DHCP gives node "b" the name X, which node "a" has too/,
    ],
    [
      "given another node's",
      `${head} }\nnodes:\n  a: ${node(1, ', options: { host-name: b }')}\n  b: ${node(2)}\n`,
      /^site\.yaml:5:3: DHCP gives node "a" the name b, which node "b" has too/,
    ],
    [
      'given by a network',
      `${head}, options: { host-name: x } }\nnodes:\n  a: ${node(1)}\n  b: ${node(2)}\n`,
      /^site\.yaml:6:3: DHCP gives node "b" the name x, which node "a" has too/,
    ],
    [
      'given by a network, malformed',
      `${head}, options: { host-name: x_y } }\n`,
      /^site\.yaml:3:\d+: "x_y" cannot be a host name/,
    ],
    [
      'too long with the domain',
      `${head}, domain: ${Array.from({ length: 5 }, () => 'd'.repeat(49)).join('.')} }\nnodes:\n  node-of-rack: ${node(1)}\n`,
      /^site\.yaml:3:\d+: with this domain the name of node "node-of-rack" has more than 253/,
    ],
  ];
  for (const [words, yaml, why] of cases) {
    test(words, async () => {
      if (why === '') assert.equal(await messages(yaml), '');
      else assert.match(await messages(yaml), why);
    });
  }
});
