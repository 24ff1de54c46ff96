import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootAnswer } from '../boot/client.ts';
import type { BootFrom, Lending, SiteClass } from '../model/network.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { eachOption, givenBoot, givenLease, type Layers } from './given.ts';
import { machine, networkOf, poolOf } from './testing/fixture.ts';

const OURS: BootAnswer = {
  kind: 'boot',
  bootFile: 'undionly.kpxe',
  method: 'bios-ipxe',
  reason: { code: 'loader', firmware: 'bios', choice: 'auto' },
};
const NONE: BootAnswer = { kind: 'none', reason: { code: 'not-listed' } };
const NINE = ip('10.0.0.9');
const TEN = ip('10.0.0.10');
const RACK = { of: 'network', name: 'rack' };
const POOL = { of: 'pool', first: NINE };

const classOf = (name: string, more: Partial<SiteClass>): SiteClass => ({
  name,
  conditions: {},
  options: new Map(),
  ...more,
});

function layers(network: BootFrom, classes: readonly BootFrom[] = [], node?: BootFrom, pool?: BootFrom): Layers {
  return {
    network: networkOf('rack', '10.0.0.0/24', [], network),
    pool: pool && poolOf('10.0.0.9', 'any', pool),
    classes: classes.map((more, i) => classOf(`c${i}`, more)),
    node: node && nodeOf('node01', [machine(1)], node),
  };
}

describe('what a client is told to boot', () => {
  const rows: [what: string, layers: Layers, decided: BootAnswer, expected: object][] = [
    ['what is decided, where the operator says nothing', layers({}), OURS, OURS],
    ['nor is anything added to nothing', layers({}), NONE, NONE],
    [
      "the network's file",
      layers({ bootFile: 'a', nextServer: NINE }),
      OURS,
      { bootFile: 'a', nextServer: NINE, reason: { code: 'operator', bootFile: RACK, nextServer: RACK } },
    ],
    [
      "a pool's before the network's",
      layers({ bootFile: 'a', nextServer: NINE }, [], undefined, { bootFile: 'p', nextServer: TEN }),
      OURS,
      {
        bootFile: 'p',
        nextServer: TEN,
        reason: { code: 'operator', bootFile: POOL, nextServer: POOL },
      },
    ],
    [
      "a class's before the pool's",
      layers({}, [{ bootFile: 'b' }], undefined, { bootFile: 'p' }),
      OURS,
      { bootFile: 'b' },
    ],
    ["a class's before the network's", layers({ bootFile: 'a' }, [{ bootFile: 'b' }]), OURS, { bootFile: 'b' }],
    ["the later class's", layers({}, [{ bootFile: 'b' }, { bootFile: 'c' }, {}]), OURS, { bootFile: 'c' }],
    [
      "the node's before all",
      layers({ bootFile: 'a' }, [{ bootFile: 'b' }], { bootFile: 'd' }),
      OURS,
      { bootFile: 'd' },
    ],
    [
      'each of the two for itself',
      layers({ bootFile: 'a', nextServer: NINE }, [{ bootFile: 'b' }], { nextServer: TEN }),
      OURS,
      {
        bootFile: 'b',
        nextServer: TEN,
        reason: {
          code: 'operator',
          bootFile: { of: 'class', name: 'c0' },
          nextServer: { of: 'node', name: 'node01' },
        },
      },
    ],
    ['a server alone leaves our own file to our own server', layers({ nextServer: NINE }), OURS, OURS],
    ['and is named where nothing of ours boots', layers({ nextServer: NINE }), NONE, { ...NONE, nextServer: NINE }],
  ];
  for (const [what, of, decided, expected] of rows) {
    test(what, () =>
      assert.partialDeepStrictEqual(
        givenBoot(of, () => decided),
        expected,
      ),
    );
  }
});

test('options come from the outermost layer to the innermost', () => {
  const option = (text: string) => ({ options: new Map([[17, Buffer.from(text)]]) });
  const seen: string[] = [];
  eachOption(
    {
      network: networkOf('rack', '10.0.0.0/24', [], option('network')),
      pool: poolOf('10.0.0.9', 'any', option('pool')),
      classes: [classOf('a', option('first class')), classOf('b', option('second class'))],
      node: nodeOf('node01', [machine(1)], option('node')),
    },
    (_, value) => seen.push(Buffer.from(value).toString()),
  );
  assert.deepEqual(seen, ['network', 'pool', 'first class', 'second class', 'node']);
});

describe('the lease time', () => {
  const of = (network: Lending, pool: Lending = {}, ...classes: Lending[]): Layers => ({
    network: networkOf('rack', '10.0.0.0/24', [], network),
    pool: poolOf('10.0.0.9', 'any', pool),
    classes: classes.map((more, i) => classOf(`c${i}`, more)),
    node: undefined,
  });
  const rows: [what: string, layers: Layers, wish: number | undefined, seconds: number][] = [
    ['without a wish', of({ leaseSeconds: 600 }), undefined, 600],
    ["the pool's", of({ leaseSeconds: 600 }, { leaseSeconds: 900 }), undefined, 900],
    ["the last class's", of({}, { leaseSeconds: 900 }, { leaseSeconds: 30 }, { leaseSeconds: 40 }, {}), undefined, 40],
    ['a shorter wish', of({ leaseSeconds: 600 }), 300, 300],
    ['a minute at least', of({ leaseSeconds: 600 }), 1, 60],
    ['unless all leases are shorter', of({ leaseSeconds: 30 }), 1, 30],
    ['the site may have another minimum', of({ leaseSeconds: 600, minLeaseSeconds: 10 }), 1, 10],
    ['no longer wish', of({ leaseSeconds: 600 }), 601, 600],
    ['unless the site has a maximum', of({ leaseSeconds: 600, maxLeaseSeconds: 7200 }), 3600, 3600],
    ['up to that', of({ leaseSeconds: 600, maxLeaseSeconds: 7200 }), 0xffffffff, 7200],
    ['which a pool may change', of({ leaseSeconds: 600, maxLeaseSeconds: 7200 }, { maxLeaseSeconds: 900 }), 3600, 900],
    ['and holds without a wish too', of({ leaseSeconds: 600 }, {}, { maxLeaseSeconds: 300 }), undefined, 300],
    ['not where a pool says a time of its own', of({ maxLeaseSeconds: 7200 }, { leaseSeconds: 300 }), 3600, 300],
    ['for the shortest the same', of({ minLeaseSeconds: 600 }, { leaseSeconds: 300 }), 1, 60],
    ['for ever', of({ leaseSeconds: 0xffffffff }), 0xffffffff, 0xffffffff],
  ];
  for (const [what, layers, wish, seconds] of rows) test(what, () => assert.equal(givenLease(layers, wish), seconds));
});
