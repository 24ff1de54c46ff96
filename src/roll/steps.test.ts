import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../cloud/instances.ts';
import { next, noted } from './next.ts';
import { disabledReason, type Roll, type RollNode } from './record.ts';
import type { SeenInCloud, SeenNode } from './seen.ts';
import { aRoll, aRollNode, NEW_IMAGE, OLD_IMAGE } from './testing/fixture.ts';

const NOW = 10_000_000;
const OURS = disabledReason(aRoll([]));
const BOOT = { startedAt: 1, state: 'ready', image: OLD_IMAGE } as const;
const RENEWED = { startedAt: NOW - 1000, state: 'ready', image: NEW_IMAGE } as const;
const ROOT = { at: 1, code: 'root', status: 'running' } as const;
const why = (message: string) => ({ code: 'error', error: 'CLOUD_REFUSED', message }) as const;
const IN_SERVICE = { standing: 'in-service', node: 'node01', enabled: false } as const;

type InCloud = Partial<SeenInCloud & { kind: 'seen' }> & { readonly disabled?: string };

function cloud({ disabled, ...more }: InCloud = {}): SeenInCloud {
  const reason = disabled === undefined ? {} : { disabledReason: disabled };
  const service = { id: 's1', host: 'node01', up: true, enabled: disabled === undefined, ...reason };
  return { kind: 'seen', service, moved: new Map(), ...more };
}

function instance(id: string, more: Partial<Instance> = {}): Instance {
  return { id, name: id, status: 'ACTIVE', host: 'node01', ...more };
}

/** One turn of a roll of one node; gives its phase then, the actions, and its pin where that changes. */
function turn(node: Partial<RollNode>, seen: Partial<SeenNode>, roll: Partial<Roll> = {}) {
  const whole = aRoll([], { ...roll, nodes: [aRollNode('node01', { since: NOW - 20_000, ...node })] });
  const look: SeenNode = { boot: BOOT, listens: true, bmc: false, files: 'right', cloud: { kind: 'none' }, ...seen };
  const after = next(whole, { now: NOW, nodes: new Map([['node01', look]]) });
  const [one] = after.roll.nodes;
  assert(one);
  const did = after.actions.map((action) => `${action.kind}${'instance' in action ? ` ${action.instance}` : ''}`);
  return { phase: one.phase, did: did.join(', '), pin: after.pins.get('node01'), roll: after.roll, node: one };
}

