import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Flavour } from './agent.rig.ts';
import { change, KERNEL, stage } from './agent.stage.ts';

/** Never ends, starts others that do not either, and takes no notice of TERM. */
const HANGS = `#!/bin/sh
trap '' TERM
echo looking for the RAID card
(while :; do sleep 1; echo x >>/root/child; done) &
timeout 900 sh -c 'while :; do sleep 1; echo x >>/root/grandchild; done'
`;

for (const flavour of ['dash', 'busybox'] as const satisfies readonly Flavour[]) {
  test(`${flavour}: a settings.sh that hangs is reported as still running, then ended with all that it started, and the node has failed`, async (t) => {
    const { machine, server } = await stage(t, flavour, { 'nodes/node01/settings.sh': HANGS }, { settingsSeconds: 5 });
    change(machine, 'lib/reveille/talk.sh', ['STILL_SECONDS=60', 'STILL_SECONDS=2']);
    change(machine, 'lib/reveille/apply.sh', ['sleep $((GRACE_SECONDS / 10))', 'sleep 0.1']);
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 3, printed);
    assert.match(printed, /reveille: settings: still running after [23] s: settings\.sh/);

    const steps = server.events().filter(({ code }) => code === 'settings');
    assert.deepEqual(
      [...new Set(steps.map(({ status }) => status))],
      ['started', 'failed'],
      JSON.stringify(server.steps()),
    );
    const still = steps.filter(({ detail }) => detail?.startsWith('still running after'));
    assert.ok(still.length >= 1 && still.length <= 3, `${still.length} reports`);
    assert.equal(still[0]?.output, 'looking for the RAID card');
    const failed = server.event('settings', 'failed');
    assert.match(failed?.detail ?? '', /ran for 5 s and was ended \(settingsLimit in the site\)/);
    assert.match(failed?.output ?? '', /looking for the RAID card/);
    assert.ok((failed?.ms ?? 0) >= 5000 && (failed?.ms ?? 0) < 12_000, `${failed?.ms} ms`);
    assert.ok(server.event('ready', 'failed'));
    for (const name of ['child', 'grandchild']) {
      assert.ok(existsSync(join(machine.root, 'root', name)), `${name} ran`);
      const before = machine.read(`root/${name}`);
      await delay(1500);
      assert.equal(machine.read(`root/${name}`), before, `${name} goes on`);
    }
  });

  test(`${flavour}: what ends in time keeps its exit code and what it left running, without a limit too`, async (t) => {
    const script = '#!/bin/sh\n(sleep 2; echo later >/root/later) &\nexit 23\n';
    const { machine, server } = await stage(t, flavour, { 'nodes/node01/settings.sh': script }, { settingsSeconds: 0 });
    const { code } = await machine.start(KERNEL);
    assert.equal(code, 3);
    assert.equal(server.event('settings', 'failed')?.detail, 'settings.sh ended with exit code 23');
    await delay(2500);
    assert.equal(machine.read('root/later'), 'later\n');
  });

  test(`${flavour}: a settings.sh that prints without end fills no RAM, and its end is shown`, async (t) => {
    const script = '#!/bin/sh\nyes secret=abcdefgh | head -c 20000000\nsleep 2\necho the end\nexit 7\n';
    const { machine, server } = await stage(t, flavour, { 'nodes/node01/settings.sh': script });
    change(machine, 'lib/reveille/apply.sh', ['LARGEST_OUTPUT=4194304', 'LARGEST_OUTPUT=65536']);
    change(machine, 'lib/reveille/apply.sh', ['END_OF_OUTPUT=262144', 'END_OF_OUTPUT=4096']);
    const { code } = await machine.start(KERNEL);
    assert.equal(code, 3);
    const failed = server.event('settings', 'failed');
    assert.equal(failed?.detail, 'settings.sh ended with exit code 7');
    assert.match(failed?.output ?? '', /the end$/);
    const log = machine.read('run/reveille/settings.log');
    assert.ok(log.length < 70_000, String(log.length));
    assert.match(log, /^\(more was printed before\)\n/);
  });

  test(`${flavour}: a hook that hangs is reported as still running and ended`, async (t) => {
    const { machine, server } = await stage(t, flavour, {
      'overlays/nova/etc/x': 'x\n',
      'overlays/nova/overlay.yaml': 'hooks: [{ files: [/etc/x], run: "echo begun; sleep 600" }]\n',
    });
    change(machine, 'lib/reveille/talk.sh', ['STILL_SECONDS=60', 'STILL_SECONDS=2']);
    change(machine, 'lib/reveille/apply.sh', ['HOOK_SECONDS=300', 'HOOK_SECONDS=4']);
    const { code } = await machine.start(KERNEL);
    assert.equal(code, 3);
    const still = server
      .events()
      .find(({ code: step, detail }) => step === 'hook' && detail?.startsWith('still running'));
    assert.match(still?.detail ?? '', /: echo begun; sleep 600$/);
    assert.match(server.event('hook', 'failed')?.detail ?? '', /exit code 143 \(stopped after 4 s\)/);
    assert.equal(server.event('hook', 'failed')?.output, 'begun');
  });
}
