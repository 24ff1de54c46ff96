import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agentStep } from '../model/agentStep.ts';
import type { BootStep } from '../model/bootStep.ts';
import { parseBoot } from '../timeline/storedForm.ts';
import { agentStepName, bootJson, stepDetail, stepHint, stepName } from './step.ts';

const done = { at: 0, status: 'done' } as const;

describe('a step of a boot in words', () => {
  const rows: readonly (readonly [BootStep, name: string, detail?: string])[] = [
    [{ ...done, code: 'firmware-asks' }, 'firmware asks'],
    [{ ...done, code: 'ipxe-asks' }, 'iPXE asks'],
    [{ ...done, code: 'system-asks' }, 'system asks'],
    [{ ...done, code: 'system-address' }, 'system has its address'],
    [{ ...done, code: 'other-server' }, 'another DHCP server answered'],
    [{ ...done, code: 'address-refused', detail: 'wrong network' }, 'address refused', 'wrong network'],
    [{ ...done, code: 'address', bootFile: 'a.efi' }, 'address', 'boots a.efi'],
    [{ ...done, code: 'loader', file: 'a.efi', bytes: 42_000 }, 'loader', 'a.efi, 42 kB'],
    [{ at: 0, status: 'failed', code: 'root', file: 'r', cause: 'reset' }, 'root', 'r: reset'],
    [{ ...done, code: 'settings', detail: 'exit code 3' }, 'settings', 'exit code 3'],
    [{ ...done, code: 'service', subject: 'nova-compute' }, 'service nova-compute'],
    [{ ...done, code: 'other', subject: 'of a later release' }, 'of a later release'],
    [
      { ...done, code: 'in-service', standing: { standing: 'in-service', node: 'n', enabled: true } },
      'in service',
      'in service',
    ],
  ];
  for (const [step, name, detail] of rows) {
    it(name, () => assert.deepEqual([stepName(step), stepDetail(step)], [name, detail]));
  }

  it('of the agent is named as the agent names it', () => {
    for (const name of ['agent', 'settings', 'service nova-compute', 'service ', 'other', 'service', 'toString'])
      assert.equal(agentStepName(agentStep(name)), name);
  });

  it('is given to programs with its code and its words', () => {
    const steps: BootStep[] = [
      { ...done, code: 'loader', file: 'a.efi', bytes: 42_000 },
      {
        at: 1,
        status: 'running',
        code: 'in-service',
        standing: { standing: 'hypervisor-down', node: 'n' },
      },
    ];
    assert.deepEqual(bootJson({ startedAt: 0, updatedAt: 1, state: 'ready', steps }), {
      startedAt: 0,
      updatedAt: 1,
      state: 'ready',
      steps: [
        {
          at: 0,
          name: 'loader',
          status: 'done',
          code: 'loader',
          file: 'a.efi',
          bytes: 42_000,
          detail: 'a.efi, 42 kB',
        },
        {
          at: 1,
          name: 'in service',
          status: 'running',
          code: 'in-service',
          standing: { standing: 'hypervisor-down', node: 'n' },
          detail: 'the hypervisor of n is down',
          hint: 'see libvirtd on the node',
        },
      ],
    });
  });

  it('is shown as an earlier release stored it', () => {
    const steps = [
      { at: 1, name: 'firmware asks', status: 'done' },
      { at: 2, name: 'address', status: 'done', detail: 'boots undionly.kpxe' },
      { at: 2, name: 'loader', status: 'done', ms: 2, file: 'undionly.kpxe', detail: 'undionly.kpxe, 42 kB' },
      { at: 6, name: 'root', status: 'running', detail: 'cut at 4 MB' },
      { at: 6, name: 'another DHCP server answered', status: 'failed' },
      { at: 8, name: 'service nova-compute', status: 'running', output: 'log' },
      { at: 9, name: 'in service', status: 'running', detail: 'has not reported', hint: 'look' },
    ];
    const boot = parseBoot({ startedAt: 1, updatedAt: 9, state: 'ready', steps });
    assert(boot);
    assert.deepEqual(
      boot.steps.map((step) => [stepName(step), stepDetail(step), stepHint(step)]),
      steps.map(({ name, detail, hint }) => [name, detail, hint]),
    );
    for (const [at, step] of bootJson(boot).steps.entries()) assert.deepEqual({ ...step, ...steps[at] }, step);
  });
});
