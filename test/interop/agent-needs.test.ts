import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AGENT_PROGRAMS } from '../../src/image/check/agentNeeds.ts';
import { type Flavour, killAll } from './agent.rig.ts';
import { KERNEL, service, stage, until } from './agent.stage.ts';

const FILES = {
  'overlays/nova/etc/nova/nova.conf': 'one\n',
  'overlays/nova/etc/motd': 'hello\n',
  'overlays/nova/overlay.yaml': 'hooks: [{ files: [/etc/nova/**], run: cat /etc/nova/nova.conf }]\n',
  'nodes/node01/settings.sh': '#!/bin/sh\necho done\n',
};

for (const flavour of ['dash', 'busybox'] as const satisfies readonly Flavour[]) {
  test(`${flavour}: a machine with the programs that an image must have, and no others, boots, is refreshed and tells what it opened`, async (t) => {
    const { machine, server } = await stage(t, flavour, FILES, { only: AGENT_PROGRAMS });
    service(machine, 'nova-compute', 'echo started');
    const cmdline = `${KERNEL} reveille.hold=nova-compute TFTP=10.0.0.2`;
    const { code, printed } = await machine.start(cmdline);
    assert.equal(code, 0, printed);
    assert.doesNotMatch(printed, /not found|No such file/i, printed);
    assert.ok(server.event('ready', 'done'));

    const running = machine.start(cmdline, 'reveille-refresh');
    await until(() => server.orders.isWaiting('node01'));
    writeFileSync(join(machine.root, 'etc/motd'), 'changed\n');
    rmSync(join(machine.root, 'etc/nova/nova.conf'));
    const given = server.orders.give('node01', { id: 'x', what: 'restore' }, AbortSignal.timeout(10_000));
    assert.ok(await given);
    await until(() => server.news().some(({ sync }) => sync === 'x'));
    assert.equal(machine.read('etc/motd'), 'hello\n');
    machine.stop();
    killAll();
    assert.doesNotMatch((await running).printed, /not found|No such file/i);

    if (flavour === 'dash') {
      const opened = await machine.start(cmdline, 'reveille-opened');
      assert.doesNotMatch(opened.printed, /not found/i);
    }
  });
}
