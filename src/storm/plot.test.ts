import assert from 'node:assert/strict';
import { test } from 'node:test';
import { svg } from './plot.ts';

const plot = {
  title: 'DHCP & <TFTP>',
  x: { label: 'nodes', log: true },
  y: { label: 'time (ms)' },
  series: [
    {
      name: 'DHCP',
      points: [
        [10, 1],
        [1000, 2],
        [100_000, 4],
      ] as const,
    },
    {
      name: 'TFTP',
      points: [
        [10, 3],
        [100_000, 5],
      ] as const,
    },
  ],
};

test('a plot has its title, its axes with their units, its ticks and each line by name', () => {
  const text = svg(plot);
  assert.match(text, /^<svg xmlns="[^"]+" viewBox="0 0 720 400" role="img" aria-label="DHCP &amp; &lt;TFTP>">/);
  for (const word of ['nodes', 'time (ms)', '>DHCP<', '>TFTP<', '>10<', '>1,000<', '>100,000<', '>5<'])
    assert.ok(text.includes(word), word);
  assert.equal([...text.matchAll(/<polyline /g)].length, 2);
  assert.match(text, /prefers-color-scheme: dark/);
});

test('points lie where their values are: the axes of the first and last, a decade apart as the next', () => {
  const [points = ''] = [...svg(plot).matchAll(/<polyline [^>]*points="([^"]*)"/g)].map(([, found]) => found);
  const [first, middle, last] = points.split(' ').map((pair) => pair.split(',').map(Number));
  assert.deepEqual([first?.[0], last?.[0]], [76, 696]);
  assert.equal(middle?.[0], 386);
  assert.ok((first?.[1] ?? 0) > (last?.[1] ?? 0), 'more is higher up');
});

test('a plot of one point, of none and of zeros is drawn, too', () => {
  for (const points of [
    [],
    [[0, 0]],
    [
      [5, 0],
      [5, 0],
    ],
  ] as const)
    assert.doesNotMatch(svg({ ...plot, x: { label: 'x' }, series: [{ name: 'a', points }] }), /NaN|Infinity/);
});
