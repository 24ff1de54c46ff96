import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { agentStep } from '../model/agentStep.ts';
import type { FileRole } from '../model/bootFile.ts';
import type { Event, Happening } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { advance, type Boot, imageOfBoot } from './boots.ts';

const SHA = 'ab'.repeat(32);
const IP = 0x0a000033 as Ipv4;
const ask = (stage: 'firmware' | 'ipxe' | 'os'): Happening => ({ kind: 'dhcp.discover', stage });
const IN_IMAGE: readonly FileRole[] = ['kernel', 'initrd', 'root'];
const sent = (role: FileRole, image = SHA): Happening => ({
  kind: 'http.sent',
  file: role,
  role,
  ...(IN_IMAGE.includes(role) ? { image } : {}),
  bytes: 10,
  ms: 1,
});
const step = (name: string, status: 'started' | 'done' | 'failed'): Happening => ({
  kind: 'node.step',
  ...agentStep(name),
  status,
});

/** Runs happenings one second apart and gives every boot that came of them, oldest first. */
function play(...happenings: Happening[]): Boot[] {
  const boots: Boot[] = [];
  for (const [second, happening] of happenings.entries()) {
    const newest = boots.at(-1);
    const next = advance(newest, { ...happening, at: second * 1000 } as Event);
    if (!next || next === newest) continue;
    if (newest && next.startedAt === newest.startedAt) boots.pop();
    boots.push(next);
  }
  return boots;
}