describe('the next step of a node', () => {
  const rows: readonly [
    string,
    Partial<RollNode>,
    Partial<SeenNode>,
    readonly [string, string, string?],
    Partial<Roll>?,
  ][] = [
    ['a node of no cloud is to reboot at once', {}, {}, ['rebooting', '', 'new']],
    ['a compute node is disabled first', {}, { cloud: cloud() }, ['disabling', 'disable']],
    ['a service that is disabled already is not', {}, { cloud: cloud({ disabled: 'bad DIMM' }) }, ['draining', '']],
    [
      'one that runs the image in service is skipped',
      {},
      { boot: RENEWED, cloud: cloud({ standing: IN_SERVICE }) },
      ['skipped', '', 'none'],
    ],
    ['one whose files are behind is not', {}, { boot: RENEWED, files: 'others' }, ['rebooting', '', 'new']],
    [
      'one that an earlier roll left disabled is enabled',
      {},
      { boot: RENEWED, cloud: cloud({ disabled: OURS, standing: IN_SERVICE }) },
      ['enabling', ''],
    ],
    ['without the cloud none is begun', {}, { cloud: { kind: 'unknown', message: 'x' } }, ['waiting', '']],
    ['disabled, it is drained', { phase: 'disabling' }, { cloud: cloud({ disabled: OURS }) }, ['draining', '']],
    [
      'the cloud is not asked twice at once',
      { phase: 'disabling', askedAt: NOW - 1000 },
      { cloud: cloud() },
      ['disabling', ''],
    ],
    [
      'what got lost is asked again',
      { phase: 'disabling', askedAt: NOW - 15_000 },
      { cloud: cloud() },
      ['disabling', 'disable'],
    ],
    [
      'two instances leave at once',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: ['a', 'b', 'c'].map((id) => instance(id)) }) },
      ['draining', 'migrate-live a, migrate-live b'],
    ],
    [
      'one on its way counts',
      { phase: 'draining' },
      {
        cloud: cloud({
          disabled: OURS,
          instances: [instance('a', { task: 'migrating' }), instance('b'), instance('c')],
        }),
      },
      ['draining', 'migrate-live b'],
    ],
    [
      'a stopped one waits',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [instance('a', { status: 'SHUTOFF' })] }) },
      ['draining', ''],
    ],
    [
      'or is moved cold',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [instance('a', { status: 'SHUTOFF' })] }) },
      ['draining', 'migrate-cold a'],
      { policy: 'cold' },
    ],
    [
      'or stays',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [instance('a', { status: 'SHUTOFF' })] }) },
      ['rebooting', '', 'new'],
      { policy: 'leave' },
    ],
    [
      'or stops the roll',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [instance('a', { status: 'SHUTOFF' })] }) },
      ['restoring', '', 'none'],
      { policy: 'stop-roll' },
    ],
    [
      'an empty host is to reboot',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [] }) },
      ['rebooting', '', 'new'],
    ],
    [
      'not before it has cleared up behind the last that left',
      { phase: 'draining', remaining: 1, moves: { a: { kind: 'live', tries: 1, askedAt: NOW - 15_000 } } },
      { cloud: cloud({ disabled: OURS, instances: [] }) },
      ['draining', ''],
    ],
    [
      'not while an instance is on its way to it',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS, instances: [], unended: 1 }) },
      ['draining', ''],
    ],
    [
      'nor is it ordered to reboot then',
      { phase: 'rebooting', rebootFrom: NOW - 1 },
      { cloud: cloud({ disabled: OURS, instances: [], unended: 1 }) },
      ['rebooting', ''],
    ],
    [
      'not before what was scheduled has come',
      { phase: 'draining', since: NOW - 5000 },
      { cloud: cloud({ disabled: OURS, instances: [] }) },
      ['draining', ''],
    ],
    [
      'a host that was not looked at is not empty',
      { phase: 'draining' },
      { cloud: cloud({ disabled: OURS }) },
      ['draining', ''],
    ],
    [
      'a cold move is confirmed before',
      { phase: 'draining', moves: { a: { kind: 'cold', tries: 1, askedAt: 1 } } },
      {
        cloud: cloud({
          disabled: OURS,
          instances: [],
          moved: new Map([['a', instance('a', { status: 'VERIFY_RESIZE', host: 'node02' })]]),
        }),
      },
      ['draining', 'confirm a'],
    ],
    [
      "an operator's resize is not",
      { phase: 'draining', moves: { a: { kind: 'live', tries: 1, askedAt: 1 } } },
      {
        cloud: cloud({
          disabled: OURS,
          instances: [],
          moved: new Map([['a', instance('a', { status: 'VERIFY_RESIZE', host: 'node02' })]]),
        }),
      },
      ['rebooting', '', 'new'],
    ],
    [
      'a service that an operator enabled ends it',
      { phase: 'draining' },
      { cloud: cloud({ instances: [] }) },
      ['restoring', '', 'none'],
    ],
    ['it is ordered to reboot', { phase: 'rebooting', rebootFrom: NOW - 1 }, {}, ['rebooting', 'reboot']],
    [
      'not with an instance that came',
      { phase: 'rebooting', rebootFrom: NOW - 1 },
      { cloud: cloud({ disabled: OURS, instances: [instance('a')] }) },
      ['draining', ''],
    ],
    [
      'not while the cloud does not answer',
      { phase: 'rebooting', rebootFrom: NOW - 1 },
      { cloud: { kind: 'unknown', message: 'x' } },
      ['rebooting', ''],
    ],
    [
      'nor does time pass then',
      { phase: 'rebooting', since: 1, rebootFrom: NOW - 1 },
      { cloud: { kind: 'unknown', message: 'x' } },
      ['rebooting', ''],
    ],
    ['not if it does not listen', { phase: 'rebooting', rebootFrom: NOW - 1 }, { listens: false }, ['rebooting', '']],
    [
      'nor by its BMC before an agent had time to ask',
      { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 89_999 },
      { listens: false, bmc: true },
      ['rebooting', ''],
    ],
    [
      'then by its BMC',
      { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 90_000 },
      { listens: false, bmc: true },
      ['rebooting', 'power-cycle'],
    ],
    [
      'an agent that asks again gets the order',
      { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 90_000 },
      { bmc: true },
      ['rebooting', 'reboot'],
    ],
    [
      'without one it is waited for',
      { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 500_000 },
      { listens: false },
      ['rebooting', ''],
    ],
    [
      'never with an instance that came',
      { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 90_000 },
      { listens: false, bmc: true, cloud: cloud({ disabled: OURS, instances: [instance('a')] }) },
      ['draining', ''],
    ],
    [
      'a node that took the order has time to go down',
      { phase: 'rebooting', rebootFrom: 2, askedAt: NOW - 299_999, orders: 1 },
      { listens: false, bmc: true },
      ['rebooting', ''],
    ],
    [
      'and is power cycled if it hangs',
      { phase: 'rebooting', rebootFrom: 2, askedAt: NOW - 300_000, orders: 1 },
      { listens: false, bmc: true },
      ['rebooting', 'power-cycle'],
    ],
    [
      'so is one that lost two orders',
      { phase: 'rebooting', rebootFrom: 2, askedAt: NOW - 90_000, orders: 2 },
      { bmc: true },
      ['rebooting', 'power-cycle'],
    ],
    [
      'its firmware has time',
      { phase: 'rebooting', rebootFrom: 2, askedAt: 1, orders: 2, cycle: { askedAt: NOW - 599_999 } },
      { bmc: true },
      ['rebooting', ''],
    ],
    [
      'an order that a killed server did not send is given again',
      { phase: 'rebooting', rebootFrom: 2, askedAt: 1, orders: 2, cycle: { askedAt: NOW - 600_000 } },
      { listens: false, bmc: true },
      ['rebooting', 'power-cycle'],
    ],
    [
      'a BMC that refused is not asked again',
      { phase: 'rebooting', rebootFrom: 2, askedAt: 1, orders: 1, cycle: { askedAt: 1, refused: 'x' } },
      { listens: false, bmc: true },
      ['rebooting', ''],
    ],
    [
      'not again at once',
      { phase: 'rebooting', rebootFrom: NOW - 2, askedAt: NOW - 1, orders: 1 },
      {},
      ['rebooting', ''],
    ],
    [
      'again if the order got lost',
      { phase: 'rebooting', rebootFrom: 2, askedAt: NOW - 90_000, orders: 1 },
      {},
      ['rebooting', 'reboot'],
    ],
    [
      'never once it boots',
      { phase: 'rebooting', rebootFrom: NOW - 2000, askedAt: 1, orders: 1 },
      { boot: RENEWED },
      ['booting', ''],
    ],
    ['ready with the image, it joins', { phase: 'booting' }, { boot: RENEWED, cloud: cloud() }, ['joining', '']],
    ['with another image it fails', { phase: 'booting', disabled: true }, { cloud: cloud() }, ['failed', '', 'none']],
    [
      'an image that is not known is no proof',
      { phase: 'booting' },
      { boot: { startedAt: 1, state: 'ready' } },
      ['failed', '', 'none'],
    ],
    ['without a cloud it is done', { phase: 'booting' }, { boot: RENEWED }, ['done', '', 'none']],
    [
      'unless its files could not be written',
      { phase: 'booting' },
      { boot: RENEWED, files: 'failed' },
      ['failed', '', 'none'],
    ],
    [
      'in service, it is enabled',
      { phase: 'joining' },
      { boot: RENEWED, cloud: cloud({ disabled: OURS, standing: IN_SERVICE }) },
      ['enabling', 'enable'],
    ],
    ['enabled, it is done', { phase: 'enabling' }, { cloud: cloud() }, ['done', '', 'none']],
    [
      'an operator has the last word',
      { phase: 'enabling', disabled: true },
      { cloud: cloud({ disabled: 'bad DIMM' }) },
      ['done', '', 'none'],
    ],
    ['a kept pin stays', { phase: 'enabling' }, { cloud: cloud() }, ['done', '', 'new'], { keepPins: true }],
    ['time runs out', { phase: 'joining', since: 1 }, { boot: RENEWED, cloud: cloud() }, ['failed', '', 'none']],
    [
      'and not before the cloud answers',
      { phase: 'joining', since: 1 },
      { cloud: { kind: 'unknown', message: 'x' } },
      ['joining', ''],
    ],
    [
      'before its reboot it goes back',
      { phase: 'rebooting', since: 1, rebootFrom: 1, pinBefore: 'p' },
      { listens: false },
      ['restoring', '', 'before'],
    ],
    [
      'after it stays disabled',
      { phase: 'rebooting', since: 1, rebootFrom: 1, orders: 1, askedAt: NOW - 1 },
      {},
      ['failed', '', 'none'],
    ],
    [
      'restored, it was left',
      { phase: 'restoring', restoreTo: 'left' },
      { cloud: cloud({ instances: [] }) },
      ['left', ''],
    ],
    [
      'or is being',
      { phase: 'restoring' },
      { cloud: cloud({ disabled: OURS, instances: [] }) },
      ['restoring', 'enable'],
    ],
  ];
  for (const [name, node, seen, [phase, did, pin], roll] of rows) {
    it(name, () => {
      const after = turn(node, seen, roll);
      const pins: Record<string, string | null> = { new: NEW_IMAGE, none: null, before: 'p' };
      assert.deepEqual(
        [after.phase, after.did, after.pin],
        [phase, did, pin === undefined ? undefined : pins[pin]],
        JSON.stringify(after.node.note),
      );
    });
  }

  it('notes of a failed node what it waited for, and that it stays disabled', () => {
    const { node, roll } = turn(
      { phase: 'booting', since: 1, disabled: true },
      { boot: { ...BOOT, state: 'booting', step: ROOT } },
    );
    assert.deepEqual(node.note, {
      code: 'failed',
      phase: 'booting',
      why: {
        code: 'late',
        limitMs: 1_200_000,
        note: { code: 'boots', boot: { state: 'booting', step: ROOT } },
      },
      staysDisabled: true,
    });
    assert.deepEqual([node.out, roll.state], [true, 'stopped']);
    assert.deepEqual(roll.note, { code: 'too-many-failed', failed: 1, allowed: 0 });
  });

  it('counts a power cycle as an order, but where the BMC refused it', () => {
    const deaf = { phase: 'rebooting', rebootFrom: NOW - 1, deafSince: NOW - 90_000 } as const;
    const { roll } = turn(deaf, { listens: false, bmc: true });
    const action = { kind: 'power-cycle', node: 'node01' } as const;
    const after = (refused: boolean) => noted(roll, action, { refused, why: why('no') }).nodes[0];
    assert.deepEqual([roll.nodes[0]?.orders, roll.nodes[0]?.cycle], [1, { askedAt: NOW }]);
    assert.deepEqual([after(true)?.orders, after(true)?.cycle], [0, { askedAt: NOW, refused: 'no' }]);
    assert.deepEqual([after(false)?.orders, after(false)?.cycle], [1, null], 'it is not known');
  });

  it('gives a rebooted node as long as the roll sets', () => {
    const late = { phase: 'booting', since: NOW - 90_000 } as const;
    const state = { boot: { ...BOOT, state: 'booting', step: ROOT } } as const;
    assert.equal(turn(late, state, { bootMs: 90_001 }).phase, 'booting');
    assert.equal(turn(late, state, { bootMs: 90_000 }).phase, 'failed');
  });

  it('takes back the count of an order that did not arrive, and keeps why a move was refused', () => {
    const ordered = turn({ phase: 'rebooting', rebootFrom: NOW - 1 }, {});
    const action = { kind: 'reboot', node: 'node01' } as const;
    const [node] = noted(ordered.roll, action, { refused: true, why: why('gone') }).nodes;
    assert.deepEqual([node?.orders, node?.askedAt], [0, null]);
    assert.deepEqual(node?.note, { code: 'action-failed', failure: why('gone') });
    const asked = turn({ phase: 'draining' }, { cloud: cloud({ disabled: OURS, instances: [instance('a')] }) });
    const move = { kind: 'migrate-live', node: 'node01', instance: 'a' } as const;
    const refused = noted(asked.roll, move, { refused: true, why: why('no host') }).nodes[0]?.moves.a;
    assert.deepEqual(refused, { kind: 'live', tries: 1, askedAt: NOW, refused: 'no host' });
    const silent = noted(asked.roll, move, { refused: false, why: why('x') }).nodes[0]?.moves.a;
    assert.deepEqual(silent, { kind: 'live', tries: 0, askedAt: NOW }, 'a cloud that did not answer was not asked');
  });
});
