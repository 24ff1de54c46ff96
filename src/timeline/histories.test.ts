import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Boot } from './boots.ts';
import { Histories } from './histories.ts';

const mac = (text: string): Mac => parseMac(text) ?? assert.fail(text);
const ONE = mac('52:54:00:00:00:01');
const TWO = mac('52:54:00:00:00:02');

function siteOf(nodes: Readonly<Record<string, readonly [Mac, ...Mac[]]>>) {
  const list = Object.entries(nodes).map(([name, macs]) => ({ name, macs }));
  return {
    nodes: new Map(list.map((node) => [node.name, node])),
    nodeByMac: new Map(list.flatMap((node) => node.macs.map((one) => [one, node] as const))),
  };
}

const rows: readonly {
  readonly what: string;
  readonly before: ReturnType<typeof siteOf>;
  readonly after: ReturnType<typeof siteOf>;
  readonly inherits: readonly string[];
}[] = [
  {
    what: 'a node that has another name now',
    before: siteOf({ old: [ONE] }),
    after: siteOf({ new: [ONE] }),
    inherits: ['old -> new'],
  },
  {
    what: 'a node whose second card is known',
    before: siteOf({ old: [ONE] }),
    after: siteOf({ new: [TWO, ONE] }),
    inherits: ['old -> new'],
  },
  { what: 'a node that keeps its name', before: siteOf({ a: [ONE] }), after: siteOf({ a: [TWO] }), inherits: [] },
  {
    what: 'a card that went to another node while the first stays',
    before: siteOf({ a: [ONE] }),
    after: siteOf({ a: [TWO], b: [ONE] }),
    inherits: [],
  },
  { what: 'a machine that is new', before: siteOf({}), after: siteOf({ a: [ONE] }), inherits: [] },
];
for (const { what, before, after, inherits } of rows) {
  it(`gives the boots of a machine to ${what}: ${inherits.length}`, () => {
    const given: string[] = [];
    const boots = (name: string): readonly Boot[] => [
      { startedAt: 1, updatedAt: 2, state: 'ready', steps: [], name } as unknown as Boot,
    ];
    const timeline = {
      boots,
      inherit: (name: string, seen: readonly { readonly boot: Boot }[]) =>
        void given.push(...seen.map(({ boot }) => `${(boot as unknown as { name: string }).name} -> ${name}`)),
    };
    const histories = new Histories(timeline, before);
    histories.follow(after, []);
    histories.follow(after, []);
    assert.deepEqual(given, inherits);
  });
}
