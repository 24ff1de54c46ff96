import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootStep } from '../model/bootStep.ts';
import { parseBoot, parseEvent, parseStranger } from './storedForm.ts';

const SHA = 'ab'.repeat(32);

describe('events that an earlier release stored', () => {
  const rows: (readonly [stored: object, read: object])[] = [
    [
      { kind: 'http.sent', at: 1, file: `images/${SHA}/vmlinuz`, bytes: 1, ms: 1 },
      { kind: 'http.sent', at: 1, file: `images/${SHA}/vmlinuz`, bytes: 1, ms: 1, role: 'kernel', image: SHA },
    ],
    [
      { kind: 'tftp.failed', at: 1, file: `images/${SHA}/initrd`, bytes: 1, reason: 'x' },
      { kind: 'tftp.failed', at: 1, file: `images/${SHA}/initrd`, bytes: 1, reason: 'x', role: 'initrd', image: SHA },
    ],
    ...[
      [`images/${SHA}/root.squashfs`, { role: 'root', image: SHA }],
      ['ipxe/52:54:00:00:00:51', { role: 'script' }],
      ['pxelinux.cfg/01-52-54-00-00-00-51', { role: 'script' }],
      ['undionly.kpxe', { role: 'loader' }],
      ['menu.c32', { role: 'loader' }],
      ['10-0-0-51/hosts', { role: 'file' }],
      [`images/${SHA.slice(1)}/vmlinuz`, { role: 'file' }],
    ].map(([file, facts]): [object, object] => {
      const sent = { kind: 'tftp.sent', at: 1, file, bytes: 1, ms: 1 };
      return [sent, { ...sent, ...(facts as object) }];
    }),
    [
      { kind: 'node.step', at: 1, step: 'service nova-compute', status: 'failed', output: 'x' },
      { kind: 'node.step', at: 1, code: 'service', subject: 'nova-compute', status: 'failed', output: 'x' },
    ],
    [
      { kind: 'node.step', at: 1, step: 'settings', status: 'done' },
      { kind: 'node.step', at: 1, code: 'settings', status: 'done' },
    ],
    [
      { kind: 'node.step', at: 1, step: 'constructor', status: 'done' },
      { kind: 'node.step', at: 1, code: 'other', subject: 'constructor', status: 'done' },
    ],
    [
      { kind: 'cloud.standing', at: 1, node: 'n', standing: 'compute-report', words: 'has not reported', hint: 'look' },
      {
        kind: 'cloud.standing',
        at: 1,
        node: 'n',
        standing: 'compute-report',
        earlier: { words: 'has not reported', hint: 'look' },
      },
    ],
  ];
  rows.push(
    [
      { kind: 'roll.step', at: 1, roll: 'r1', node: 'n', phase: 'done', words: 'renewed' },
      { kind: 'roll.step', at: 1, roll: 'r1', node: 'n', phase: 'done', note: { code: 'earlier', words: 'renewed' } },
    ],
    [
      { kind: 'roll.step', at: 1, roll: 'r1', phase: 'running', words: '' },
      { kind: 'roll.step', at: 1, roll: 'r1', phase: 'running', note: null },
    ],
  );
  for (const [stored, read] of rows) {
    it(JSON.stringify(stored), () => {
      assert.deepEqual(parseEvent(stored), read);
      assert.deepEqual(parseEvent(read), read, 'what is read already stays as it is');
    });
  }
});

describe('a boot that an earlier release stored', () => {
  const steps = [
    { at: 1, name: 'firmware asks', status: 'done' },
    { at: 2, name: 'address', status: 'done', detail: 'boots undionly.kpxe' },
    { at: 2, name: 'loader', status: 'done', ms: 2, file: 'undionly.kpxe', detail: 'undionly.kpxe, 42 kB' },
    { at: 3, name: 'iPXE asks', status: 'done' },
    { at: 4, name: 'script', status: 'done', file: 'ipxe/52:54:00:00:00:51', detail: 'ipxe/52:54:00:00:00:51, 1 kB' },
    { at: 5, name: 'initrd', status: 'done', file: `images/${SHA}/initrd`, detail: `images/${SHA}/initrd, 8.0 MB` },
    { at: 6, name: 'root', status: 'running', detail: 'cut at 4 MB' },
    { at: 6, name: 'system asks', status: 'done' },
    { at: 6, name: 'system has its address', status: 'done' },
    { at: 6, name: 'another DHCP server answered', status: 'failed' },
    { at: 6, name: 'address refused', status: 'failed', detail: 'wrong network' },
    { at: 7, name: 'agent', status: 'done' },
    { at: 8, name: 'service nova-compute', status: 'running', output: 'log' },
    { at: 8, name: 'something else', status: 'done' },
    { at: 9, name: 'in service', status: 'running', detail: 'has not reported', hint: 'look' },
    { at: 9, name: 'in service', status: 'done', detail: 'in service' },
  ];
  const stored = { startedAt: 1, updatedAt: 9, state: 'ready', steps };
  const boot = parseBoot(JSON.parse(JSON.stringify(stored)));
  assert(boot);
  const codeOf = (step: BootStep) => ('subject' in step ? `${step.code} ${step.subject}` : step.code);

  it('has codes in place of names', () => {
    assert.deepEqual(boot.steps.map(codeOf), [
      'firmware-asks',
      'address',
      'loader',
      'ipxe-asks',
      'script',
      'initrd',
      'root',
      'system-asks',
      'system-address',
      'other-server',
      'address-refused',
      'agent',
      'service nova-compute',
      'other something else',
      'in-service',
      'in-service',
    ]);
    assert.ok(boot.steps.every((step) => !('name' in step) && !('hint' in step)));
  });

  it('knows which image a file belongs to, and how the cloud had the node', () => {
    assert.deepEqual(
      boot.steps.flatMap((step) => ('image' in step ? [[step.code, step.image]] : [])),
      [['initrd', SHA]],
    );
    assert.deepEqual(
      boot.steps.flatMap((step) => (step.code === 'in-service' ? [step.standing] : [])),
      [
        { standing: 'unknown', earlier: { words: 'has not reported', hint: 'look' } },
        { standing: 'in-service', earlier: { words: 'in service' } },
      ],
    );
  });

  it('stays as it is once it is read, and a stranger keeps the rest', () => {
    assert.equal(parseBoot(boot), boot);
    const stranger = { mac: '52:54:00:00:00:51', firstSeen: 1, lastSeen: 2, count: 1, triedToBoot: true, machine: {} };
    assert.deepEqual(parseStranger({ ...stranger, boot: stored }), { ...stranger, boot });
    assert.deepEqual(parseStranger(stranger), stranger);
  });
});
