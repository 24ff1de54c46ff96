import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeNote, RollNote } from '../model/rollNote.ts';
import { aRoll, aRollNode } from '../roll/testing/fixture.ts';
import { noteText, rollJson } from './roll.ts';

const SHA = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);
const stuck = { id: 'i1', name: 'vm', status: 'ACTIVE' } as const;
const root = { at: 1, code: 'root', status: 'running' } as const;
const settings = { at: 1, code: 'settings', status: 'failed', detail: 'exit code 3' } as const;

const ROWS: readonly (readonly [NodeNote | RollNote | null, string])[] = [
  [null, ''],
  [{ code: 'left-site' }, 'the site has no such node any more'],
  [{ code: 'runs-image' }, 'runs the image already'],
  [{ code: 'no-service' }, 'Nova knows no compute service on it'],
  [{ code: 'disabling' }, 'its compute service is being disabled'],
  [{ code: 'enabled-meanwhile' }, 'an operator enabled its compute service meanwhile'],
  [{ code: 'empty' }, 'empty'],
  [{ code: 'moves-unconfirmed' }, 'cold moves wait to be confirmed'],
  [{ code: 'instances-keep-coming' }, 'new instances came to it again and again'],
  [{ code: 'to-reboot' }, 'is to reboot'],
  [{ code: 'ordered-to-reboot' }, 'ordered to reboot'],
  [{ code: 'joins' }, 'ready, not yet in service'],
  [{ code: 'files-failed' }, 'its files could not be written'],
  [{ code: 'in-service' }, 'in service'],
  [{ code: 'enabling' }, 'in service; is being enabled'],
  [{ code: 'stopped-before-reboot' }, 'the roll was stopped before its reboot'],
  [{ code: 'tried-again' }, 'is tried again'],
  [{ code: 'not-begun' }, 'was not begun'],
  [{ code: 'cloud-unknown', message: 'no answer' }, 'the cloud cannot be asked: no answer'],
  [{ code: 'disabled' }, 'disabled'],
  [{ code: 'disabled', before: {} }, 'disabled, as it was already'],
  [{ code: 'disabled', before: { reason: 'bad DIMM' } }, 'disabled, as it was already: bad DIMM'],
  [{ code: 'instances', remaining: 3, moving: 2 }, '3 instances left, 2 on the way'],
  [{ code: 'stuck', stuck }, 'vm (i1) cannot be moved: it is ACTIVE'],
  [
    { code: 'stuck', remaining: 1, stuck: { ...stuck, tried: { kind: 'live', tries: 3 } } },
    '1 instance left; vm (i1) cannot be moved: it is ACTIVE, asked 3 times to move live: see the logs of nova-compute on both hosts',
  ],
  [
    { code: 'stuck', remaining: 2, stuck: { ...stuck, tried: { kind: 'cold', tries: 1, refused: 'no host' } } },
    '2 instances left; vm (i1) cannot be moved: it is ACTIVE, asked 1 time to move cold: no host',
  ],
  [{ code: 'moves-unended', moves: 1 }, 'empty; Nova has not reported the end of 1 move from or to it'],
  [
    { code: 'not-empty-again', drain: { code: 'instances', remaining: 1, moving: 0 } },
    'was ordered to reboot and did not, and is not empty any more: 1 instance left, 0 on the way',
  ],
  [{ code: 'power-cycled', why: 'agent-silent' }, 'power cycled by its BMC: its agent does not ask for orders'],
  [{ code: 'power-cycled', why: 'order-lost' }, 'power cycled by its BMC: it did not reboot when ordered to'],
  [
    { code: 'not-rebooted', why: 'order-lost', bmc: { state: 'none' } },
    'was ordered to reboot and did not, and the site gives it no bmc; a reboot by hand counts too',
  ],
  [
    { code: 'not-rebooted', why: 'agent-silent', bmc: { state: 'next' } },
    'its agent does not ask for orders; its BMC is asked next',
  ],
  [
    { code: 'not-rebooted', why: 'order-lost', bmc: { state: 'refused', message: 'wrong password' } },
    'was ordered to reboot and did not; its BMC did not power cycle it: wrong password',
  ],
  [{ code: 'cycle-failed', message: 'no answer' }, 'its BMC did not power cycle it: no answer'],
  [{ code: 'action-failed', failure: { code: 'order-untaken' } }, 'it did not take the order to reboot'],
  [{ code: 'action-failed', failure: { code: 'error', error: 'CLOUD_REFUSED', message: 'no' } }, 'no'],
  [{ code: 'boots', boot: { state: 'booting' } }, 'boots'],
  [{ code: 'boots', boot: { state: 'booting', step: root }, cycled: true }, 'power cycled by its BMC; root'],
  [{ code: 'boots', boot: { state: 'failed', step: settings } }, 'settings failed: exit code 3'],
  [{ code: 'boots-again', boot: { state: 'booting', step: root } }, 'boots again: root'],
  [{ code: 'wrong-image', wanted: SHA, found: OTHER }, 'it booted cdcdcdcdcdcd and not abababababab'],
  [{ code: 'wrong-image', wanted: SHA }, 'which image it booted is not known'],
  [{ code: 'standing', standing: { standing: 'hypervisor-down', node: 'node01' } }, 'the hypervisor of node01 is down'],
  [{ code: 'renewed', cycled: false }, 'renewed'],
  [{ code: 'renewed', cycled: true }, 'renewed, power cycled by its BMC'],
  [
    { code: 'renewed', cycled: false, disabled: { reason: 'bad DIMM' } },
    'renewed; its service stays disabled: bad DIMM',
  ],
  [
    {
      code: 'failed',
      phase: 'booting',
      why: { code: 'late', limitMs: 1_200_000, note: { code: 'boots', boot: { state: 'booting', step: root } } },
      staysDisabled: true,
    },
    'failed while booting: not done after 20 min 0 s: root; its compute service stays disabled',
  ],
  [
    {
      code: 'failed',
      phase: 'rebooting',
      why: {
        code: 'late',
        limitMs: 600_000,
        note: { code: 'not-rebooted', why: 'order-lost', bmc: { state: 'none' } },
      },
    },
    'failed while rebooting: not done after 10 min 0 s: was ordered to reboot and did not, and the site gives it no bmc; a reboot by hand counts too',
  ],
  [{ code: 'would-skip' }, 'is skipped: runs the image already'],
  [{ code: 'would-wait', message: 'no answer' }, 'waits: the cloud cannot be asked: no answer'],
  [{ code: 'would-reboot' }, 'is rebooted'],
  [
    { code: 'would-reboot', instances: { live: 1, others: 1, policy: 'cold' } },
    'is rebooted; 1 instance to be moved live, 1 instance that cannot (cold)',
  ],
  [{ code: 'would-reboot', instances: { live: 0, others: 0, policy: 'cold' } }, 'is rebooted; it is empty'],
  [
    { code: 'would-reboot', instances: { live: 0, others: 0, policy: 'wait' }, staysDisabled: true },
    'is rebooted; it is empty; its service is disabled and stays so',
  ],
  [{ code: 'aborted' }, 'aborted by the operator'],
  [{ code: 'stopped-by-node', node: 'node01', why: { code: 'empty' } }, 'node01: empty'],
  [{ code: 'too-many-failed', failed: 1, allowed: 0 }, '1 node failed, and 0 may'],
  [{ code: 'too-many-out', out: 2 }, '2 nodes failed and out of service: no more may be'],
  [{ code: 'some-failed', failed: 2 }, '2 nodes failed'],
  [{ code: 'earlier', words: 'as it was' }, 'as it was'],
];

describe('a note of a roll in words', () => {
  for (const [note, words] of ROWS) it(JSON.stringify(note), () => assert.equal(noteText(note), words));

  it('stands in JSON beside its code and values', () => {
    const node = aRollNode('node01', { note: { code: 'instances', remaining: 3, moving: 2 } });
    const roll = aRoll([], { nodes: [node], note: { code: 'aborted' } });
    assert.deepEqual(rollJson(roll), {
      ...roll,
      words: 'aborted by the operator',
      nodes: [{ ...node, words: '3 instances left, 2 on the way' }],
    });
  });
});
