import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { ReveilleError } from '../errors.ts';
import { insertNodes, type NodeText, removeNode } from './nodeText.ts';

const entry = (key: string, more: Partial<NodeText> = {}): NodeText => ({
  key,
  macs: ['52:54:00:00:00:09'],
  ip: '10.0.0.9',
  profiles: [],
  vars: {},
  ...more,
});
const lines = (...all: readonly string[]) => `${all.join('\n')}\n`;

describe('entries put into site.yaml', () => {
  const table: readonly { name: string; before: string; add: readonly NodeText[]; after: string }[] = [
    {
      name: 'after the last node that is named alike, in its style, comments kept',
      before: lines(
        '# the rack',
        'nodes:',
        '    node01:          # first',
        '        mac: 52:54:00:00:00:51',
        '        vars:',
        '            note: |',
        '                text',
        '',
        '    # the store',
        '    store: {mac: 52:54:00:00:01:00}  # big',
        '',
        '# the end',
        'menu: {}',
      ),
      add: [entry('node02', { profiles: ['compute'], vars: { rack: 'g6', row: 1, odd: '1', text: 'a: b, c' } })],
      after: lines(
        '# the rack',
        'nodes:',
        '    node01:          # first',
        '        mac: 52:54:00:00:00:51',
        '        vars:',
        '            note: |',
        '                text',
        '    node02:',
        '        mac: 52:54:00:00:00:09',
        '        ip: 10.0.0.9',
        '        profiles: [compute]',
        '        vars: { rack: g6, row: 1, odd: "1", text: "a: b, c" }',
        '',
        '    # the store',
        '    store: {mac: 52:54:00:00:01:00}  # big',
        '',
        '# the end',
        'menu: {}',
      ),
    },
    {
      name: 'at the end, on one line as the neighbour is',
      before: lines('nodes:', '  a: { mac: 52:54:00:00:00:51 } # c', '  # more to come', 'menu: {}'),
      add: [entry('b'), entry('n[1-2]', { macs: ['52:54:00:00:00:[09-0a]'], ip: '10.0.0.[9-10]' })],
      after: lines(
        'nodes:',
        '  a: { mac: 52:54:00:00:00:51 } # c',
        '  b: { mac: 52:54:00:00:00:09, ip: 10.0.0.9 }',
        '  "n[1-2]": { mac: "52:54:00:00:00:[09-0a]", ip: "10.0.0.[9-10]" }',
        '  # more to come',
        'menu: {}',
      ),
    },
    {
      name: 'a range, in lines',
      before: lines('nodes:', '  a:', '    mac: 52:54:00:00:00:51'),
      add: [entry('n[1-2]', { macs: ['52:54:00:00:00:[09-0a]'], ip: '10.0.0.[9-10]' })],
      after: lines(
        'nodes:',
        '  a:',
        '    mac: 52:54:00:00:00:51',
        '  n[1-2]:',
        '    mac: 52:54:00:00:00:[09-0a]',
        '    ip: 10.0.0.[9-10]',
      ),
    },
    {
      name: 'into a file without nodes',
      before: 'site: a\nnetworks:\n    x: { subnet: 10.0.0.0/24 }',
      add: [entry('a', { macs: ['52:54:00:00:00:09', '52:54:00:00:00:0a'] })],
      after: lines(
        'site: a',
        'networks:',
        '    x: { subnet: 10.0.0.0/24 }',
        'nodes:',
        '    a:',
        '        mac: [52:54:00:00:00:09, 52:54:00:00:00:0a]',
        '        ip: 10.0.0.9',
      ),
    },
    {
      name: 'into an empty file',
      before: '',
      add: [entry('a', { macs: [] })],
      after: 'nodes:\n  a:\n    ip: 10.0.0.9\n',
    },
    {
      name: 'under nodes: without any',
      before: 'nodes: # none yet\nmenu: {}\n',
      add: [entry('a')],
      after: 'nodes: # none yet\n  a:\n    mac: 52:54:00:00:00:09\n    ip: 10.0.0.9\nmenu: {}\n',
    },
    {
      name: 'in place of {}',
      before: 'nodes: {} # none yet\n',
      add: [entry('a')],
      after: 'nodes: # none yet\n  a:\n    mac: 52:54:00:00:00:09\n    ip: 10.0.0.9\n',
    },
    {
      name: 'into braces',
      before: 'nodes: { a: { mac: "52:54:00:00:00:51" }, }\n',
      add: [entry('b')],
      after: 'nodes: { a: { mac: "52:54:00:00:00:51" }, b: { mac: 52:54:00:00:00:09, ip: 10.0.0.9 }, }\n',
    },
    {
      name: 'with the line ends of the file, and without a last one',
      before: 'nodes:\r\n  a:\r\n    mac: 52:54:00:00:00:51',
      add: [entry('b')],
      after:
        'nodes:\r\n  a:\r\n    mac: 52:54:00:00:00:51\r\n  b:\r\n    mac: 52:54:00:00:00:09\r\n    ip: 10.0.0.9\r\n',
    },
    {
      name: 'names that YAML would take for something else',
      before: 'nodes:\n  a:\n',
      add: [entry('007'), entry('null')],
      after:
        'nodes:\n  a:\n  007:\n    mac: 52:54:00:00:00:09\n    ip: 10.0.0.9\n  null:\n    mac: 52:54:00:00:00:09\n    ip: 10.0.0.9\n',
    },
  ];
  for (const { name, before, add, after } of table) {
    it(name, () => assert.equal(insertNodes(before, add), after));
  }

  it('are refused where they are already, or where nodes: cannot be added to', () => {
    const refused: readonly [string, RegExp][] = [
      ['nodes:\n  x: {}\n  b: {}\n', /^there is an entry "b" already$/],
      ['{ nodes: { a: {} } }\n', /cannot be added to/],
      ['- a\n', /cannot be added to/],
      ['nodes: [a]\n', /cannot be added to/],
      ['nodes:\n  ? a\n  : {}\n', /cannot be added to/],
    ];
    for (const [text, message] of refused) {
      assert.throws(() => insertNodes(text, [entry('b')]), { code: 'SITE_INVALID', message }, text);
    }
  });

  const word = fc.stringMatching(/^[a-z]{1,3}[0-9]{0,2}$/);
  const space = fc.constantFrom('', '\n', '# note\n', '  # note\n', '    # note\n\n');
  const node = fc
    .tuple(
      space,
      word,
      fc.constantFrom(
        ': { mac: x } # c\n',
        ':\n    mac: x\n',
        ':\n    vars:\n      t: |\n        a\n\n        b\n',
        ':\n',
      ),
    )
    .map((parts) => parts.join(''))
    .map((text) => text.replace(/^(?=[a-z])/m, '  '));
  it('leave every other byte as it was, and read back', () => {
    fc.assert(
      fc.property(fc.array(node, { minLength: 1, maxLength: 6 }), space, fc.boolean(), (nodes, end, more) => {
        const before = `nodes:\n${nodes.join('')}${end}${more ? 'menu: {}\n' : ''}`;
        const added = entry('new1', { vars: { t: 'x' } });
        const after = insertNodes(before, [added]);
        const at = [...before].findIndex((c, i) => c !== after[i]);
        const from = at === -1 ? before.length : at;
        const inserted = after.length - before.length;
        assert.ok(
          Array.from({ length: from + 1 }, (_, i) => i).some(
            (i) => after.slice(0, i) + after.slice(i + inserted) === before,
          ),
          after,
        );
        const options = { uniqueKeys: false, stringKeys: true };
        assert.deepEqual(parse(after, options), {
          ...parse(before, options),
          nodes: {
            ...parse(before, options).nodes,
            new1: { mac: '52:54:00:00:00:09', ip: '10.0.0.9', vars: { t: 'x' } },
          },
        });
      }),
    );
  });

  it('fail with nothing but our own error, whatever the file', () => {
    const piece = fc.oneof(
      fc.constantFrom('nodes:', '\n', '  ', 'a: ', '{', '}', '[', '# c', '|', '&x ', '*x', '- ', '? '),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        try {
          insertNodes(pieces.join(''), [entry('b')]);
        } catch (error) {
          assert.ok(error instanceof ReveilleError, String(error));
        }
      }),
    );
  });
});

describe('an entry taken out of site.yaml', () => {
  const before = lines('nodes:', '  # one', '  a:', '    mac: x', '', '  b: { mac: y } # c', '  # end');
  it('goes with its lines and leaves the rest', () => {
    assert.equal(removeNode(before, 'a'), lines('nodes:', '  # one', '', '  b: { mac: y } # c', '  # end'));
    assert.equal(removeNode(before, 'b'), lines('nodes:', '  # one', '  a:', '    mac: x', '', '  # end'));
  });
  it('has to be there, in lines of its own', () => {
    assert.throws(() => removeNode(before, 'c'), { code: 'NODE_UNKNOWN' });
    assert.throws(() => removeNode('nodes: { a: {}, b: {} }\n', 'a'), { code: 'SITE_INVALID' });
    assert.throws(() => removeNode('nodes:\n  a: {}\n', 'a'), { code: 'SITE_INVALID' });
  });
});
