import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Findings } from './finding.ts';
import { heldText } from './heldText.ts';
import { siteSchema } from './schema.ts';
import type { Declared } from './shape.ts';
import { SiteMemory } from './siteMemory.ts';
import { heldSite } from './siteText.ts';
import type { Path } from './yaml.ts';

const HEAD = 'site: test\nnetworks:\n  rack: { subnet: 10.0.0.0/16 }\n';

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path, [...path, 'absent']];
  const inner = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...inner.flatMap(([key, item]) => pathsIn(item, [...path, key]))];
}

/** Everything that can be asked of a document. */
function allOf(declared: Declared<unknown> | undefined): unknown {
  if (declared === undefined) return undefined;
  const paths = [...pathsIn(declared.value), ['nodes', 'node1', 'absent', 'more'], ['nodes', 'absent']];
  return {
    value: declared.value,
    order: Object.keys((declared.value as { nodes: object }).nodes),
    parts: paths.map((path) => [
      path,
      declared.place(path),
      declared.keyPlace(path),
      declared.names(path),
      declared.lost(path),
    ]),
  };
}

/** Reads the text in both ways; they must agree. Gives whether it was valid. */
function agree(text: string, memory: SiteMemory): boolean {
  const [whole, parts] = [new Findings(), new Findings()];
  const expected = heldText('site.yaml', text, siteSchema, whole);
  const found = heldSite(text, parts, memory);
  assert.deepEqual(allOf(found), allOf(expected), text);
  assert.deepEqual(parts.errors, whole.errors, text);
  return expected !== undefined && whole.errors.length === 0;
}

const ENTRIES = [
  '  node1: { mac: 52:54:00:00:00:01, ip: 10.0.0.1 }\n',
  '  node1: { mac: 52:54:00:00:00:01, ip: 10.0.0.1 } # the first\n',
  '  node2:\n    mac: 52:54:00:00:00:02\n    ip: 10.0.0.2\n    profiles: [a, b]\n    vars: { rack: 1, u: { v: [1, 2] } }\n',
  '  node2:\n    mac: [52:54:00:00:00:02, 52:54:00:00:00:03]\n\n    # more\n    kernelArgs:\n    - quiet\n    - "a b"\n',
  '  node[3-9]:\n    mac: 52:54:00:00:01:[03-09]\n    overlays: [x]\n',
  '  "node10": { mac: 52:54:00:00:00:0a }\n',
  '  11: { mac: 52:54:00:00:00:0b }\n',
  '  node12:\n    vars:\n      text: |\n        two\n        lines\n\n      more: "a\\nb"\n',
  '  node13:\n    vars: { a: é, b: 0x10,\n      c: 3 }\n',
];
const ODD = [
  '  node1:\n    mac: &m 52:54:00:00:00:01\n  nodeA:\n    mac: *m\n',
  '  node2: {\n',
  '  node2: { mack: 52:54:00:00:00:01 }\n',
  '  node2: { mac: 52:54:00:00:00:0x }\n',
  '  node2: "a\n  b"\n',
  ' node9: {}\n',
  '   node9: {}\n',
  '\tnode9: {}\n',
  '  - node9\n',
  '  node9\n',
  '  mac: 52:54:00:00:00:01\n',
  '  node2:\n  mac: 52:54:00:00:00:01\n',
  '# in the first column\n',
  '  # a comment\n',
  '\n',
  'vars: { a: 1 }\n',
  'vars:\n  a: 1\n',
  'nodes:\n',
  'nodes: {}\n',
  'profiles: { a: {} }\n',
  '---\n',
  '...\n',
  'site: again\n',
  '%YAML 1.1\n',
  "x: 'open\n",
];

describe('the text of a site, read by its nodes', () => {
  it('is what the whole text is, whatever stands in it', () => {
    const memory = new SiteMemory();
    let valid = 0;
    const entry = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...ENTRIES) }, fc.constantFrom(...ODD));
    const head = fc.constantFrom(
      HEAD,
      HEAD,
      HEAD,
      `---\n${HEAD}`,
      '',
      `${HEAD}vars: { a: &b 1, c: *b }\n`,
      `${HEAD}vars: |\n`,
      'x: "\n',
    );
    const tail = fc.constantFrom('', '', '', 'vars: { a: 1 }\n', 'vars:\n  a: 1\n# end\n', 'refresh: no\n', 'x');
    fc.assert(
      fc.property(head, fc.array(entry, { maxLength: 5 }), tail, (before, entries, after) => {
        if (agree(`${before}nodes:\n${entries.join('')}${after}`, memory)) valid++;
      }),
      { numRuns: 300 },
    );
    assert.ok(valid > 20, `only ${valid} sites were valid`);
  });

  it('is read anew only where it changed', () => {
    const memory = new SiteMemory();
    const text = `${HEAD}nodes:\n${ENTRIES[0]}${ENTRIES[2]}${ENTRIES[4]}`;
    const read = (one: string) => {
      const declared = heldSite(one, new Findings(), memory);
      return Object.values(declared?.value.nodes ?? {});
    };
    const before = read(text);
    assert.equal(before.length, 3);
    const after = read(text.replace('10.0.0.2', '10.0.0.3'));
    assert.deepEqual(
      after.map((one, i) => one === before[i]),
      [true, false, true],
    );
  });
});
