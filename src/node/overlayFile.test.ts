import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Findings } from '../site/finding.ts';
import { findingText } from '../site/testing/folderFixture.ts';
import { parseOverlayFile } from './overlayFile.ts';

const FILE = 'overlays/x/overlay.yaml';

test('owners and modes, hooks, and the keys that belong to others', () => {
  const findings = new Findings();
  const read = parseOverlayFile(
    FILE,
    [
      'about: Time from the rack`s own server',
      'vars: { anything: [1, { at: all }] }',
      '/etc/chrony/chrony.keys: { owner: root, group: 110, mode: "0640" }',
      'hooks:',
      '  - { files: [/etc/chrony/**, /etc/default/chrony], run: systemctl try-reload-or-restart chrony }',
      '  - run: |',
      '      set -e',
      '      true',
    ].join('\n'),
    findings,
  );
  assert.deepEqual(findings.errors, []);
  assert.deepEqual(
    [...read.access],
    [['/etc/chrony/chrony.keys', { place: { file: FILE, line: 3, col: 1 }, owner: 'root', group: '110', mode: 0o640 }]],
  );
  assert.deepEqual(read.hooks, [
    { files: ['/etc/chrony/**', '/etc/default/chrony'], run: 'systemctl try-reload-or-restart chrony' },
    { run: 'set -e\ntrue\n' },
  ]);
});

test('an empty file says nothing', () => {
  const findings = new Findings();
  assert.deepEqual(parseOverlayFile(FILE, '# nothing yet\n', findings).hooks, []);
  assert.deepEqual(findings.errors, []);
});

const WRONG: readonly (readonly [text: string, ...findings: string[]])[] = [
  ['[]', '1:1: is a map from paths on the node to owner, group and mode'],
  ['etc/a: {}', '1:1: unknown key "etc/a" | paths on the node begin with /; other keys are about, vars, hooks'],
  ['/a: x', '1:1: expected { owner: ..., group: ..., mode: "0640" }'],
  [
    '/a: { mode: 0640, owner: "a b", user: x }',
    '1:13: mode is not',
    '1:26: owner is neither',
    '1:33: unknown key "user"',
  ],
  ['hooks: systemctl reload x', '1:8: hooks is a list, not the text'],
  ['hooks:\n- x\n- {}', '2:3: a hook is a map', '3:3: this hook has no command'],
  [
    'hooks:\n- { run: "" }\n- { run: [a] }\n- { run: "a\\eb" }',
    '2:10: run is a shell command',
    '3:10: run is',
    '4:10: run is',
  ],
  [
    'hooks:\n- { run: a, files: /etc/a }',
    '2:20: files is a list of paths on the node, not the text "/etc/a" | such as',
  ],
  ['hooks:\n- { run: a, files: [] }', '2:20: files is a list'],
  ['hooks:\n- { run: a, files: [/a, etc/b] }', '2:25: the text "etc/b" is not an absolute path'],
  ['hooks:\n- { run: a, file: [/a] }', '2:13: unknown key "file" | known keys: files, run'],
];

for (const [text, ...wanted] of WRONG) {
  test(`reported with its place: ${text.replaceAll('\n', ' ')}`, () => {
    const findings = new Findings();
    parseOverlayFile(FILE, text, findings);
    const found = findings.errors.map(findingText);
    assert.equal(found.length, wanted.length, found.join('\n'));
    wanted.forEach((start, i) => {
      assert.ok(found[i]?.startsWith(`${FILE}:${start}`), `${found[i]}, not ${start}`);
    });
  });
}

test('no text makes it throw, and what it reads is well formed', () => {
  const parts = fc.constantFrom('hooks', 'run', 'files', ':', ' ', '\n', '- ', '{', '}', '[', ']', '/a', '*', '"', ',');
  const texts = fc.oneof(
    fc.array(parts).map((list) => list.join('')),
    fc.string(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const { hooks } = parseOverlayFile(FILE, text, new Findings());
      for (const { run, files } of hooks) {
        assert.ok(run.trim() !== '');
        for (const glob of files ?? []) assert.ok(glob.startsWith('/'));
      }
    }),
  );
});
