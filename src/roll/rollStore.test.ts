import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRoll } from './rollStore.ts';
import { aRoll, aRollNode } from './testing/fixture.ts';

test('a roll that an earlier release stored has its words as a note', () => {
  const { note: _, ...roll } = aRoll([]);
  const [one, two] = ['node01', 'node02'].map((name) => {
    const { note: __, ...node } = aRollNode(name);
    return node;
  });
  const stored = {
    ...roll,
    words: 'aborted',
    nodes: [
      { ...one, words: '3 instances left' },
      { ...two, words: '' },
    ],
  };
  assert.deepEqual(parseRoll(JSON.parse(JSON.stringify(stored))), {
    ...roll,
    note: { code: 'earlier', words: 'aborted' },
    nodes: [
      { ...one, note: { code: 'earlier', words: '3 instances left' } },
      { ...two, note: null },
    ],
  });
});

test('a roll of this release comes back as it is', () => {
  const node = aRollNode('node01', {
    note: { code: 'late', limitMs: 5, note: { code: 'stuck', stuck: { id: 'a', name: 'vm', status: 'ERROR' } } },
  });
  const roll = aRoll([], { nodes: [node], note: { code: 'stopped-by-node', node: 'node01', why: node.note } });
  assert.deepEqual(parseRoll(JSON.parse(JSON.stringify(roll))), roll);
});