describe('a boot', () => {
  it('lasts from the first DISCOVER to ready', () => {
    const [boot, ...more] = play(
      ask('firmware'),
      { kind: 'dhcp.ack', stage: 'firmware', ip: IP, bootFile: 'undionly.kpxe' },
      { kind: 'tftp.sent', file: 'undionly.kpxe', role: 'loader', bytes: 1, ms: 2 },
      ask('ipxe'),
      sent('script'),
      sent('kernel'),
      sent('initrd'),
      ask('os'),
      step('agent', 'started'),
      step('agent', 'done'),
      step('settings', 'started'),
      step('settings', 'done'),
      step('ready', 'done'),
    );
    assert.equal(more.length, 0);
    assert.equal(boot?.state, 'ready');
    assert.deepEqual(
      boot?.steps.map(({ code }) => code),
      [
        'firmware-asks',
        'address',
        'loader',
        'ipxe-asks',
        'script',
        'kernel',
        'initrd',
        'system-asks',
        'agent',
        'settings',
        'ready',
      ],
    );
  });

  it('keeps what a service logs later with the step that started it, and how far the clock is off', () => {
    const log: Happening = {
      kind: 'node.step',
      code: 'service',
      subject: 'x',
      status: 'started',
      during: 'service',
      output: 'ERROR',
    };
    const [boot, ...more] = play(
      step('agent', 'started'),
      step('service x', 'done'),
      step('ready', 'done'),
      { kind: 'node.clock', aheadMs: 60_000 },
      log,
      { ...log, subject: 'y' },
    );
    assert.equal(more.length, 0);
    assert.deepEqual(
      [boot?.state, boot?.updatedAt, boot?.clockAheadMs, boot?.steps.map(({ code, output }) => `${code} ${output}`)],
      ['ready', 2000, 60_000, ['agent undefined', 'service ERROR', 'ready undefined']],
    );
    assert.equal(play(step('agent', 'started'), { kind: 'node.clock', aheadMs: 0 })[0]?.clockAheadMs, undefined);
  });

  it('has one step for a squashfs root while it is fetched, cut and fetched on', () => {
    const [boot] = play(
      ask('ipxe'),
      sent('initrd'),
      step('root', 'started'),
      step('root', 'started'),
      sent('root'),
      step('root', 'done'),
      step('agent', 'started'),
    );
    assert.deepEqual(
      boot?.steps.map(({ code, status }) => `${code} ${status}`),
      ['ipxe-asks done', 'initrd done', 'root done', 'root done', 'agent running'],
    );
  });

  it('starts anew when a machine that was ready asks from its firmware', () => {
    assert.deepEqual(
      play(ask('ipxe'), step('ready', 'done'), ask('ipxe')).map(({ state }) => state),
      ['ready', 'booting'],
    );
  });

  it('is one attempt while firmware only asks again', () => {
    assert.equal(play(ask('firmware'), ask('firmware'), ask('firmware')).length, 1);
  });

  it('starts anew when a machine is switched off and on before it is ready', () => {
    assert.equal(play(ask('ipxe'), sent('kernel'), ask('ipxe')).length, 2);
  });

  it('does not start when an operating system renews its address', () => {
    assert.equal(play(ask('os'), { kind: 'dhcp.ack', stage: 'os', ip: IP }).length, 0);
  });

  it('that failed has the output of the command, and is ready after a later `ready`', () => {
    const [boot] = play(ask('ipxe'), { kind: 'node.step', code: 'settings', status: 'failed', output: 'no such disk' });
    assert.equal(boot?.state, 'failed');
    assert.equal(boot?.steps.at(-1)?.output, 'no such disk');
    assert.equal(play(ask('ipxe'), step('bundle', 'failed'), step('ready', 'done'))[0]?.state, 'ready');
    assert.equal(play(ask('ipxe'), step('settings', 'failed'), step('ready', 'failed'))[0]?.state, 'failed');
  });

  it('begins with the agent where nothing before it was seen', () => {
    assert.equal(play(step('agent', 'started'), step('ready', 'done'))[0]?.state, 'ready');
  });

  it('that lacks services alone is ready once the cloud has the node in service', () => {
    const inService = { kind: 'cloud.standing', standing: 'in-service', node: 'node01', enabled: true } as const;
    const missing = { kind: 'cloud.standing', standing: 'compute-report', node: 'node01' } as const;
    const failed = [step('agent', 'started'), step('service nova-compute', 'failed'), step('ready', 'failed')];
    assert.equal(play(...failed).at(-1)?.state, 'failed');
    assert.equal(play(...failed, missing).at(-1)?.state, 'failed');
    assert.equal(play(...failed, inService).at(-1)?.state, 'ready');
    const more = [step('agent', 'started'), step('settings', 'failed'), ...failed.slice(1)];
    assert.equal(play(...more, inService).at(-1)?.state, 'failed');
  });

  it('keeps the output of a failed start while its log has nothing', () => {
    const asked: Happening = {
      kind: 'node.step',
      code: 'service',
      subject: 'libvirtd',
      status: 'started',
      during: 'service',
    };
    const failed: Happening = {
      kind: 'node.step',
      code: 'service',
      subject: 'libvirtd',
      status: 'failed',
      output: 'is masked',
    };
    const outputs = (...more: Happening[]) =>
      play(step('agent', 'started'), failed, ...more)
        .at(-1)
        ?.steps.at(-1)?.output;
    assert.equal(outputs(asked), 'is masked');
    assert.equal(outputs(asked, { ...asked, output: 'is there' }), 'is there');
  });

  it('that is full keeps its first steps, and goes on with the newest', () => {
    const standing = (n: number) =>
      n % 2
        ? ({ kind: 'cloud.standing', standing: 'other-name', node: 'node01', host: `at ${n}`, service: 's' } as const)
        : ({ kind: 'cloud.standing', standing: 'in-service', node: 'node01', enabled: true } as const);
    const lost = Array.from({ length: 500 }, (_, n) => [step(`service ${n}`, 'done'), standing(n)]).flat();
    const [boot] = play(ask('ipxe'), sent('kernel'), ...lost, standing(500));
    assert.equal(boot?.steps.length, 200);
    assert.equal(boot?.steps[1]?.code, 'kernel');
    const last = boot?.steps.at(-1);
    assert.deepEqual(
      [last?.code === 'in-service' && last.standing, last?.status],
      [{ standing: 'in-service', node: 'node01', enabled: true }, 'done'],
    );
  });

  it('never grows without end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 300, maxLength: 400 }), (names) => {
        const [boot] = play(ask('ipxe'), ...names.map((name) => step(name, 'done')));
        assert.ok((boot?.steps.length ?? 0) <= 200);
      }),
      { numRuns: 5 },
    );
  });

  it('holds a bounded amount of text, whatever its steps print, and what failed longest', () => {
    const text = 'y'.repeat(8000);
    const failed: Happening = {
      kind: 'node.step',
      ...agentStep('cause'),
      status: 'failed',
      detail: 'why',
      output: text,
    };
    const [boot] = play(
      step('agent', 'started'),
      failed,
      ...Array.from(
        { length: 1000 },
        (_, n): Happening => ({
          kind: 'node.step',
          ...agentStep(`step${n}`),
          status: n % 100 === 50 ? 'failed' : 'done',
          detail: text.slice(0, 4000),
          output: text,
        }),
      ),
    );
    assert(JSON.stringify(boot).length < 150_000, `${JSON.stringify(boot).length} bytes`);
    const cause = boot?.steps.find((step) => 'subject' in step && step.subject === 'cause');
    assert.equal(cause?.detail, 'why');
    assert(cause?.output === text);
    const last = boot?.steps.at(-1);
    assert(last && 'subject' in last && last.subject === 'step999');
  });

  it('distinguishes steps of services by the service', () => {
    const [boot] = play(step('agent', 'started'), step('service a', 'started'), step('service b', 'started'));
    assert.deepEqual(
      boot?.steps.map((one) => `${one.code} ${'subject' in one ? one.subject : ''}`),
      ['agent ', 'service a', 'service b'],
    );
  });

  it('knows the image that it was sent last', () => {
    const other = 'cd'.repeat(32);
    const failed: Happening = { kind: 'http.failed', file: 'f', role: 'root', image: other, reason: 'x', bytes: 1 };
    const [boot] = play(ask('ipxe'), sent('kernel'), sent('initrd', other), sent('script'));
    assert.equal(boot && imageOfBoot(boot), other);
    const [broken] = play(ask('ipxe'), sent('kernel'), failed);
    assert.equal(broken && imageOfBoot(broken), SHA, 'one that was not sent whole does not count');
    const [none] = play(ask('ipxe'));
    assert.equal(none && imageOfBoot(none), undefined);
  });
});
